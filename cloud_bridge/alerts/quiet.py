"""Quiet hours: until when a notice waits, by the wall clock of its owner. Pure. Instants are UTC milliseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud_bridge.alerts.terms import Quiet

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC where the name is none: a wrong one must not stop an alert."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def quiet_until(quiet: Quiet, zone: ZoneInfo, now: int) -> int | None:
    """When the quiet that holds at `now` ends; None if none holds.

    It is quiet while the wall clock says so: an hour that summer time takes or gives makes a night shorter or longer.
    The end is where the clock first shows a time that is outside.
    """
    at = datetime.fromtimestamp(now / 1000, zone)
    began = _began_on(quiet, at)
    if began is None:
        return None
    ends_on = began + _DAY if quiet.since >= quiet.until else began
    end = _shown(ends_on, quiet.until, zone, fold=0)
    if end <= at:
        end = _shown(ends_on, quiet.until, zone, fold=1)
    # An end that no clock shows: summer time takes its hour, and the end is where the clock jumps.
    while _began_on(quiet, (end - _MINUTE).astimezone(zone)) != began:
        end -= _MINUTE
    return int(end.timestamp()) * 1000


def _began_on(quiet: Quiet, at: datetime) -> date | None:
    """The day on which the quiet began that holds at this reading of the wall clock."""
    clock = f"{at:%H:%M}"
    if quiet.since < quiet.until:
        began = at.date() if quiet.since <= clock < quiet.until else None
    elif clock >= quiet.since:
        began = at.date()
    else:
        began = at.date() - _DAY if clock < quiet.until else None
    return began if began is not None and began.weekday() in quiet.days else None


def _shown(day: date, clock: str, zone: ZoneInfo, fold: int) -> datetime:
    """When a clock shows it; `fold` 1: for the second time, in the hour that comes twice."""
    hour, minute = int(clock[:2]), int(clock[3:])
    return datetime(day.year, day.month, day.day, hour, minute, fold=fold, tzinfo=zone).astimezone(UTC)
