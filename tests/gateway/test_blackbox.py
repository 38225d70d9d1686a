"""The black box against scripts of readings, against the simulator's physics, and against anything at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Flag, Identity, Snapshot, State
from gateway.blackbox import AFTER_MS, BEFORE_MS, SILENT_MS, UnitBox, kept
from gateway.outage import sample_of
from gateway.records import record
from gateway.seen import Seen
from gateway.trace import thinned
from gateway.wire import limits
from gateway.wire.codec import encode_record
from gateway.wire.messages import Clock, Kind, Stamp
from gateway.wire.outage import OutageBody, Point
from tests.drivers.faulty_unit import faulty_unit
from tests.gateway.watched_unit import OFF, ON_BATTERY, ONLINE, START, reading

EPOCH_MS = 1_795_000_000_000
RATED = Identity(serial="AS1", real_power_w=1000)


def seen(
    second: float,
    shown: Snapshot,
    *,
    boot: str = "b1",
    at_ms: int | None = None,
    full: bool = True,
    clock: Clock = Clock.SYNCHRONISED,
) -> Seen:
    mono = round(second * 1000)
    stamp = Stamp(at=EPOCH_MS + mono if at_ms is None else at_ms, boot=boot, mono=mono, clock=clock.value)
    return Seen(unit="rack-1", snapshot=shown, full=full, identity=RATED, stamp=stamp)


class Watched:
    """A box that is fed by the second."""

    def __init__(self) -> None:
        self.box = UnitBox()
        self.over: list[OutageBody] = []

    def reads(self, second: float, word: int, *, boot: str = "b1", full: bool = True, **values: object) -> None:
        self.takes(seen(second, reading(second, word, **values), boot=boot, full=full))  # type: ignore[arg-type]  # readings

    def takes(self, one: Seen) -> None:
        sample = sample_of(one)
        if sample is not None and (over := self.box.seen(sample, f"{len(self.over):016x}")) is not None:
            self.over.append(over)

    def restarts(self) -> None:
        fresh = UnitBox()
        if self.box.going_on is not None:
            assert fresh.resume(kept(self.box.going_on))
        self.box = fresh


def outage(watched: Watched, *, lasting_s: int = 90, from_s: int = 100) -> None:
    """A minute of mains, then `lasting_s` on battery at 50 % of 1000 W, then mains."""
    for second in range(from_s - 70, from_s, 5):
        watched.reads(second, ONLINE, input_v=230.0, runtime_s=1800, charge_pct=100.0, load_pct=50.0, energy_wh=5000)
    for second in range(from_s, from_s + lasting_s):
        gone = second - from_s
        watched.reads(
            second,
            ON_BATTERY,
            input_v=3.0,
            runtime_s=1700 - gone,
            charge_pct=99.0 - gone / 10,
            load_pct=50.0,
            energy_wh=5000 + round(gone * 500 / 3600),
        )
    for second in range(from_s + lasting_s, from_s + lasting_s + 70, 5):
        watched.reads(second, ONLINE, input_v=229.0, runtime_s=1600, charge_pct=91.0, load_pct=50.0, energy_wh=5013)


def test_an_outage_holds_what_the_readings_showed() -> None:
    watched = Watched()
    outage(watched)
    (over,) = watched.over
    assert (over.ended, over.test, over.resumed) == ("restored", False, False)
    assert (over.began_at, over.ended_at) == (EPOCH_MS + 100_000, EPOCH_MS + 190_000)
    assert (over.delivered_s, over.expected_runtime_s) == (90.0, 1800)
    assert (over.lowest_input_v, over.highest_load_pct) == (3.0, 50.0)
    assert over.lowest_charge_pct == pytest.approx(90.1)
    assert over.lowest_runtime_s == 1611
    assert (over.energy_wh, over.energy_estimated) == (13.0, False)


def test_the_trace_reaches_from_a_minute_before_to_a_minute_after() -> None:
    watched = Watched()
    outage(watched)
    points = watched.over[0].trace
    assert points[0][0] == -BEFORE_MS
    assert points[-1][0] == 90_000 + AFTER_MS
    assert [point[0] for point in points if point[5]][0] == 0


def test_the_energy_of_a_short_outage_is_an_estimate_and_says_so() -> None:
    watched = Watched()
    outage(watched, lasting_s=36)
    assert (watched.over[0].energy_wh, watched.over[0].energy_estimated) == (5.0, True)


def test_a_second_transfer_within_a_minute_belongs_to_the_same_outage_and_only_time_on_battery_counts() -> None:
    watched = Watched()
    for second, word in ((0, ONLINE), (10, ON_BATTERY), (30, ONLINE), (60, ON_BATTERY), (70, ONLINE), (131, ONLINE)):
        watched.reads(second, word)
    (over,) = watched.over
    assert over.delivered_s == 30.0
    assert over.ended_at - over.began_at == 60_000


def test_a_transfer_after_more_than_a_minute_is_an_outage_of_its_own() -> None:
    watched = Watched()
    for second, word in ((0, ONLINE), (10, ON_BATTERY), (20, ONLINE), (81, ONLINE), (90, ON_BATTERY)):
        watched.reads(second, word)
    assert len(watched.over) == 1
    assert watched.box.going_on is not None


def test_mains_energy_between_two_stretches_on_battery_is_not_counted() -> None:
    watched = Watched()
    counter = ((0, ONLINE, 100), (10, ON_BATTERY, 100), (100, ON_BATTERY, 110), (101, ONLINE, 110), (140, ONLINE, 150))
    for second, word, energy_wh in (*counter, (150, ON_BATTERY, 160), (180, ON_BATTERY, 165), (181, ONLINE, 165)):
        watched.reads(second, word, energy_wh=energy_wh)
    watched.reads(250, ONLINE, energy_wh=400)
    assert watched.over[0].energy_wh == 25.0, "10 of the first stretch, 15 since the last reading on mains"


def test_s19_a_self_test_is_marked_until_the_input_fails_or_it_lasts_too_long() -> None:
    testing = frozenset({Flag.TEST_IN_PROGRESS})
    for flags, lasts_s, is_test in ((testing, 10, True), (testing, 50, False), (frozenset(), 10, False)):
        watched = Watched()
        watched.reads(0, ONLINE)
        for second in range(10, 10 + lasts_s):
            watched.takes(seen(second, Snapshot(at=START, state=State.ON_BATTERY, flags=flags)))
        watched.reads(10 + lasts_s, ONLINE)
        watched.reads(80 + lasts_s, ONLINE)
        assert watched.over[0].test is is_test, (flags, lasts_s)
    watched = Watched()
    watched.takes(seen(0, Snapshot(at=START, state=State.ON_BATTERY, flags=testing | {Flag.INPUT_NOT_ACCEPTABLE})))
    watched.reads(1, ONLINE)
    watched.reads(70, ONLINE)
    assert watched.over[0].test is False


def test_an_output_that_goes_off_ends_it_so() -> None:
    watched = Watched()
    for second, word in ((0, ONLINE), (10, ON_BATTERY), (20, OFF), (85, OFF)):
        watched.reads(second, word)
    assert watched.over[0].ended == "output_off"
    assert watched.over[0].delivered_s == 10.0


def test_a_unit_that_falls_silent_ends_it_at_its_last_word() -> None:
    watched = Watched()
    watched.reads(10, ON_BATTERY)
    watched.reads(20, ON_BATTERY)
    assert watched.box.ticked("b1", 20_000 + SILENT_MS - 1) is None
    over = watched.box.ticked("b1", 20_000 + SILENT_MS)
    assert over is not None
    assert (over.ended, over.delivered_s, over.ended_at) == ("silent", 10.0, EPOCH_MS + 20_000)
    assert watched.box.going_on is None


def test_mains_after_a_long_silence_say_nothing_of_when_it_ended() -> None:
    watched = Watched()
    watched.reads(10, ON_BATTERY)
    watched.reads(20, ON_BATTERY)
    watched.reads(900, ONLINE)
    assert watched.over[0].ended == "silent"
    assert watched.over[0].delivered_s == 10.0


def test_an_outage_goes_on_over_a_restart_of_the_gateway() -> None:
    watched = Watched()
    watched.reads(0, ONLINE, runtime_s=900)
    watched.reads(10, ON_BATTERY)
    watched.restarts()
    watched.reads(40, ON_BATTERY)
    watched.reads(50, ONLINE)
    watched.reads(115, ONLINE)
    (over,) = watched.over
    assert (over.resumed, over.delivered_s, over.expected_runtime_s) == (True, 40.0, 900)


@pytest.mark.parametrize(
    ("clock", "ended_ms"), [(Clock.SYNCHRONISED, 610_000), (Clock.UNSYNCHRONISED, 40_000)], ids=["sure", "not set"]
)
def test_over_a_restart_of_the_machine_no_time_is_invented(clock: Clock, ended_ms: int) -> None:
    watched = Watched()
    watched.reads(10, ON_BATTERY)
    watched.reads(30, ON_BATTERY)
    watched.restarts()
    for second, word, at_s in ((5, ON_BATTERY, 600), (15, ONLINE, 610), (80, ONLINE, 675)):
        at_ms = EPOCH_MS + at_s * 1000
        watched.takes(seen(second, reading(at_s, word), boot="b2", at_ms=at_ms, clock=clock))
    (over,) = watched.over
    assert over.delivered_s == 30.0, "20 s before, 10 s after; what lies between nobody counted"
    assert over.resumed
    assert over.ended_at == EPOCH_MS + ended_ms


def test_an_outage_in_which_the_clock_was_set_is_dated_by_the_right_one() -> None:
    watched = Watched()
    for second, word in ((0, ONLINE), (10, ON_BATTERY)):
        watched.takes(seen(second, reading(second, word), at_ms=second * 1000, clock=Clock.UNSYNCHRONISED))
    for second, word in ((20, ON_BATTERY), (30, ONLINE), (95, ONLINE)):
        watched.reads(second, word)
    (over,) = watched.over
    assert (over.began_at, over.ended_at) == (EPOCH_MS + 10_000, EPOCH_MS + 30_000)
    assert over.delivered_s == 20.0


def test_what_was_kept_of_an_outage_and_is_damaged_is_told_as_such() -> None:
    assert not UnitBox().resume(b"{")
    assert not UnitBox().resume(b"\xff")


def test_a_fast_reading_brings_no_old_numbers_into_the_trace() -> None:
    watched = Watched()
    watched.reads(0, ONLINE, input_v=230.0)
    watched.reads(1, ON_BATTERY, full=False, input_v=230.0)
    assert watched.box.going_on is not None
    assert watched.box.going_on.trace[-1] == (0, None, None, None, None, True)


async def test_the_figures_agree_with_the_simulators_physics(tmp_path: Path) -> None:
    """Ten minutes on battery, read every 2 s through the real driver."""
    watched = Watched()
    async with faulty_unit("modbus+tcp", tmp_path) as unit:
        body = unit.engine.unit
        identity = await unit.driver.connect()

        async def read(until_s: float) -> None:
            while body.now_s < until_s:
                body.advance(body.now_s + 2.0)
                stamp = Stamp(at=EPOCH_MS + round(body.now_s * 1000), boot="b", mono=round(body.now_s * 1000))
                shown = await unit.driver.full()
                watched.takes(Seen(unit="rack-1", snapshot=shown, full=True, identity=identity, stamp=stamp))

        began_s = body.now_s
        await read(began_s + 70)
        before_wh = body.energy_wh
        unit.engine.obey("mains off")
        await read(began_s + 670)
        drawn_wh, charge_pct = body.energy_wh - before_wh, body.battery.charge * 100
        unit.engine.obey("mains on")
        await read(began_s + 760)
    (over,) = watched.over
    assert over.energy_wh == pytest.approx(drawn_wh, abs=2.0 + drawn_wh * 0.02)
    assert drawn_wh > 10
    assert over.delivered_s == pytest.approx(600, abs=6)
    assert over.lowest_charge_pct == pytest.approx(charge_pct, abs=1.0)
    assert over.lowest_input_v == pytest.approx(0.0, abs=1.0)
    assert over.cause
    assert not over.test


numbers = st.none() | st.floats(0, 1e5, allow_nan=False)
words = st.sampled_from([State.ONLINE, State.ON_BATTERY, State.OFF, State.BYPASS, None])


@st.composite
def readings(draw: st.DrawFn) -> list[Seen]:
    """Any states and numbers; time only goes on within a boot; the clock may jump anywhere at any time."""
    made, mono, boot = [], 0, 0
    for _ in range(draw(st.integers(1, 60))):
        if draw(st.integers(0, 15)) == 0:
            boot, mono = boot + 1, 0
        mono += draw(st.sampled_from([0, 200, 1000, 5000, 59_000, 61_000, 130_000, 10**8]))
        shown = Snapshot(
            at=START,
            state=draw(words),
            flags=draw(st.sampled_from([frozenset(), frozenset({Flag.TEST_IN_PROGRESS})])),
            input_v=draw(numbers),
            charge_pct=draw(numbers),
            load_pct=draw(numbers),
            energy_wh=draw(st.none() | st.integers(0, 2**32)),
            runtime_s=draw(st.none() | st.integers(0, 2**31)),
        )
        stamp = Stamp(at=draw(st.integers(0, limits.INSTANT_MAX)), boot=f"b{boot}", mono=mono)
        made.append(Seen(unit="rack-1", snapshot=shown, full=draw(st.booleans()), identity=RATED, stamp=stamp))
    return made


@given(readings(), st.integers(0, 59))
def test_whatever_is_read_each_outage_fits_a_record_and_no_duration_is_negative(made: list[Seen], restart: int) -> None:
    watched = Watched()
    for number, one in enumerate(made):
        if number == restart:
            watched.restarts()
        watched.takes(one)
    if (last := watched.box.ticked("another boot", 0)) is not None:
        watched.over.append(last)
    for over in watched.over:
        encode_record(record(Kind.OUTAGE, made[0].stamp, "rack-1", over))
        again = msgspec.json.decode(msgspec.json.encode(over), type=OutageBody)
        assert again == over
        assert over.delivered_s >= 0
        assert over.ended_at >= over.began_at
        assert over.energy_wh is None or over.energy_wh >= 0


def test_the_longest_numbers_fit_a_record() -> None:
    point: Point = (-9_999_999_999, 99999.9, 99999.9, 99999.9, 99999.9, False)
    body = OutageBody(
        id="f" * 16,
        began_at=limits.INSTANT_MAX,
        ended_at=limits.INSTANT_MAX,
        ended="output_off",
        cause="x" * 64,
        test=True,
        delivered_s=1e9,
        lowest_input_v=99999.9,
        energy_wh=1e9,
        energy_estimated=True,
        resumed=True,
        trace=[point] * limits.TRACE_POINTS,
    )
    encode_record(record(Kind.OUTAGE, Stamp(at=limits.INSTANT_MAX, boot="f" * 64, mono=2**62), "u" * 32, body))


def _lowest(rows: list[Point], column: int, sign: int) -> float | None:
    return min((sign * value for row in rows if (value := row[column]) is not None), default=None)


points = st.lists(st.tuples(numbers, numbers, numbers, numbers, st.booleans()), max_size=300).map(
    lambda rows: [(number, *row) for number, row in enumerate(rows)]
)


@given(points, st.integers(8, 60))
def test_thinning_keeps_order_ends_and_extremes(rows: list[Point], most: int) -> None:
    left = thinned(rows, most)
    assert len(left) == min(len(rows), most)
    assert sorted(left) == left
    if rows:
        assert (left[0], left[-1]) == (rows[0], rows[-1])
    for column, sign in ((1, 1), (4, 1), (3, -1)):
        assert _lowest(left, column, sign) == _lowest(rows, column, sign)


def test_thinning_keeps_both_sides_of_the_transfers() -> None:
    rows: list[Point] = [(n, 230.0, None, None, None, 400 <= n < 700) for n in range(1000)]
    kept_at = {row[0] for row in thinned(rows, 20)}
    assert {399, 400, 699, 700} <= kept_at
