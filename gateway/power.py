"""Where the load gets its power, and whether that is an outage (S18, S19; apc-modbus.md 7.1, 7.4, 8.5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from drivers.ups import Cause, Flag, Snapshot, State, TestStatus
from gateway import conditions
from gateway.readings import Detail, is_full
from gateway.sighting import Sighting
from gateway.unit_state import UnitState

TEST_LIMIT = timedelta(seconds=40)
"""A self-test takes 10 to 20 s; one on battery for longer is an outage (S19)."""
NO_TEST = timedelta(hours=1)
"""What seems to have gone on for longer began by another clock, before a restart: no outage is made of that."""

_COMMANDS = frozenset({Cause.PROTOCOL_COMMAND, Cause.LOCAL_UI_COMMAND})
_FORCED = frozenset(
    {
        Cause.LOW_BATTERY_VOLTAGE,
        Cause.GENERAL_ERROR,
        Cause.POWER_SYSTEM_ERROR,
        Cause.BATTERY_SYSTEM_ERROR,
        Cause.DISTORTED_INVERTER_OUTPUT,
        Cause.EPO_INTERFACE,
    }
)
"""Causes that switch the output off though nobody asked for it, a running countdown or not."""
_ON_MAINS = (State.ONLINE, State.BYPASS)


def sightings(
    state: UnitState, snapshot: Snapshot, low_runtime_s: float, test_since_at: datetime | None
) -> Iterator[Sighting]:
    """What a snapshot shows of each of STATE_CONDITIONS but the outlet groups, in telling order."""
    cause: dict[str, Detail] = {"cause": snapshot.cause.value} if snapshot.cause else {}
    yield Sighting(
        condition=conditions.ON_BATTERY,
        seen=_outage(state, snapshot, low_runtime_s, test_since_at),
        by_state=True,
        details=cause,
        end_details=cause,
    )
    yield Sighting(condition=conditions.LOW_BATTERY, seen=_low_battery(snapshot, low_runtime_s))
    yield Sighting(
        condition=conditions.OUTPUT_OFF,
        seen=_in_state(snapshot, State.OFF),
        by_state=True,
        onset="output_off_commanded" if _off_was_commanded(state, snapshot) else "output_off",
        details=cause,
        end_details=cause,
    )
    yield Sighting(
        condition=conditions.SHUTDOWN_IMMINENT,
        seen=_shutdown_imminent(snapshot),
        details=_countdown_detail(snapshot),
        end_details={"state": snapshot.state.value} if snapshot.state else {},
    )
    yield Sighting(
        condition=conditions.BYPASS,
        seen=_in_state(snapshot, State.BYPASS),
        by_state=True,
        onset="bypass_commanded" if _bypass_is_commanded(snapshot) else "bypass",
        details=cause,
    )


def test_since(state: UnitState, snapshot: Snapshot) -> datetime | None:
    """Since when the unit is on battery for a test or calibration; None if it isn't."""
    if snapshot.state is None:
        return state.test_since_at
    if snapshot.state is not State.ON_BATTERY or not (is_testing(snapshot) or is_calibrating(snapshot)):
        return None
    since_at = state.test_since_at
    if since_at is None or not timedelta(0) <= snapshot.at - since_at <= NO_TEST:
        return snapshot.at
    return since_at


def is_testing(snapshot: Snapshot) -> bool:
    """Whether the unit says that it tests its battery."""
    by_cause = snapshot.state is State.ON_BATTERY and snapshot.cause is Cause.AUTOMATIC_TEST
    by_result = snapshot.self_test is not None and snapshot.self_test.status is TestStatus.IN_PROGRESS
    return by_cause or by_result or Flag.TEST_IN_PROGRESS in snapshot.flags


def is_calibrating(snapshot: Snapshot) -> bool:
    """Whether the unit says that it calibrates its runtime."""
    return snapshot.calibration is not None and snapshot.calibration.status is TestStatus.IN_PROGRESS


def _in_state(snapshot: Snapshot, state: State) -> bool | None:
    return None if snapshot.state is None else snapshot.state is state


def _outage(state: UnitState, snapshot: Snapshot, low_runtime_s: float, test_since_at: datetime | None) -> bool | None:
    """Off is no end of an outage: what ends it is a load carried by the mains."""
    if snapshot.state in _ON_MAINS:
        return False
    if snapshot.state is not State.ON_BATTERY:
        return None
    if test_since_at is None or conditions.ON_BATTERY.onset in state.ongoing:
        return True
    overdue = not is_calibrating(snapshot) and snapshot.at - test_since_at > TEST_LIMIT
    return overdue or _input_is_bad(state, snapshot) or _battery_is_low(snapshot, low_runtime_s)


def _input_is_bad(state: UnitState, snapshot: Snapshot) -> bool:
    """S19: status bit 6 at any time; registers 18 and 150 only where they are as new as the state."""
    if Flag.INPUT_NOT_ACCEPTABLE in snapshot.flags:
        return True
    if not is_full(snapshot):
        return False
    said_bad = snapshot.flags & {Flag.POWER_FAILURE, Flag.INPUT_NOT_ACCEPTABLE_AT_INPUT}
    return bool(said_bad) or (state.input_reported and Flag.INPUT_ACCEPTABLE not in snapshot.flags)


def _battery_is_low(snapshot: Snapshot, low_runtime_s: float) -> bool:
    """S18. Register 18 and the countdowns may be older than the state, and then say nothing about it."""
    if snapshot.runtime_s is not None and snapshot.runtime_s <= low_runtime_s:
        return True
    return is_full(snapshot) and Flag.SHUTDOWN_IMMINENT in snapshot.flags and not _countdown_s(snapshot)


def _low_battery(snapshot: Snapshot, low_runtime_s: float) -> bool | None:
    if snapshot.state in _ON_MAINS:
        return False
    if snapshot.state is not State.ON_BATTERY:
        return None
    return _battery_is_low(snapshot, low_runtime_s) or (False if is_full(snapshot) else None)


def _shutdown_imminent(snapshot: Snapshot) -> bool | None:
    """S18. Status bit 9 means this on mains only: on battery it is there by itself (7.1)."""
    if snapshot.state is None or snapshot.state is State.OFF:
        return None if snapshot.state is None else False
    if snapshot.state in _ON_MAINS and Flag.PENDING_OUTPUT_OFF in snapshot.flags:
        return True
    if not is_full(snapshot):
        return None
    on_mains_or_counting = snapshot.state in _ON_MAINS or bool(_countdown_s(snapshot))
    return on_mains_or_counting and Flag.SHUTDOWN_IMMINENT in snapshot.flags


def _countdown_s(snapshot: Snapshot) -> int | None:
    """Seconds of the running turn-off countdown: the main group's, else a switched one's (7.4)."""
    groups = (snapshot.main_outlet,) if snapshot.main_outlet else snapshot.switched_outlets
    return min((group.turn_off_s for group in groups if group.turn_off_s), default=None)


def _countdown_detail(snapshot: Snapshot) -> dict[str, Detail]:
    countdown_s = _countdown_s(snapshot) if is_full(snapshot) else None
    return {} if countdown_s is None else {"turn_off_s": countdown_s}


def _off_was_commanded(state: UnitState, snapshot: Snapshot) -> bool:
    if snapshot.cause in _FORCED:
        return False
    return snapshot.cause in _COMMANDS or conditions.SHUTDOWN_IMMINENT.onset in state.ongoing


def _bypass_is_commanded(snapshot: Snapshot) -> bool:
    return Flag.COMMANDED in snapshot.flags or snapshot.cause in _COMMANDS
