"""Owners' own limits on readings. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import NamedTuple

from cloud_bridge.alerts.attempt import Failure, attempt_all
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


class Fresh(NamedTuple):
    """A unit that says what is, and when that was read."""

    unit: str
    device: Device
    row: UnitRow
    at: int


def sightings(world: World, now: int) -> Iterator[Sighting | Failure]:
    """Rule by rule: one that fails says nothing, and stops no other."""
    rules = world.directory.rules.values()
    fresh = list(_fresh(world, now)) if any(rule.enabled for rule in rules) else []
    alerts: defaultdict[str, list[Alert]] = defaultdict(list)
    for alert in world.open_of.get(CONDITION, ()):
        alerts[alert.condition].append(alert)
    for rule in rules:
        own = alerts.pop(condition_of(rule), ())
        yield from attempt_all(f'rule "{rule.name}" (id {rule.id})', partial(_of_rule, world, rule, fresh, own, now))
    # What is left is of rules that are gone.
    yield from (ended(alert, now) for alert in chain.from_iterable(alerts.values()))


def _fresh(world: World, now: int) -> Iterator[Fresh]:
    for unit in sorted(world.heard.changed):
        device, row = world.devices.get(unit), world.heard.units[unit]
        at = fresh_at(world, row, now)
        if device is not None and at is not None:
            yield Fresh(unit, device, row, at)


def applies(rule: Rule, device: Device) -> bool:
    """Whether a rule is about a device: its owner's rules and the operator's are."""
    in_scope = rule.scope == Scope() or has(rule.scope, device)
    return rule.enabled and rule.owner in (None, device.owner) and in_scope


def _of_rule(world: World, rule: Rule, fresh: Iterable[Fresh], alerts: Iterable[Alert], now: int) -> Iterator[Sighting]:
    """`alerts`: its open ones; one of a unit that it is no longer about ends."""
    if rule.enabled:
        for each in fresh:
            if applies(rule, each.device):
                yield from _of_unit(world, rule, each)
    for alert in alerts:
        device = world.devices.get(alert.subject.name)
        if device is None or not applies(rule, device):
            yield ended(alert, now)


def _of_unit(world: World, rule: Rule, each: Fresh) -> Iterator[Sighting]:
    reading = number(each.row, rule.reading)
    if reading is None:
        return
    subject, condition = unit_subject(each.unit), condition_of(rule)
    details: dict[str, Scalar] = {rule.reading: reading, "limit": rule.limit, "rule": rule.name}
    if _beyond(rule, reading, rule.limit):
        mark = marked(world, subject, condition, each.at)
        hold_s = float(rule.for_s)
        yield began(subject, condition, mark, each.at, details, severity=rule.severity, hold_s=hold_s)
    elif (alert := world.open.get((subject, condition))) and _is_back(rule, reading, alert):
        yield ended(alert, each.at, details)


def _beyond(rule: Rule, reading: float, limit: float) -> bool:
    return reading > limit if rule.above else reading < limit


def _is_back(rule: Rule, reading: float, alert: Alert) -> bool:
    """What has not fired has to stay beyond the limit all the time; what has ends at `clear`."""
    if alert.phase is Phase.PENDING or rule.clear is None:
        return True
    return not _beyond(rule, reading, rule.clear)
