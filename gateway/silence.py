"""When a unit that doesn't answer counts as lost, and what is told when it answers again (S20)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from drivers.ups import CATALOGUE, Event, Severity, State
from gateway.readings import Detail
from gateway.unit_state import UnitState, unwatched

FAILED_POLLS = 3
SILENT_S = 15.0
"""A unit is lost after this many failed polls and this long after its last good answer (S20)."""


def failed(
    state: UnitState, at: datetime, silent_s: float, answers_at: str | None = None
) -> tuple[UnitState, tuple[Event, ...]]:
    """One more poll without a good answer; the loss is told once, critical if the last state was on battery.

    `silent_s`: monotonic seconds since the last good answer, since the start if there was none. `answers_at`: another
    name under which the unit was seen.
    """
    if state.lost_at is not None:
        return state, ()
    failed_polls = state.failed_polls + 1
    counted = msgspec.structs.replace(state, failed_polls=failed_polls)
    if failed_polls < FAILED_POLLS or silent_s < SILENT_S:
        return counted, ()
    on_battery = state.power is State.ON_BATTERY
    moved: dict[str, Detail] = {} if answers_at is None else {"answers_at": answers_at}
    event = Event(
        type="communication_lost",
        severity=Severity.CRITICAL if on_battery else CATALOGUE["communication_lost"].severity,
        at=at,
        after=state.last_at,
        details={"failed_polls": failed_polls, "silent_s": round(silent_s), **_last_state(state), **moved},
    )
    return unwatched(msgspec.structs.replace(counted, lost_at=at)), (event,)


def answered(state: UnitState, at: datetime) -> tuple[Event, ...]:
    """A good answer: communication_restored if the loss was told, with how long the unit was silent."""
    if state.lost_at is None:
        return ()
    silent_s = round(max(0.0, (at - (state.last_at or state.lost_at)).total_seconds()))
    kind = "communication_restored"
    event = Event(type=kind, severity=CATALOGUE[kind].severity, at=at, details={"silent_s": silent_s})
    return (event,)


def _last_state(state: UnitState) -> dict[str, Detail]:
    return {} if state.power is None else {"last_state": state.power.value}
