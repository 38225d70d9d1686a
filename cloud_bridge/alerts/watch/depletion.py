"""A battery that empties faster than the unit promised when the outage began. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.watch.past import Noted
from cloud_bridge.alerts.watch.readings import fresh_at, number, state
from cloud_bridge.alerts.watch.world import World, began, ended, marked, unit_subject
from cloud_bridge.rows import UnitRow
from drivers.ups import State

CONDITION = "battery_depleting_fast"

SETTLED_S = 30.0
"""On battery: before it the runtime is still the one of the load on mains."""

CHARGE_SETTLED_S = 60.0
CHARGE_FALL_PCT = 20.0
"""The charge has to fall so far, for so long, before a whole is made of the part: its first points fall faster."""

CLEAR_MARGIN = 0.1
"""It ends so much above the share at which it begins."""


def sightings(world: World, now: int) -> Iterator[Sighting]:
    for unit in sorted(world.heard.changed):
        onset, row = world.past(unit).on_battery, world.heard.units[unit]
        at = fresh_at(world, row, now)
        if onset is not None and at is not None and state(row) is State.ON_BATTERY:
            yield from _of_unit(world, unit, row, onset, at)
    for alert in world.open_of.get(CONDITION, ()):
        if world.past(alert.subject.name).on_battery is None:
            yield ended(alert, now)


def whole_s(onset: Noted, row: UnitRow, elapsed_s: float) -> float | None:
    """How long the battery will have lasted in all, by the shorter of what its runtime and its charge say."""
    found: list[float] = []
    left_s, charge_pct = number(row, "runtime_s"), number(row, "charge_pct")
    if left_s is not None and elapsed_s >= SETTLED_S:
        found.append(elapsed_s + left_s)
    if charge_pct is not None and onset.charge_pct is not None and elapsed_s >= CHARGE_SETTLED_S:
        fallen_pct = onset.charge_pct - charge_pct
        if fallen_pct >= CHARGE_FALL_PCT:
            found.append(elapsed_s * onset.charge_pct / fallen_pct)
    return min(found, default=None)


def _of_unit(world: World, unit: str, row: UnitRow, onset: Noted, at: int) -> Iterator[Sighting]:
    elapsed_s = (at - onset.at) / 1000
    lasts_s, promised_s = whole_s(onset, row, elapsed_s), onset.runtime_s
    if lasts_s is None or not promised_s:
        return
    share, subject = lasts_s / promised_s, unit_subject(unit)
    details = {
        "runtime_s": number(row, "runtime_s"),
        "charge_pct": number(row, "charge_pct"),
        "elapsed_s": round(elapsed_s),
        "expected_runtime_s": promised_s,
        "lasts_s": round(lasts_s),
    }
    if share < world.terms.runtime_short_share:
        yield began(subject, CONDITION, marked(world, subject, CONDITION, at), at, details)
    elif (alert := world.open.get((subject, CONDITION))) and share >= world.terms.runtime_short_share + CLEAR_MARGIN:
        yield ended(alert, at, details)
