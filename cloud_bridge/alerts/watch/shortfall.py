"""A battery that gave less than the unit had promised, until it is replaced or its runtime measured anew. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from cloud_bridge.alerts.model import Alert, Sighting, digest
from cloud_bridge.alerts.watch.past import Spent
from cloud_bridge.alerts.watch.world import World, began, ended, unit_subject
from gateway.wire.messages import Scalar

CONDITION = "battery_ran_short"

_INSTALLED = "battery_installed_on"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sightings(world: World, now: int) -> Iterator[Sighting]:
    for unit in sorted(world.heard.past):
        spent = _newest(world, unit)
        if spent is not None:
            subject = unit_subject(unit)
            mark = digest(str(subject), CONDITION, spent.outage)
            yield began(subject, CONDITION, mark, spent.ended_at, _details(world, unit, spent))
    for alert in world.open_of.get(CONDITION, ()):
        if _newest(world, alert.subject.name) is None:
            yield ended(alert, now)


def _newest(world: World, unit: str) -> Spent | None:
    """The newest outage that the battery fell short in, as long as that is the battery."""
    share = world.terms.runtime_short_share
    short = [spent for spent in world.past(unit).spent if ran_short(spent, share)]
    return short[-1] if short and not _is_over(world, unit, short[-1]) else None


def ran_short(spent: Spent, share: float) -> bool:
    promised_s = spent.expected_runtime_s
    return promised_s is not None and spent.delivered_s < share * promised_s


def _details(world: World, unit: str, spent: Spent) -> dict[str, Scalar]:
    installed_on = _installed_on(world, unit)
    known = {_INSTALLED: installed_on.isoformat()} if installed_on else {}
    return {"delivered_s": spent.delivered_s, "expected_runtime_s": spent.expected_runtime_s, **known}


def _is_over(world: World, unit: str, spent: Spent) -> bool:
    """Calibrated since, or another battery since: one of the same day tells by its date having moved."""
    calibrated = world.past(unit).newest.get("calibration_passed")
    if calibrated is not None and calibrated.id > spent.id:
        return True
    installed_on, ended_on = _installed_on(world, unit), (_EPOCH + timedelta(milliseconds=spent.ended_at)).date()
    if installed_on is None or installed_on < ended_on:
        return False
    return installed_on > ended_on or _moved(world.open.get((unit_subject(unit), CONDITION)), installed_on)


def _moved(alert: Alert | None, installed_on: date) -> bool:
    return alert is not None and alert.details.get(_INSTALLED) != installed_on.isoformat()


def _installed_on(world: World, unit: str) -> date | None:
    row = world.heard.units.get(unit)
    return row.identity.identity.battery_installed_on if row and row.identity else None
