"""Ends that nobody told: their events were lost with a gateway's store, and the unit's status shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import msgspec

from cloud_bridge.alerts.attempt import Failure, attempt_all
from cloud_bridge.alerts.conditions import OUTAGE, kind_of
from cloud_bridge.alerts.model import Alert, Kind, Seen, Sighting, digest
from cloud_bridge.alerts.outage import critical_at
from cloud_bridge.alerts.watch.readings import fresh_at, state, value
from cloud_bridge.alerts.watch.world import World, ended
from cloud_bridge.rows import UnitRow
from drivers.ups import BEGUN_BY, KEPT_BY, Flag, OutletGroup, State

SETTLES_S = 15.0
"""A status is taken at its word after this: the event of an end travels beside it, and a gateway holds the end of a
fault for 10 s at most."""

COMMUNICATION, BYPASS, OUTLETS_OFF = "communication_lost", "bypass", "outlet_group_off"


def sightings(world: World, now: int) -> Iterator[Sighting | Failure]:
    """Of a unit's open alerts those that its newest status contradicts. Their `at` is what the board is to take them
    at, though it is past: time made nothing worse of what was over. What a status holds stops no other unit's."""
    for alert in world.open.values():
        row = world.heard.units.get(alert.subject.name)
        if alert.subject.kind is Kind.UNIT and row is not None:
            yield from attempt_all(f"lost ends of {alert.subject.name}", partial(_of_alert, world, alert, row, now))


def _of_alert(world: World, alert: Alert, row: UnitRow, now: int) -> Iterator[Sighting]:
    at = _read_at(world, alert, row, now)
    if at is None:
        return
    if alert.condition == OUTAGE:
        yield from _of_outage(world, alert, row, at)
    elif _is_over(alert.condition, row):
        yield ended(alert, at)


def _read_at(world: World, alert: Alert, row: UnitRow, now: int) -> int | None:
    """When the oldest part of the status was read; None if the alert may know better. Reports by exception add up to
    what is only after a full one, so one has to be newer than whatever the alert was told last."""
    full, at = world.heard.full.get(alert.subject.name), fresh_at(world, row, now)
    if full is None or at is None or full.record <= alert.record or now - full.received_at < SETTLES_S * 1000:
        return None
    at -= _age_ms(row)
    return at if at > alert.changed_at else None


def _age_ms(row: UnitRow) -> int:
    """By how much the oldest part was read before the newest."""
    newest, oldest = _instant(row, "at"), _instant(row, "full_at")
    return 0 if newest is None or oldest is None else max(0, round((newest - oldest).total_seconds() * 1000))


def _instant(row: UnitRow, name: str) -> datetime | None:
    """One without a zone is none."""
    at = value(row, name, datetime)
    return at if at is not None and at.tzinfo is not None else None


def _is_over(condition: str, row: UnitRow) -> bool:
    if condition == BYPASS:
        return state(row) is State.ONLINE
    if kind_of(condition) == OUTLETS_OFF:
        return _is_fed(condition.partition(":")[2], row)
    return condition == COMMUNICATION or (condition in BEGUN_BY and _is_cleared(condition, row))


def _is_fed(group: str, row: UnitRow) -> bool:
    """Whether the outlet group of this number is on. What a unit without output, or of unknown state, says of its
    outlets is no news of them: its gateway goes by the same (apc-modbus.md 7.3)."""
    outlets = value(row, "switched_outlets", tuple[OutletGroup, ...]) or ()
    return state(row) not in (None, State.OFF) and any(each.on for each in outlets if str(each.index) == group)


def _of_outage(world: World, alert: Alert, row: UnitRow, at: int) -> Iterator[Sighting]:
    """All stages but a countdown, which goes on under mains: that the mains are back last, since it is the news."""
    flags = _flags(row)
    if state(row) is not State.ONLINE or flags is None:
        return
    counts_down = not flags.isdisjoint((Flag.SHUTDOWN_IMMINENT, Flag.PENDING_OUTPUT_OFF))
    over = [stage for stage in alert.open if stage != "shutdown_imminent" or not counts_down]
    worse_at = critical_at(alert, world.terms)
    at = at if worse_at is None else min(at, worse_at - 1)
    for stage in sorted(over, key=lambda each: each == "on_battery"):
        end = ended(msgspec.structs.replace(alert, condition=stage), at)
        yield msgspec.structs.replace(end, condition=OUTAGE, mark=digest(alert.mark, Seen.ENDED, stage, str(at)))


def _is_cleared(condition: str, row: UnitRow) -> bool:
    """Whether none of its flags is set, and the unit would say so if one was."""
    flags = _flags(row)
    reported = row.identity.identity.reported_flags if row.identity else frozenset[Flag]()
    if flags is None or (reported and BEGUN_BY[condition].isdisjoint(reported)):
        return False
    return flags.isdisjoint(BEGUN_BY[condition] | KEPT_BY.get(condition, frozenset()))


def _flags(row: UnitRow) -> set[str] | None:
    return value(row, "flags", set[str])
