"""An outage while it goes on, and what it comes to. Durations go by the time since boot, so no set clock bends them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drivers.ups import Flag, State
from gateway.power import TEST_LIMIT, is_calibrating, is_testing
from gateway.seen import Seen
from gateway.trace import thinned
from gateway.wire import limits
from gateway.wire.messages import Clock
from gateway.wire.outage import OutageBody, Point

COUNTER_FROM_S = 60.0
"""Below this the energy counter's reading interval (5 s of load on mains at either end) weighs too much."""

_BAD_INPUT = frozenset({Flag.INPUT_NOT_ACCEPTABLE, Flag.POWER_FAILURE, Flag.INPUT_NOT_ACCEPTABLE_AT_INPUT})
_TEST_LIMIT_S = TEST_LIMIT.total_seconds()
_NUMBERS = ("input_v", "output_v", "load_pct", "charge_pct", "battery_v", "runtime_s", "energy_wh")


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an outage takes of a reading. Numbers are None unless they are as new as the state. `sure`: so is `at`."""

    at: int
    boot: str
    mono: int
    sure: bool
    state: State
    cause: str = ""
    test: bool = False
    calibration: bool = False
    bad_input: bool = False
    rating_w: float | None = None
    input_v: float | None = None
    output_v: float | None = None
    load_pct: float | None = None
    charge_pct: float | None = None
    battery_v: float | None = None
    runtime_s: float | None = None
    energy_wh: float | None = None

    @property
    def on_battery(self) -> bool:
        return self.state is State.ON_BATTERY


def sample_of(seen: Seen) -> Sample | None:
    """None for a reading that shows no state."""
    shown, stamp = seen.snapshot, seen.stamp
    if shown.state is None:
        return None
    numbers = {name: getattr(shown, name) for name in _NUMBERS} if seen.full else {}
    return Sample(
        at=stamp.at,
        boot=stamp.boot,
        mono=stamp.mono,
        sure=stamp.clock == Clock.SYNCHRONISED,
        state=shown.state,
        cause="" if shown.cause is None else shown.cause.value,
        test=is_testing(shown),
        calibration=is_calibrating(shown),
        bad_input=bool(shown.flags & _BAD_INPUT),
        rating_w=None if seen.identity is None else seen.identity.real_power_w,
        **numbers,
    )


def between_ms(earlier: Sample, later: Sample) -> int | None:
    """Milliseconds from one reading to a later one; None if another boot lies between."""
    return max(0, later.mono - earlier.mono) if later.boot == earlier.boot else None


class Energy(msgspec.Struct, omit_defaults=True):
    """Watt hours on battery. `counted`: of the unit's counter up to the last return; `first` and `last`: the counter
    before and in the stretch on battery that goes on; `estimated`: load times rating times time.
    """

    first: float | None = None
    last: float | None = None
    counted: float | None = None
    estimated: float | None = None
    settled: bool = False

    def read(self, counter_wh: float | None, *, on_battery: bool) -> None:
        """The counter runs on mains too: the first reading after a return is the last that counts."""
        if counter_wh is None:
            return
        if not on_battery and self.settled:
            self.first = counter_wh
            return
        self.last = counter_wh
        self.first = counter_wh if self.first is None else self.first
        if not on_battery:
            self.counted = self.total
            self.first, self.last, self.settled = counter_wh, None, True

    @property
    def total(self) -> float | None:
        if self.first is None or self.last is None or self.last < self.first:
            return self.counted
        return (self.counted or 0.0) + self.last - self.first


class Open(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An outage that is going on, as it is also kept on disk. `trace`: milliseconds since `began_at`.

    `returned_ms`: since when the unit is no longer on battery, and `ended` how it came to that.
    """

    id: str
    began_at: int
    sure: bool
    last: Sample
    cause: str
    test: bool
    expected_runtime_s: float | None = None
    energy: Energy = msgspec.field(default_factory=Energy)
    load_pct: float | None = None
    rating_w: float | None = None
    elapsed_ms: int = 0
    delivered_ms: int = 0
    returned_ms: int | None = None
    ended: str = ""
    lowest_input_v: float | None = None
    lowest_charge_pct: float | None = None
    lowest_battery_v: float | None = None
    lowest_runtime_s: float | None = None
    highest_load_pct: float | None = None
    resumed: bool = False
    readings: int = 0
    trace: list[Point] = []


def begin(new_id: str, sample: Sample, before: Sequence[Sample]) -> Open:
    """`before`: the last minute's readings, oldest first."""
    open_ = Open(
        id=new_id,
        began_at=sample.at,
        sure=sample.sure,
        last=sample,
        cause=sample.cause,
        test=_is_test(sample, 0.0),
        trace=[_point(each.mono - sample.mono, each) for each in before],
    )
    for each in before:
        open_.expected_runtime_s = each.runtime_s if each.runtime_s is not None else open_.expected_runtime_s
        open_.lowest_input_v = _lower(open_.lowest_input_v, each.input_v)  # a sag begins before the transfer
        open_.load_pct = each.load_pct if each.load_pct is not None else open_.load_pct
        open_.energy.first = each.energy_wh if each.energy_wh is not None else open_.energy.first
    _take(open_, sample)
    return open_


def follow(open_: Open, sample: Sample) -> None:
    """The next reading of an outage that goes on."""
    step_ms = between_ms(open_.last, sample)
    open_.resumed |= step_ms is None
    open_.elapsed_ms += step_ms or 0
    if open_.last.on_battery:
        open_.delivered_ms += step_ms or 0
        _estimate(open_, step_ms or 0)
    if sample.on_battery:
        open_.returned_ms, open_.energy.settled = None, False
        open_.test = open_.test and _is_test(sample, open_.delivered_ms / 1000)
    elif open_.returned_ms is None:
        open_.returned_ms = open_.elapsed_ms
        open_.ended = "output_off" if sample.state is State.OFF else "restored"
    open_.last = sample
    _take(open_, sample)


def body(open_: Open, ended: str) -> OutageBody:
    """`ended` where the end was not seen."""
    seen = open_.returned_ms is not None
    began_at = _began_at(open_)
    energy_wh, estimated = _energy(open_)
    length_ms = open_.elapsed_ms if open_.returned_ms is None else open_.returned_ms
    if open_.resumed and open_.sure and open_.last.sure:  # what lies between two boots the clock alone knows
        length_ms = max(length_ms, open_.last.at - began_at - (open_.elapsed_ms - length_ms))
    return OutageBody(
        id=open_.id,
        began_at=began_at,
        ended_at=min(began_at + length_ms, limits.INSTANT_MAX),
        ended=open_.ended if seen else ended,
        cause=open_.cause,
        test=open_.test,
        delivered_s=round(open_.delivered_ms / 1000, 1),
        expected_runtime_s=open_.expected_runtime_s,
        lowest_input_v=open_.lowest_input_v,
        lowest_charge_pct=open_.lowest_charge_pct,
        lowest_battery_v=open_.lowest_battery_v,
        lowest_runtime_s=open_.lowest_runtime_s,
        highest_load_pct=open_.highest_load_pct,
        energy_wh=energy_wh,
        energy_estimated=estimated,
        resumed=open_.resumed,
        readings=open_.readings,
        trace=thinned(open_.trace, limits.TRACE_POINTS),
    )


def _began_at(open_: Open) -> int:
    """By the clock as it is now, if it was set since and one boot saw it all."""
    was_set = open_.last.sure and not open_.sure and not open_.resumed
    return max(0, open_.last.at - open_.elapsed_ms) if was_set else open_.began_at


def _take(open_: Open, sample: Sample) -> None:
    open_.readings += 1
    open_.trace.append(_point(open_.elapsed_ms, sample))
    if len(open_.trace) > 2 * limits.TRACE_POINTS:
        open_.trace = thinned(open_.trace, limits.TRACE_POINTS)
    open_.energy.read(sample.energy_wh, on_battery=sample.on_battery)
    open_.rating_w = sample.rating_w if sample.rating_w is not None else open_.rating_w
    open_.lowest_input_v = _lower(open_.lowest_input_v, sample.input_v)
    if not sample.on_battery:
        return
    open_.lowest_charge_pct = _lower(open_.lowest_charge_pct, sample.charge_pct)
    open_.lowest_battery_v = _lower(open_.lowest_battery_v, sample.battery_v)
    open_.lowest_runtime_s = _lower(open_.lowest_runtime_s, sample.runtime_s)
    if sample.load_pct is not None:
        open_.load_pct = sample.load_pct
        open_.highest_load_pct = max(sample.load_pct, open_.highest_load_pct or 0.0)


def _estimate(open_: Open, step_ms: int) -> None:
    if open_.load_pct is not None and open_.rating_w is not None:
        drawn_wh = open_.load_pct / 100 * open_.rating_w * step_ms / 3_600_000
        open_.energy.estimated = (open_.energy.estimated or 0.0) + drawn_wh


def _energy(open_: Open) -> tuple[float | None, bool]:
    """Watt hours drawn on battery, and whether they are an estimate."""
    counted, estimated = open_.energy.total, open_.energy.estimated
    if counted is not None and (estimated is None or open_.delivered_ms / 1000 >= COUNTER_FROM_S):
        return round(counted, 1), False
    return (None, False) if estimated is None else (round(estimated, 1), True)


def _is_test(sample: Sample, delivered_s: float) -> bool:
    """S19: a test is an outage once the input is bad or it lasts too long; a calibration may last."""
    return not sample.bad_input and (sample.calibration or (sample.test and delivered_s <= _TEST_LIMIT_S))


def _point(ms: int, sample: Sample) -> Point:
    shown = (None if value is None else round(value, 1) for value in _plotted(sample))
    input_v, output_v, load_pct, charge_pct = shown
    return ms, input_v, output_v, load_pct, charge_pct, sample.on_battery


def _plotted(sample: Sample) -> tuple[float | None, ...]:
    return sample.input_v, sample.output_v, sample.load_pct, sample.charge_pct


def _lower(lowest: float | None, value: float | None) -> float | None:
    return value if lowest is None else lowest if value is None else min(lowest, value)
