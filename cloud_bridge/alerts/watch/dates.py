"""Replacement of batteries and end of warranties, some days before and on the day. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud_bridge.alerts.model import Sighting, digest
from cloud_bridge.alerts.terms import Device
from cloud_bridge.alerts.watch.readings import day
from cloud_bridge.alerts.watch.world import World, began, ended, unit_subject
from drivers.ups import Severity

BATTERY = "battery_replacement_due"
WARRANTY = "warranty_expires"

DAYS_BEFORE = (90, 30, 7, 0)
URGENT_FROM = 7
"""So many days before the battery's date it is a warning."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sightings(world: World, now: int) -> Iterator[Sighting]:
    for unit in sorted(world.heard.changed):
        device = world.devices.get(unit)
        yield from _of_date(world, unit, BATTERY, battery_due_on(world, unit, device), now)
        yield from _of_date(world, unit, WARRANTY, device.warranty_until if device else None, now)


def battery_due_on(world: World, unit: str, device: Device | None) -> date | None:
    """The owner's word, else the unit's."""
    said_on = device.battery_due_on if device else None
    return said_on or day(world.heard.units[unit], "replace_battery_on")


def limit_crossed(days_left: int) -> int | None:
    """The nearest of DAYS_BEFORE that was reached; None: it is further away than all."""
    return min((limit for limit in DAYS_BEFORE if days_left <= limit), default=None)


def _of_date(world: World, unit: str, condition: str, due_on: date | None, now: int) -> Iterator[Sighting]:
    subject, zone = unit_subject(unit), _zone(world, unit)
    alert = world.open.get((subject, condition))
    moved = alert is not None and (due_on is None or alert.details.get("due_on") != due_on.isoformat())
    days_left = (due_on - _today(now, zone)).days if due_on else None
    limit = None if days_left is None else limit_crossed(days_left)
    if alert is not None and (moved or limit is None):
        yield ended(alert, now)
    elif due_on is not None and limit is not None:
        mark = digest(str(subject), condition, due_on.isoformat(), str(limit))
        urgent = condition == BATTERY and limit <= URGENT_FROM
        yield began(
            subject,
            condition,
            mark,
            _midnight(due_on, limit, zone),
            {"due_on": due_on.isoformat(), "days_left": days_left},
            severity=Severity.WARNING if urgent else Severity.INFORMATIONAL,
        )


def _today(now: int, zone: tzinfo) -> date:
    return (_EPOCH + timedelta(milliseconds=now)).astimezone(zone).date()


def _midnight(due_on: date, limit: int, zone: tzinfo) -> int:
    """The beginning of the day so many days before, UTC milliseconds; 0 of one before 1970."""
    ordinal = max(due_on.toordinal() - limit, _EPOCH.toordinal() + 1)
    begins_at = datetime.combine(date.fromordinal(ordinal), time(), zone)
    return (begins_at - _EPOCH) // timedelta(milliseconds=1)


def _zone(world: World, unit: str) -> tzinfo:
    device = world.devices.get(unit)
    owner = world.directory.owners.get(device.owner) if device and device.owner is not None else None
    return _zone_named(owner.time_zone) if owner else UTC


@lru_cache(maxsize=1024)
def _zone_named(name: str) -> tzinfo:
    """UTC for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
