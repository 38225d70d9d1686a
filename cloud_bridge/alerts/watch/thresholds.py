"""Owners' own limits on readings. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.alerts.matching import has
from cloud_bridge.alerts.model import Alert, Phase, Sighting
from cloud_bridge.alerts.terms import Device, Rule, Scope
from cloud_bridge.alerts.watch.readings import fresh_at, number
from cloud_bridge.alerts.watch.world import World, began, ended, marked, unit_subject
from cloud_bridge.rows import UnitRow
from gateway.wire.messages import Scalar

CONDITION = "reading_out_of_range"


def condition_of(rule: Rule) -> str:
    return f"{CONDITION}:{rule.id}"


def sightings(world: World, now: int) -> Iterator[Sighting]:
    rules = [rule for rule in world.directory.rules.values() if rule.enabled]
    for unit in sorted(world.heard.changed) if rules else ():
        device, row = world.devices.get(unit), world.heard.units[unit]
        at = fresh_at(world, row, now)
        if device is not None and at is not None:
            for rule in rules:
                if applies(rule, device):
                    yield from _of_rule(world, rule, row, unit, at)
    yield from _left(world, now)


def applies(rule: Rule, device: Device) -> bool:
    """Whether a rule is about a device: its owner's rules and the operator's are."""
    in_scope = rule.scope == Scope() or has(rule.scope, device)
    return rule.enabled and rule.owner in (None, device.owner) and in_scope


def _of_rule(world: World, rule: Rule, row: UnitRow, unit: str, at: int) -> Iterator[Sighting]:
    reading = number(row, rule.reading)
    if reading is None:
        return
    subject, condition = unit_subject(unit), condition_of(rule)
    details: dict[str, Scalar] = {rule.reading: reading, "limit": rule.limit, "rule": rule.name}
    if _beyond(rule, reading, rule.limit):
        mark = marked(world, subject, condition, at)
        hold_s = float(rule.for_s)
        yield began(subject, condition, mark, at, details, severity=rule.severity, hold_s=hold_s)
    elif (alert := world.open.get((subject, condition))) and _is_back(rule, reading, alert):
        yield ended(alert, at, details)


def _beyond(rule: Rule, reading: float, limit: float) -> bool:
    return reading > limit if rule.above else reading < limit


def _is_back(rule: Rule, reading: float, alert: Alert) -> bool:
    """What has not fired has to stay beyond the limit all the time; what has ends at `clear`."""
    if alert.phase is Phase.PENDING or rule.clear is None:
        return True
    return not _beyond(rule, reading, rule.clear)


def _left(world: World, now: int) -> Iterator[Sighting]:
    """Alerts of rules that are gone, or no longer about the unit."""
    rules = {condition_of(rule): rule for rule in world.directory.rules.values()}
    for alert in world.open_of.get(CONDITION, ()):
        rule, device = rules.get(alert.condition), world.devices.get(alert.subject.name)
        if rule is None or device is None or not applies(rule, device):
            yield ended(alert, now)
