"""Battery tests and calibrations. Registers 23 and 24 latch the last result, so what is told is a change.

Source: apc-modbus.md 7.8.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from drivers.ups import Cause, Event, Snapshot, TestResult, TestStatus
from gateway.power import is_calibrating, is_testing
from gateway.readings import Detail, is_full
from gateway.sighting import happening
from gateway.unit_state import UnitState

Result = TypeVar("Result", bound=TestResult)

SETTLE_TIME = timedelta(seconds=60)
"""For so long after a result the status word and the cause may still speak of the test that it is of."""

_TOLD = {
    TestStatus.IN_PROGRESS: "started",
    TestStatus.PASSED: "passed",
    TestStatus.FAILED: "failed",
    TestStatus.REFUSED: "refused",
    TestStatus.ABORTED: "aborted",
}


def follow_tests(state: UnitState, snapshot: Snapshot) -> tuple[UnitState, tuple[Event, ...]]:
    """Starts and results. A result that was there at first contact is old and is not told.

    A fast reading shows at most that something runs; which of the two, and how it ended, only a full one
    tells.
    """
    if snapshot.full_at is not None and snapshot.self_test is None and state.self_test is None:
        return _follow_without_register(state, snapshot)
    test_seen = state.test_seen or _shows_a_run(state, snapshot)
    state = msgspec.structs.replace(state, test_seen=test_seen)
    if not is_full(snapshot):
        return state, ()
    calibration_events = _changes("calibration", state, state.calibration, snapshot.calibration, snapshot.at)
    test_events = _changes("self_test", state, state.self_test, snapshot.self_test, snapshot.at)
    calibrates = bool(calibration_events) or is_calibrating(snapshot)
    if not test_events and not calibrates:
        test_events = _same_result_again(state, snapshot)
    over = calibrates or bool(test_events)
    return msgspec.structs.replace(
        state,
        test_seen=state.test_seen and not over,
        result_at=snapshot.at if over else state.result_at,
        self_test=snapshot.self_test or state.self_test,
        calibration=snapshot.calibration or state.calibration,
    ), (*test_events, *calibration_events)


def _follow_without_register(state: UnitState, snapshot: Snapshot) -> tuple[UnitState, tuple[Event, ...]]:
    """A unit that keeps no result of its test: that one runs is all that can be told."""
    runs = is_testing(snapshot) and not is_calibrating(snapshot)
    events = _changes("calibration", state, state.calibration, snapshot.calibration, snapshot.at)
    remembered = msgspec.structs.replace(state, test_seen=runs, calibration=snapshot.calibration or state.calibration)
    if runs and not state.test_seen:
        events = (happening(state, "self_test_started", snapshot.at, by_state=True), *events)
    return remembered, events


def _shows_a_run(state: UnitState, snapshot: Snapshot) -> bool:
    if state.result_at is not None and timedelta(0) <= snapshot.at - state.result_at < SETTLE_TIME:
        return False
    ended = snapshot.cause is Cause.TEST_ENDED and state.cause not in (None, Cause.TEST_ENDED)
    return ended or is_testing(snapshot)


def _changes(name: str, state: UnitState, old: Result | None, new: Result | None, at: datetime) -> tuple[Event, ...]:
    if new is None or new == old or new.status not in _TOLD:
        return ()
    if old is None and new.status is not TestStatus.IN_PROGRESS:
        return ()
    return (_told(name, state, new, at),)


def _same_result_again(state: UnitState, snapshot: Snapshot) -> tuple[Event, ...]:
    """A test ran between two full readings and ended like the one before, or left the first result."""
    new = snapshot.self_test
    if new is None or new.status not in _TOLD or not state.test_seen or is_testing(snapshot):
        return ()
    return (_told("self_test", state, new, snapshot.at),)


def _told(name: str, state: UnitState, result: TestResult, at: datetime) -> Event:
    details: dict[str, Detail] = {}
    if result.source is not None:
        details["source"] = result.source.value
    if result.reasons:
        details["reasons"] = ", ".join(result.reasons)
    return happening(state, f"{name}_{_TOLD[result.status]}", at, details=details)
