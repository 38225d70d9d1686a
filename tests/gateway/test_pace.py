"""How often a unit is asked (S4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import LineCounters
from drivers.open import open_driver
from gateway.pace import CLEAN_RATE, CLEAN_S, DEAD_RATE, ERROR_RATE, WINDOW_REQUESTS, Pace, begun, encode, judged

GENTLE_S = 2.0


def counted(requests: int, timeouts: int) -> LineCounters:
    return LineCounters(requests=requests, answers=requests - timeouts, timeouts=timeouts)


def after_windows(pace: Pace, *errors: int) -> Pace:
    requests = timeouts = 0
    for count in errors:
        requests, timeouts = requests + WINDOW_REQUESTS, timeouts + count
        pace = judged(pace, counted(requests, timeouts), GENTLE_S, now_s=0.0)
    return pace


@pytest.mark.parametrize(
    ("url", "fast_s", "full_s"),
    [
        ("modbus+rtu:///dev/ttyUSB0", 1.0, 5.0),
        ("modbus+tcp://10.0.0.5", 2.0, 6.0),
        ("modbus+tcp://10.0.0.5?nmc=true", 3.0, 9.0),
    ],
)
def test_s4_without_the_owners_word_a_unit_is_asked_gently(url: str, fast_s: float, full_s: float) -> None:
    pace = open_driver(url).pace
    assert (pace.fast_s, pace.full_s) == (fast_s, full_s)


def test_s4_many_errors_halve_the_pace_until_it_is_gentle() -> None:
    pace = begun(0.5, None)
    assert after_windows(pace, 10).fast_s == 1.0
    assert after_windows(pace, 10, 10).fast_s == 2.0
    assert after_windows(pace, 10, 10, 10).fast_s == GENTLE_S


def test_s4_a_good_line_keeps_the_owners_pace_and_a_dead_one_teaches_nothing() -> None:
    pace = begun(0.5, None)
    assert after_windows(pace, int(WINDOW_REQUESTS * ERROR_RATE) - 1).fast_s == 0.5
    assert after_windows(pace, int(WINDOW_REQUESTS * DEAD_RATE) + 1).fast_s == 0.5
    assert after_windows(pace, WINDOW_REQUESTS).fast_s == 0.5


def test_s4_the_pace_learnt_is_remembered_until_the_owner_asks_for_another() -> None:
    learnt = encode(after_windows(begun(0.5, None), 10))
    assert begun(0.5, learnt).fast_s == 1.0
    assert begun(0.2, learnt).fast_s == 0.2


def test_a_window_that_is_not_full_decides_nothing() -> None:
    pace = begun(0.5, None)
    assert judged(pace, counted(WINDOW_REQUESTS - 1, 50), GENTLE_S, now_s=0.0) == pace


def test_a_day_without_errors_is_worth_one_try_of_the_faster_pace() -> None:
    pace = begun(0.25, encode(Pace(asked_s=0.25, fast_s=2.0)))
    requests = 0
    seen = []
    for hour in range(76):
        requests += WINDOW_REQUESTS
        pace = judged(pace, counted(requests, 0), GENTLE_S, now_s=hour * 3600.0)
        seen.append(pace.fast_s)
    assert [seen[hour] for hour in (0, 23, 24, 47, 48, 71, 72, 75)] == [2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


@given(st.integers(2, WINDOW_REQUESTS), st.integers(0, 23))
def test_s4_errors_begin_the_day_anew(timeouts: int, hour: int) -> None:
    assert timeouts / WINDOW_REQUESTS > CLEAN_RATE
    pace = Pace(asked_s=0.25, fast_s=2.0)
    pace = judged(pace, counted(WINDOW_REQUESTS, 0), GENTLE_S, now_s=0.0)
    pace = judged(pace, counted(2 * WINDOW_REQUESTS, timeouts), GENTLE_S, now_s=hour * 3600.0)
    assert judged(pace, counted(3 * WINDOW_REQUESTS, timeouts), GENTLE_S, now_s=CLEAN_S).fast_s == 2.0


@given(st.binary())
def test_anything_on_disk_gives_a_pace(kept: bytes) -> None:
    assert begun(1.0, kept).fast_s >= 1.0
