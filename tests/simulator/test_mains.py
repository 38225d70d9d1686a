from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Cause, Flag
from simulator.mains import Limits, Mains, Verdict, judge, wander

LINE_INTERACTIVE = Limits(
    nominal_v=120, nominal_hz=60, low_v=106, high_v=127, boosts=(1.12, 1.29), trims=(0.88,), sensitivity="normal"
)
DOUBLE = Limits(nominal_v=120, nominal_hz=60, low_v=60, high_v=150, frequency="auto")


def verdict(
    volts: float = 120, hertz: float = 60, *, limits: Limits = LINE_INTERACTIVE, ratio: float = 1.0, **more: float
) -> Verdict:
    mains = Mains(voltage_v=volts, frequency_hz=hertz, distortion_pct=more.get("distortion_pct", 0.0))
    return judge(mains, limits, ratio, frozenset())


@pytest.mark.parametrize(
    ("volts", "ratio"), [(120, 1), (106, 1), (127, 1), (105, 1.12), (95, 1.12), (94, 1.29), (83, 1.29), (128, 0.88)]
)
def test_the_regulator_takes_the_smallest_step_that_keeps_the_output_between_the_transfer_points(
    volts: float, ratio: float
) -> None:
    given_ratio = verdict(volts).ratio
    assert given_ratio == ratio
    assert 106 <= volts * given_ratio <= 127


@pytest.mark.parametrize(
    ("volts", "cause", "flag"),
    [
        (0, Cause.LOW_INPUT_VOLTAGE, Flag.INPUT_VOLTAGE_LOW),
        (81, Cause.LOW_INPUT_VOLTAGE, Flag.INPUT_VOLTAGE_LOW),
        (145, Cause.HIGH_INPUT_VOLTAGE, Flag.INPUT_VOLTAGE_HIGH),
    ],
)
def test_beyond_what_it_can_boost_or_trim_the_voltage_is_refused(volts: float, cause: Cause, flag: Flag) -> None:
    assert verdict(volts) == Verdict(cause, frozenset({flag}))


def test_boost_and_trim_are_told_by_their_flags() -> None:
    assert verdict(100).flags == {Flag.AVR_BOOST}
    assert verdict(130).flags == {Flag.AVR_TRIM}


def test_the_regulator_lets_go_later_than_it_takes_hold() -> None:
    assert verdict(107, ratio=1.0).ratio == 1
    assert verdict(107, ratio=1.12).ratio == 1.12
    assert verdict(109, ratio=1.12).ratio == 1
    assert verdict(126, ratio=0.88).ratio == 0.88
    assert verdict(124, ratio=0.88).ratio == 1


def test_without_a_regulator_only_what_lies_between_the_limits_is_taken() -> None:
    assert verdict(61, limits=DOUBLE) == Verdict()
    assert verdict(59, limits=DOUBLE).cause is Cause.LOW_INPUT_VOLTAGE
    assert verdict(151, limits=DOUBLE).cause is Cause.HIGH_INPUT_VOLTAGE


@pytest.mark.parametrize(
    ("hertz", "cause"),
    [(57, None), (63, None), (56.9, Cause.LOW_INPUT_FREQUENCY), (63.1, Cause.HIGH_INPUT_FREQUENCY)],
)
def test_frequency_is_taken_within_three_hertz_of_nominal(hertz: float, cause: Cause | None) -> None:
    assert verdict(hertz=hertz).cause is cause


def test_the_frequency_setting_narrows_what_is_taken() -> None:
    narrow = msgspec.structs.replace(DOUBLE, frequency="60 Hz +-0.1")
    assert verdict(hertz=60.05, limits=narrow).cause is None
    assert verdict(hertz=60.2, limits=narrow).cause is Cause.HIGH_INPUT_FREQUENCY


def test_less_sensitive_is_more_distortion_borne() -> None:
    refused = [
        sensitivity
        for sensitivity in ("normal", "reduced", "low")
        if verdict(distortion_pct=16, limits=msgspec.structs.replace(LINE_INTERACTIVE, sensitivity=sensitivity)).cause
        is Cause.DISTORTED_INPUT
    ]
    assert refused == ["normal"]


def test_a_notch_is_a_rapid_change_unless_sensitivity_is_low() -> None:
    notched = Mains(voltage_v=120, frequency_hz=60, notch=True)
    assert judge(notched, LINE_INTERACTIVE, 1, frozenset()).cause is Cause.RAPID_INPUT_VOLTAGE_CHANGE
    dull = msgspec.structs.replace(LINE_INTERACTIVE, sensitivity="low")
    assert judge(notched, dull, 1, frozenset()).cause is None


@given(st.floats(0, 400), st.sampled_from([1.0, 1.12, 1.29, 0.88]))
def test_any_voltage_is_either_refused_with_a_cause_or_brought_between_the_limits(volts: float, held: float) -> None:
    found = verdict(volts, ratio=held)
    if found.cause is None:
        assert 106 <= volts * found.ratio <= 127
    else:
        assert found.cause in (Cause.LOW_INPUT_VOLTAGE, Cause.HIGH_INPUT_VOLTAGE)
        assert not 106 <= volts <= 127


def test_readings_stand_still_without_a_seed_and_wander_little_with_one() -> None:
    assert {wander(t, 0, 0.01) for t in range(100)} == {1.0}
    wandering = [wander(t, 7, 0.01) for t in range(100)]
    assert len(set(wandering)) > 50
    assert all(0.99 <= factor <= 1.01 for factor in wandering)
    assert wander(12.5, 7, 0.01) == wander(12.5, 7, 0.01)
