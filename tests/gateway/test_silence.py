from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Severity
from gateway.silence import failed
from tests.gateway.watched_unit import ON_BATTERY, ONLINE, WatchedUnit, moment


@pytest.fixture
def unit() -> WatchedUnit:
    watched = WatchedUnit()
    watched.reads(0, ONLINE)
    return watched


def test_s20_a_unit_is_lost_after_three_failed_polls_and_fifteen_seconds(unit: WatchedUnit) -> None:
    assert unit.is_silent(5, 5) == []
    assert unit.is_silent(10, 10) == []
    assert unit.is_silent(14, 14.9) == []
    assert unit.is_silent(15, 15) == ["communication_lost"]
    assert unit.events[0].details == {"failed_polls": 4, "silent_s": 15, "last_state": "online"}
    assert (unit.events[0].severity, unit.events[0].after) == (Severity.WARNING, moment(0))


def test_s20_one_poll_that_takes_long_to_fail_is_not_three(unit: WatchedUnit) -> None:
    assert unit.is_silent(60, 60) == []
    assert unit.is_silent(120, 120) == []
    assert unit.is_silent(180, 180) == ["communication_lost"]


def test_s3_a_lost_unit_is_told_with_the_name_under_which_it_answers_now(unit: WatchedUnit) -> None:
    unit.is_silent(5, 5)
    unit.is_silent(10, 10)
    _, events = failed(unit.state, moment(20), silent_s=20, answers_at="rack-2")
    assert events[0].details["answers_at"] == "rack-2"


def test_a_good_answer_between_failures_starts_the_count_anew(unit: WatchedUnit) -> None:
    unit.is_silent(10, 10)
    unit.is_silent(12, 12)
    unit.reads(13, ONLINE)
    assert unit.is_silent(30, 17) == []


def test_s20_silence_on_battery_is_critical(unit: WatchedUnit) -> None:
    unit.reads(1, ON_BATTERY)
    for second in (10, 15, 20):
        unit.is_silent(second, second)
    assert unit.events[-1].type == "communication_lost"
    assert unit.events[-1].severity is Severity.CRITICAL


def test_loss_and_return_are_told_once_with_how_long_it_was(unit: WatchedUnit) -> None:
    for second in range(2, 100, 2):
        unit.is_silent(second, second)
    assert unit.reads(100, ONLINE) == ["communication_restored"]
    assert unit.events[-1].details == {"silent_s": 100}
    assert unit.reads(101, ONLINE) == []
    assert unit.told == ["communication_lost", "communication_restored"]


def test_a_restart_does_not_repeat_a_loss(unit: WatchedUnit) -> None:
    for second in (10, 15, 20):
        unit.is_silent(second, second)
    unit.restarts()
    for second in (110, 115, 120):
        assert unit.is_silent(second, second) == []
    assert unit.reads(130, ONLINE) == ["communication_restored"]


def test_what_happened_during_the_silence_is_found_afterwards(unit: WatchedUnit) -> None:
    for second in (10, 15, 20):
        unit.is_silent(second, second)
    assert unit.reads(300, ON_BATTERY) == ["communication_restored", "on_battery"]
    assert (unit.events[-1].found_afterwards, unit.events[-1].after) == (True, moment(0))


def test_a_unit_that_never_answered_is_told_too() -> None:
    unit = WatchedUnit()
    for second in (2, 10):
        assert unit.is_silent(second, second) == []
    assert unit.is_silent(20, 20) == ["communication_lost"]
    assert unit.reads(50, ONLINE) == ["communication_restored"]
    assert unit.events[-1].details == {"silent_s": 30}


@given(st.lists(st.one_of(st.just("answer"), st.just("restart"), st.floats(0, 100)), max_size=60))
def test_losses_and_returns_alternate_whatever_happens(script: list[str | float]) -> None:
    unit = WatchedUnit()
    for second, what in enumerate(script):
        if what == "answer":
            unit.reads(second, ONLINE)
        elif what == "restart":
            unit.restarts()
        elif isinstance(what, float):
            unit.is_silent(second, what)
    expected = ["communication_lost", "communication_restored"] * len(unit.told)
    assert unit.told == expected[: len(unit.told)]
