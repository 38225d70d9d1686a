"""The mains, and a unit's judgement of it: acceptable or not, why, and what its regulator does about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from drivers.ups import Cause, Flag

NO_VOLTAGE = 0.1
"""Under this share of nominal there is no mains, and so no frequency to judge."""
DISTORTED_PCT = 40.0
"""What `mains distorted` sets: a square-ish wave that every sensitivity refuses."""
TOLERATED_DISTORTION_PCT: Mapping[str | None, float] = MappingProxyType(
    {"normal": 12.0, "reduced": 20.0, "low": 30.0, None: 30.0}
)
"""By the sensitivity setting (1028); our inference: AN176 names the three steps and no figure."""
TIGHT_HZ: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "50 Hz +-0.1": (50, 0.1),
        "50 Hz +-1": (50, 1),
        "50 Hz +-3": (50, 3),
        "60 Hz +-0.1": (60, 0.1),
        "60 Hz +-1": (60, 1),
        "60 Hz +-3": (60, 3),
    }
)
"""Register 593's choices; any other value is automatic: 47 to 53 or 57 to 63 Hz (SRT-DOC)."""
AUTO_HZ = 3.0
AVR_HYSTERESIS = 0.02
"""The regulator lets go this share of nominal inside the point at which it took hold."""


class Bypass(StrEnum):
    """Why the mains feed the output directly."""

    COMMANDED = "commanded"
    FAULT = "fault"
    UPGRADE = "upgrade"


class Mains(msgspec.Struct, frozen=True, kw_only=True):
    """The input as it is set: volts, hertz, distortion in percent, and whether it is in a sudden notch."""

    voltage_v: float
    frequency_hz: float
    distortion_pct: float = 0.0
    notch: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit takes from the mains, by its model and its owner's settings.

    `low_v` to `high_v` is what its output may be: a line-interactive unit boosts and trims by these ratios to
    keep within it; one without ratios takes what lies between. `loss_cause`: what it calls mains that are gone.
    """

    nominal_v: float
    nominal_hz: float
    low_v: float
    high_v: float
    boosts: tuple[float, ...] = ()
    trims: tuple[float, ...] = ()
    sensitivity: str | None = None
    frequency: str | None = None
    loss_cause: Cause = Cause.LOW_INPUT_VOLTAGE


class Verdict(msgspec.Struct, frozen=True):
    """`cause` is None for good input; `flags` say what is wrong; the output is `ratio` x the input."""

    cause: Cause | None = None
    flags: frozenset[Flag] = frozenset()
    ratio: float = 1.0


WIRING_CAUSES: Mapping[Flag, Cause] = MappingProxyType(
    {
        Flag.INPUT_NEUTRAL_MISSING: Cause.INPUT_NEUTRAL_NOT_CONNECTED,
        Flag.INPUT_PHASE_DELTA: Cause.INPUT_PHASE_DELTA_OUT_OF_RANGE,
        Flag.INPUT_NOT_LOCKED: Cause.FREQUENCY_OR_PHASE_DIFFERENCE,
        Flag.INPUT_DISTORTED: Cause.DISTORTED_INPUT,
        Flag.INPUT_PLUG_RATING_EXCEEDED: Cause.PLUG_RATING_EXCEEDED,
    }
)
"""Faults of the supply that make it unacceptable whatever its voltage."""


def judge(mains: Mains, limits: Limits, held_ratio: float, faults: frozenset[Flag]) -> Verdict:
    """Judge the input. `held_ratio` is the regulator's present ratio, for its hysteresis."""
    for flag, cause in WIRING_CAUSES.items():
        if flag in faults:
            return Verdict(cause, frozenset({flag}))
    if mains.voltage_v < NO_VOLTAGE * limits.nominal_v:
        return Verdict(limits.loss_cause, frozenset({Flag.INPUT_VOLTAGE_LOW}))
    if mains.notch and limits.sensitivity != "low":
        return Verdict(Cause.RAPID_INPUT_VOLTAGE_CHANGE, frozenset({Flag.INPUT_DISTORTED}))
    ratio = _regulate(mains.voltage_v, limits, held_ratio)
    if isinstance(ratio, Verdict):
        return ratio
    return _judge_wave(mains, limits) or Verdict(flags=_regulator_flags(ratio), ratio=ratio)


def _regulate(volts: float, limits: Limits, held_ratio: float) -> float | Verdict:
    """The smallest step that brings the output between the limits, or what is wrong with the voltage."""
    slack = AVR_HYSTERESIS * limits.nominal_v if held_ratio != 1 else 0.0
    if limits.low_v + slack * (held_ratio > 1) <= volts <= limits.high_v - slack * (held_ratio < 1):
        return 1.0
    low = volts < limits.nominal_v
    for ratio in limits.boosts if low else limits.trims:
        if limits.low_v <= volts * ratio <= limits.high_v:
            return ratio
    if limits.low_v <= volts <= limits.high_v:
        return 1.0
    if low:
        return Verdict(Cause.LOW_INPUT_VOLTAGE, frozenset({Flag.INPUT_VOLTAGE_LOW}))
    return Verdict(Cause.HIGH_INPUT_VOLTAGE, frozenset({Flag.INPUT_VOLTAGE_HIGH}))


def _judge_wave(mains: Mains, limits: Limits) -> Verdict | None:
    """What is wrong with frequency or shape, if anything."""
    centre, width = _frequency_window(limits)
    if mains.frequency_hz < centre - width:
        return Verdict(Cause.LOW_INPUT_FREQUENCY, frozenset({Flag.INPUT_FREQUENCY_LOW}))
    if mains.frequency_hz > centre + width:
        return Verdict(Cause.HIGH_INPUT_FREQUENCY, frozenset({Flag.INPUT_FREQUENCY_HIGH}))
    if mains.distortion_pct > TOLERATED_DISTORTION_PCT[limits.sensitivity]:
        return Verdict(Cause.DISTORTED_INPUT, frozenset({Flag.INPUT_DISTORTED}))
    return None


def _frequency_window(limits: Limits) -> tuple[float, float]:
    """Centre and half-width of the accepted frequencies; automatic means around the nominal one."""
    return TIGHT_HZ.get(limits.frequency or "", (limits.nominal_hz, AUTO_HZ))


def _regulator_flags(ratio: float) -> frozenset[Flag]:
    if ratio == 1:
        return frozenset()
    return frozenset({Flag.AVR_BOOST if ratio > 1 else Flag.AVR_TRIM})


def wander(now_s: float, seed: int, share: float) -> float:
    """A factor near 1 that drifts by `share` as real readings do, the same at the same instant; 1 for seed 0."""
    if not seed:
        return 1.0
    waves = ((7.0, 0.5), (31.0, 0.3), (113.0, 0.2))
    drift = sum(size * math.sin(now_s * math.tau / period + seed * period) for period, size in waves)
    return 1 + share * drift
