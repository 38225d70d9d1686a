"""Registers 23 and 24 (apc-modbus.md 7.8) with the values seen live there."""

from __future__ import annotations

import pytest

from drivers.ups import Calibration, Cause, Flag, Severity, TestSource, TestStatus
from drivers.ups import TestResult as Result
from tests.gateway.watched_unit import ACCEPTABLE, ONLINE, WatchedUnit, moment

TESTING = 0x0084
RUNNING = Result(status=TestStatus.IN_PROGRESS, source=TestSource.PROTOCOL)  # 0x0042
PASSED = Result(status=TestStatus.PASSED, source=TestSource.PROTOCOL)  # 0x0044
FAILED = Result(status=TestStatus.FAILED, source=TestSource.INTERNAL)
REFUSED = Result(status=TestStatus.REFUSED, source=TestSource.INTERNAL, reasons=("invalid_state",))  # 0x0310
CALIBRATING = Calibration(status=TestStatus.IN_PROGRESS, source=TestSource.PROTOCOL)
CALIBRATION_FAILED = Calibration(status=TestStatus.FAILED, source=TestSource.PROTOCOL)  # 0x0048


@pytest.fixture
def unit() -> WatchedUnit:
    """One whose last test, before we came, has passed."""
    watched = WatchedUnit()
    watched.reads(0, ONLINE, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE, self_test=PASSED, calibration=CALIBRATION_FAILED)
    return watched


@pytest.mark.parametrize("old", [PASSED, FAILED, REFUSED], ids=lambda result: str(result.status))
def test_a_result_latched_before_first_contact_is_not_told(old: Result) -> None:
    unit = WatchedUnit()
    assert unit.reads(0, ONLINE, self_test=old, calibration=CALIBRATION_FAILED) == []
    assert unit.reads(5, ONLINE, self_test=old, calibration=CALIBRATION_FAILED) == []


def test_a_test_that_runs_at_first_contact_is_told_as_found() -> None:
    unit = WatchedUnit()
    assert unit.reads(0, TESTING, self_test=RUNNING) == ["self_test_started"]
    assert unit.events[0].found_afterwards


def test_a_failed_test_says_who_started_it(unit: WatchedUnit) -> None:
    unit.reads(1, TESTING, flags=ACCEPTABLE, self_test=RUNNING)
    assert unit.reads(9, ONLINE, flags=ACCEPTABLE, self_test=FAILED) == ["self_test_failed"]
    assert unit.events[-1].details == {"source": "internal"}
    assert unit.events[-1].severity is Severity.WARNING
    assert unit.events[-1].after == moment(1)


def test_a_refused_test_says_why(unit: WatchedUnit) -> None:
    assert unit.reads(1, ONLINE, flags=ACCEPTABLE, self_test=REFUSED) == ["self_test_refused"]
    assert unit.events[-1].details == {"source": "internal", "reasons": "invalid_state"}


def test_a_result_that_came_between_two_full_readings_is_told(unit: WatchedUnit) -> None:
    assert unit.reads(60, ONLINE, flags=ACCEPTABLE, self_test=FAILED) == ["self_test_failed"]


def test_the_same_result_again_is_told_if_a_fast_reading_saw_the_test(unit: WatchedUnit) -> None:
    unit.glances(61, TESTING)
    assert unit.glances(70, ONLINE) == []
    assert unit.reads(71, ONLINE, flags=ACCEPTABLE, self_test=PASSED) == ["self_test_passed"]
    assert unit.reads(76, ONLINE, flags=ACCEPTABLE, self_test=PASSED) == []


def test_a_test_seen_before_the_first_full_reading_has_a_result_worth_telling() -> None:
    unit = WatchedUnit()
    unit.glances(0, TESTING)
    assert unit.reads(9, ONLINE, self_test=PASSED) == ["self_test_passed"]
    assert unit.reads(14, ONLINE, self_test=PASSED) == []


def test_the_same_result_again_is_told_if_the_cause_says_that_a_test_ended(unit: WatchedUnit) -> None:
    assert unit.reads(90, ONLINE, Cause.TEST_ENDED, flags=ACCEPTABLE, self_test=PASSED) == ["self_test_passed"]
    assert unit.reads(95, ONLINE, Cause.TEST_ENDED, flags=ACCEPTABLE, self_test=PASSED) == []


def test_a_cause_that_comes_later_than_the_result_makes_no_second_one(unit: WatchedUnit) -> None:
    unit.reads(1, TESTING, Cause.PROTOCOL_COMMAND, flags=ACCEPTABLE, self_test=RUNNING)
    told = unit.reads(20, TESTING, Cause.PROTOCOL_COMMAND, flags=ACCEPTABLE, self_test=PASSED)
    assert told == ["self_test_passed"]
    assert unit.reads(21, ONLINE, Cause.TEST_ENDED, flags=ACCEPTABLE, self_test=PASSED) == []
    assert unit.reads(99, ONLINE, Cause.TEST_ENDED, flags=ACCEPTABLE, self_test=PASSED) == []


def test_a_test_that_ran_while_the_gateway_was_down_is_found_afterwards(unit: WatchedUnit) -> None:
    unit.restarts()
    assert unit.reads(7200, ONLINE, flags=ACCEPTABLE, self_test=FAILED) == ["self_test_failed"]
    assert (unit.events[0].found_afterwards, unit.events[0].after) == (True, moment(0))


def test_a_register_that_is_not_reported_this_time_is_no_change(unit: WatchedUnit) -> None:
    assert unit.reads(5, ONLINE, flags=ACCEPTABLE) == []
    assert unit.reads(10, ONLINE, flags=ACCEPTABLE, self_test=PASSED) == []


def test_a_register_that_a_restart_cleared_is_no_result(unit: WatchedUnit) -> None:
    assert unit.reads(5, ONLINE, flags=ACCEPTABLE, self_test=Result(status=TestStatus.NONE)) == []
    assert unit.reads(9, ONLINE, flags=ACCEPTABLE, self_test=Result(status=TestStatus.PENDING)) == []
    assert unit.reads(30, ONLINE, flags=ACCEPTABLE, self_test=PASSED) == ["self_test_passed"]


def test_a_calibration_is_neither_a_self_test_nor_an_outage_however_long(unit: WatchedUnit) -> None:
    assert unit.glances(10, TESTING, Cause.PROTOCOL_COMMAND) == []
    for second in range(11, 1800, 60):
        unit.reads(second, TESTING, flags=ACCEPTABLE, self_test=PASSED, calibration=CALIBRATING)
        unit.glances(second + 30, TESTING)
    assert unit.told == ["calibration_started"]
    done = Calibration(status=TestStatus.PASSED, source=TestSource.PROTOCOL)
    assert unit.reads(1800, ONLINE, flags=ACCEPTABLE, self_test=PASSED, calibration=done) == ["calibration_passed"]
    assert unit.reads(1900, ONLINE, flags=ACCEPTABLE, self_test=PASSED, calibration=done) == []


def test_s19_a_calibration_is_an_outage_once_the_input_is_bad(unit: WatchedUnit) -> None:
    unit.reads(1, TESTING, flags=ACCEPTABLE, calibration=CALIBRATING)
    assert unit.glances(2, 0x00C4) == ["on_battery"]


def test_a_unit_that_keeps_no_result_tells_that_it_tests_itself() -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE)
    testing = frozenset({Flag.TEST_IN_PROGRESS})
    assert unit.reads(1, 0x0004, flags=testing) == ["self_test_started"]
    assert unit.reads(12, ONLINE) == []
    unit.glances(98, ONLINE)
    assert unit.reads(99, 0x0004, flags=testing) == ["self_test_started"]
    assert unit.events[-1].after == moment(98)


def test_a_unit_that_keeps_results_of_calibrations_only_tells_those() -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE, calibration=CALIBRATION_FAILED)
    unit.reads(5, ONLINE)
    assert unit.reads(9, ONLINE, calibration=CALIBRATION_FAILED) == []
    assert unit.reads(20, TESTING, calibration=CALIBRATING) == ["calibration_started"]
    unit.glances(21, TESTING)
    assert unit.reads(30, ONLINE, calibration=CALIBRATION_FAILED) == ["calibration_failed"]


def test_a_test_a_minute_after_the_last_result_is_another_one(unit: WatchedUnit) -> None:
    unit.reads(1, TESTING, flags=ACCEPTABLE, self_test=RUNNING)
    unit.reads(10, ONLINE, flags=ACCEPTABLE, self_test=PASSED)
    unit.glances(69, TESTING)
    assert unit.reads(69.5, ONLINE, flags=ACCEPTABLE, self_test=PASSED) == []
    unit.glances(70, TESTING)
    assert unit.reads(80, ONLINE, flags=ACCEPTABLE, self_test=PASSED) == ["self_test_passed"]
