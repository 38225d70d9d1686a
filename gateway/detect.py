"""What happened to a unit between two readings: events by comparing a snapshot with what is remembered."""

from __future__ import annotations

import msgspec

from drivers.ups import Cause, Event, Flag, Snapshot
from gateway import outlets, power
from gateway.conditions import FLAG_CONDITIONS, Condition
from gateway.readings import is_full
from gateway.selftest import follow_tests
from gateway.sighting import Sighting, follow, happening
from gateway.silence import answered
from gateway.unit_state import UnitState


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's limits for one unit.

    `low_battery_runtime_s`: at or under it on battery is low battery (S18).
    """

    low_battery_runtime_s: float = 300.0


DEFAULT_LIMITS = Limits()

_CAUSES_TOLD = {
    Cause.SYSTEM_INITIALISATION: "unit_restarted",
    Cause.CONFIGURATION_CHANGE: "settings_changed",
}


def step(state: UnitState, snapshot: Snapshot, limits: Limits = DEFAULT_LIMITS) -> tuple[UnitState, tuple[Event, ...]]:
    """What is to be remembered after this reading, and the events it shows in the order of their telling.

    A state without history takes what is wrong already as found afterwards; what is well is not told.
    """
    restored = answered(state, snapshot.at)
    causes = _new_cause(state, snapshot)
    test_since_at = power.test_since(state, snapshot)
    returning, output_on_at = outlets.output_return(state, snapshot)
    looked = msgspec.structs.replace(
        state, input_reported=state.input_reported or Flag.INPUT_ACCEPTABLE in snapshot.flags
    )
    sightings = (
        *power.sightings(looked, snapshot, limits.low_battery_runtime_s, test_since_at),
        *outlets.sightings(looked, snapshot, returning, output_on_at),
        *(_flag_sighting(looked, condition, snapshot) for condition in FLAG_CONDITIONS),
    )
    ongoing, changes = follow(looked, sightings, snapshot)
    tested, tests = follow_tests(looked, snapshot)
    remembered = msgspec.structs.replace(
        _with_reading(tested, snapshot),
        ongoing=ongoing,
        test_since_at=test_since_at,
        returning=returning,
        output_on_at=output_on_at,
    )
    return remembered, (*restored, *causes, *changes, *tests)


def _with_reading(state: UnitState, snapshot: Snapshot) -> UnitState:
    full = is_full(snapshot)
    return msgspec.structs.replace(
        state,
        last_at=snapshot.at,
        last_full_at=snapshot.at if full else state.last_full_at,
        watching=True,
        watching_all=state.watching_all or full,
        power=snapshot.state or state.power,
        cause=snapshot.cause or state.cause,
        failed_polls=0,
        lost_at=None,
    )


def _new_cause(state: UnitState, snapshot: Snapshot) -> tuple[Event, ...]:
    """Causes that are events themselves; at first contact they are history."""
    cause = snapshot.cause
    if cause is None or state.cause in (None, cause) or cause not in _CAUSES_TOLD:
        return ()
    return (happening(state, _CAUSES_TOLD[cause], snapshot.at, by_state=True),)


def _flag_sighting(state: UnitState, condition: Condition, snapshot: Snapshot) -> Sighting:
    """A flag begins a condition at any age, since an old one was there before; only a new look ends it."""
    seen: bool | None = bool(condition.flags & snapshot.flags)
    if not seen and condition.onset in state.ongoing and condition.kept_by & snapshot.flags:
        seen = True
    if not seen and not is_full(snapshot):
        seen = None
    return Sighting(condition=condition, seen=seen)
