"""When a unit is read, on a line whose time is short (S4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pace import Pace
from gateway.silence import FAILED_POLLS, SILENT_S
from gateway.tempo import (
    AROUND_S,
    FASTER_AT_MOST,
    FASTEST_S,
    FULL_SHARE,
    LONGEST_FULL_S,
    LONGEST_WAIT_ON_BATTERY_S,
    LONGEST_WAIT_S,
    SHARE_AROUND,
    Tempo,
)

RTU_FAST_S, RTU_FULL_S = 0.05, 0.3
"""About what the two readings take at 9600 baud."""

durations = st.floats(0.001, 5.0)
paces = st.floats(FASTEST_S, 60.0)


def as_asked(fast_s: float) -> Pace:
    return Pace(asked_s=fast_s, fast_s=fast_s)


def rtu(full_s: float = 5.0, **how: bool) -> Tempo:
    tempo = Tempo(1.0, full_s, **how)
    tempo.took(False, RTU_FAST_S, 0.0)
    tempo.took(True, RTU_FULL_S, 0.0)
    return tempo


@pytest.mark.parametrize("fast_s", [1.0, 2.0, 60.0])
def test_s4_undisturbed_a_unit_is_read_as_asked(fast_s: float) -> None:
    tempo = rtu()
    assert tempo.next_s(as_asked(fast_s), 100.0, on_battery=False) == fast_s
    assert tempo.full_every_s(as_asked(fast_s), 100.0, on_battery=False) == 5.0


def test_looks_five_times_a_second_make_full_readings_rarer_but_never_the_owners_own() -> None:
    assert rtu().full_every_s(as_asked(0.2), 100.0, on_battery=False) == pytest.approx(RTU_FULL_S / FULL_SHARE)
    assert rtu(owners=True).full_every_s(as_asked(0.2), 100.0, on_battery=False) == 5.0
    slow = Tempo(1.0, 5.0)
    slow.took(True, 4.0, 0.0)
    assert slow.full_every_s(as_asked(0.2), 100.0, on_battery=False) == LONGEST_FULL_S


def test_a_full_reading_keeps_to_the_grid_of_looks() -> None:
    tempo = rtu()
    assert not tempo.full_is_due(as_asked(1.0), 4.4, on_battery=False)
    assert tempo.full_is_due(as_asked(1.0), 4.6, on_battery=False)
    tempo.want_full()
    assert tempo.full_is_due(as_asked(1.0), 0.0, on_battery=False)


def test_a_transfer_makes_looks_more_frequent_for_a_minute() -> None:
    tempo = rtu()
    tempo.transferred(100.0)
    hurried_s = tempo.next_s(as_asked(1.0), 100.0 + AROUND_S - 0.1, on_battery=True)
    assert hurried_s == pytest.approx(RTU_FAST_S / (SHARE_AROUND / 2))
    assert tempo.next_s(as_asked(1.0), 100.0 + AROUND_S, on_battery=True) == 1.0


def test_on_battery_all_is_read_more_often_as_far_as_a_quarter_of_the_line_allows() -> None:
    tempo = rtu()
    assert tempo.full_every_s(as_asked(1.0), 100.0, on_battery=True) == pytest.approx(RTU_FULL_S / SHARE_AROUND)
    tempo.transferred(100.0)
    assert tempo.full_every_s(as_asked(1.0), 100.0, on_battery=True) == pytest.approx(RTU_FULL_S / SHARE_AROUND * 2)


@given(durations, durations, paces, st.floats(0, AROUND_S - 0.01), st.booleans())
def test_a_hurry_takes_at_most_a_quarter_of_the_lines_time_and_is_never_slower_than_asked(
    fast_read_s: float, full_read_s: float, fast_s: float, later_s: float, on_battery: bool
) -> None:
    tempo, pace = Tempo(fast_s, max(5.0, fast_s)), as_asked(fast_s)
    tempo.took(False, fast_read_s, 0.0)
    tempo.took(True, full_read_s, 0.0)
    tempo.transferred(0.0)
    every_s = tempo.next_s(pace, later_s, on_battery)
    full_every_s = tempo.full_every_s(pace, later_s, on_battery)
    assert FASTEST_S <= every_s <= fast_s
    assert full_every_s <= tempo.full_s
    if every_s < fast_s:
        assert fast_read_s / every_s <= SHARE_AROUND / 2 + 1e-9
        assert every_s >= fast_s / FASTER_AT_MOST
    if full_every_s < tempo.full_s:
        assert full_read_s / full_every_s <= SHARE_AROUND / 2 + 1e-9


@given(durations, paces, paces)
def test_s4_a_line_that_took_haste_badly_is_never_hurried(read_s: float, asked_s: float, more_s: float) -> None:
    tempo, pace = Tempo(asked_s, 60.0), Pace(asked_s=asked_s, fast_s=asked_s + more_s)
    tempo.took(False, read_s, 0.0)
    tempo.transferred(0.0)
    assert tempo.next_s(pace, 1.0, on_battery=True) == pace.fast_s


def test_s4_a_connection_for_each_request_is_never_hurried() -> None:
    tempo = rtu(hurries=False)
    tempo.transferred(0.0)
    assert tempo.next_s(as_asked(10.0), 1.0, on_battery=True) == 10.0


@given(st.lists(st.booleans(), max_size=40), paces, st.booleans())
def test_a_unit_that_fails_is_asked_less_and_less_and_at_its_pace_once_it_answers(
    polls: list[bool], fast_s: float, on_battery: bool
) -> None:
    tempo, pace = Tempo(fast_s, 60.0), as_asked(fast_s)
    before_s = fast_s
    for answered in polls:
        if answered:
            tempo.answered()
        else:
            tempo.failed(lost=True)
        wait_s = tempo.next_s(pace, 0.0, on_battery)
        longest_s = LONGEST_WAIT_ON_BATTERY_S if on_battery else LONGEST_WAIT_S
        assert wait_s == fast_s if answered else before_s <= wait_s <= max(longest_s, fast_s)
        assert answered or wait_s > before_s or wait_s >= min(longest_s, 60.0)
        before_s = wait_s


def test_s20_a_unit_is_asked_at_its_pace_until_it_counts_as_lost() -> None:
    tempo = rtu()
    for _ in range(max(FAILED_POLLS, int(SILENT_S))):
        tempo.failed(lost=False)
        assert tempo.next_s(as_asked(1.0), 0.0, on_battery=False) == 1.0


def test_a_slow_answer_counts_at_once_and_is_forgotten_by_and_by() -> None:
    tempo = rtu()
    tempo.took(False, 0.1, 1.0)
    tempo.transferred(1.0)
    assert tempo.next_s(as_asked(1.0), 1.0, on_battery=True) == pytest.approx(0.8)
    for _ in range(30):
        tempo.took(False, RTU_FAST_S, 2.0)
    assert tempo.next_s(as_asked(1.0), 2.0, on_battery=True) == pytest.approx(0.4, rel=0.01)
