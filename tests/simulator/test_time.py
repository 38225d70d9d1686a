"""The unit's way through time: the same whoever steps it, and exact about instants."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.orders import Task

from .bench import look, mains, second, tell, unit_of, wait

deeds = st.lists(
    st.tuples(
        st.floats(0.001, 900),
        st.sampled_from(["off", "on", "sag", "swell", "test", "shutdown", "load", "calibrate", "fast"]),
    ),
    max_size=8,
)


def _play(script: list[tuple[float, str]], pieces: int) -> object:
    unit = unit_of(load_pct=60, charge_pct=100)
    for seconds, deed in script:
        match deed:
            case "off":
                mains(unit, 0)
            case "on":
                mains(unit)
            case "sag":
                mains(unit, 100)
            case "swell":
                mains(unit, 160)
            case "test":
                tell(unit, Task.SELF_TEST)
            case "calibrate":
                tell(unit, Task.CALIBRATION)
            case "shutdown":
                tell(unit, Task.REQUEST_SHUTDOWN)
            case "load":
                unit.set_load(110)
            case "fast":
                unit.set_temperature(battery_c=40)
        for _ in range(pieces):
            wait(unit, seconds / pieces)
    return unit


@settings(max_examples=40, deadline=None)
@given(deeds, st.integers(2, 7))
def test_time_handed_in_by_pieces_gives_the_same_history_as_time_handed_in_at_once(
    script: list[tuple[float, str]], pieces: int
) -> None:
    once, split = _play(script, 1), _play(script, pieces)
    one, other = once.history.since(), split.history.since()  # type: ignore[attr-defined]  # both are units
    assert [(c.kind, c.name, c.old, c.new) for c in one] == [(c.kind, c.name, c.old, c.new) for c in other]
    assert [second(c) for c in other] == pytest.approx([second(c) for c in one], abs=0.1)


@settings(max_examples=25, deadline=None)
@given(st.floats(20, 100), st.floats(30, 100))
def test_the_runtime_a_unit_states_is_the_time_it_then_takes_to_drain(load_pct: float, charge_pct: float) -> None:
    unit = unit_of(load_pct=load_pct, charge_pct=charge_pct)
    stated_s = look(unit).runtime_s
    assert stated_s is not None
    mains(unit, 0)
    wait(unit, 2 * stated_s)
    off = next(c for c in unit.history.since() if c.new == "off")
    assert second(off) == pytest.approx(stated_s, rel=0.06)


def test_numbers_of_the_history_rise_by_one_and_its_instants_never_fall() -> None:
    unit = unit_of()
    for _ in range(5):
        mains(unit, 0)
        wait(unit, 7.7)
        mains(unit)
        wait(unit, 7.7)
    told = unit.history.since()
    assert [change.number for change in told] == list(range(1, len(told) + 1))
    assert [change.at for change in told] == sorted(change.at for change in told)


def test_an_advance_into_the_past_changes_nothing() -> None:
    unit = unit_of()
    wait(unit, 10)
    unit.advance(3)
    assert unit.now_s == 10


def test_seeded_readings_wander_and_state_does_not() -> None:
    unit = unit_of()
    unit.seed = 5
    seen = [wait(unit, 1) for _ in range(20)]
    assert len({snapshot.input_v for snapshot in seen}) > 10
    assert len({snapshot.flags for snapshot in seen}) == 1
    assert len(unit.history.since()) == 0
