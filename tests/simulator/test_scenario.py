from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SettingsError
from config.settings import decode
from simulator.scenario import Scenario, Step

OUTAGE = Scenario(steps=(Step(at=40, do="mains on"), Step(at=10, do="mains off")), repeat_every=60)


def test_steps_come_in_the_order_of_time_and_over_again() -> None:
    assert OUTAGE.between(-1, 130) == [
        (10, "mains off"),
        (40, "mains on"),
        (70, "mains off"),
        (100, "mains on"),
        (130, "mains off"),
    ]


def test_without_repetition_steps_are_played_once() -> None:
    once = Scenario(steps=OUTAGE.steps)
    assert once.between(-1, 1e6) == [(10, "mains off"), (40, "mains on")]


@given(st.lists(st.floats(0.01, 50), min_size=1, max_size=20))
def test_however_time_is_cut_each_step_is_played_exactly_once(cuts: list[float]) -> None:
    played: list[tuple[float, str]] = []
    now_s = -1.0
    for cut in cuts:
        played += OUTAGE.between(now_s, now_s + cut)
        now_s += cut
    assert played == OUTAGE.between(-1, now_s)


def test_a_step_longer_after_its_round_than_the_repetition_is_still_played() -> None:
    late = Scenario(steps=(Step(at=0, do="a"), Step(at=15, do="b")), repeat_every=10)
    assert [do for _, do in late.between(14, 26)] == ["b", "a", "b"]


def test_an_empty_scenario_does_nothing() -> None:
    assert Scenario().between(-1, 1e9) == []


def test_a_scenario_is_read_from_yaml() -> None:
    text = "repeat_every: 60\nsteps:\n  - {at: 10, do: mains off}\n  - {at: 40, do: mains on}\n"
    assert decode(text, Scenario, "s.yaml") == Scenario(
        steps=(Step(at=10, do="mains off"), Step(at=40, do="mains on")), repeat_every=60
    )


def test_a_wrong_step_is_told_by_its_place() -> None:
    with pytest.raises(SettingsError, match=r"s\.yaml:2:8: steps\[0\]\.at"):
        decode("steps:\n- {at: soon, do: mains off}\n", Scenario, "s.yaml")
