"""The rules by a clock that is set while they watch: back by a year, forward by ten, at any moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError
from drivers.ups import Cause, Flag, Snapshot
from gateway import readings, report, unit_state
from gateway.detect import step
from gateway.plausible import jumps
from gateway.runtime.clock import SystemClock
from gateway.runtime.poller import Poller
from gateway.settings import UnitSettings
from gateway.unit_state import Ongoing, UnitState, encode, resume
from gateway.wire.messages import Stamp
from tests.gateway.polled import ScriptedDriver, events, outbox_in, told
from tests.gateway.watched_unit import ACCEPTABLE, ON_BATTERY, ONLINE, START, WatchedUnit, moment, outlets, reading

BACK, FORWARD = timedelta(days=-365), timedelta(days=3652)
TESTING = 0x0084
JUMPS = pytest.mark.parametrize("by", [BACK, FORWARD], ids=["back", "forward"])


class SetClock(WatchedUnit):
    """A watched unit whose clock can be set; seconds go on by the old count."""

    by = timedelta(0)

    def clock_is_set(self, by: timedelta) -> None:
        self.by += by
        self.state = unit_state.moved(self.state, by)
        self.last = None if self.last is None else readings.moved(self.last, by)

    def takes(self, snapshot: Snapshot) -> list[str]:
        return super().takes(readings.moved(snapshot, self.by))


@JUMPS
def test_s19_a_clock_that_is_set_during_a_self_test_makes_no_outage_of_it(by: timedelta) -> None:
    unit = SetClock()
    unit.reads(0, ONLINE, flags=ACCEPTABLE)
    unit.reads(1, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE)
    unit.clock_is_set(by)
    unit.reads(8, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE)
    unit.reads(12, ONLINE, Cause.TEST_ENDED, flags=ACCEPTABLE)
    assert "on_battery" not in unit.told


@JUMPS
def test_s19_a_test_that_goes_on_is_an_outage_after_40_s_whatever_the_clock_did(by: timedelta) -> None:
    unit = SetClock()
    unit.reads(0, ONLINE, flags=ACCEPTABLE)
    unit.reads(1, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE)
    unit.clock_is_set(by)
    unit.reads(40, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE)
    assert "on_battery" not in unit.told
    assert "on_battery" in unit.reads(42, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE)


@JUMPS
def test_how_long_an_outage_lasted_does_not_count_the_jump(by: timedelta) -> None:
    unit = SetClock()
    unit.reads(0, ONLINE)
    unit.reads(10, ON_BATTERY, Cause.LOW_INPUT_VOLTAGE)
    unit.clock_is_set(by)
    unit.reads(130, ONLINE, Cause.ACCEPTABLE_INPUT)
    restored = unit.events[-1]
    assert (restored.type, restored.details["lasted_s"]) == ("mains_restored", 120)
    assert restored.after == moment(10) + by


@JUMPS
def test_the_end_of_a_fault_is_held_back_as_long_as_ever(by: timedelta) -> None:
    unit = SetClock()
    fault = ACCEPTABLE | {Flag.FAN}
    unit.reads(0, ONLINE, flags=ACCEPTABLE)
    unit.reads(1, ONLINE, flags=fault)
    unit.reads(10, ONLINE, flags=ACCEPTABLE)
    unit.clock_is_set(by)
    assert unit.reads(12, ONLINE, flags=ACCEPTABLE) == []
    assert unit.reads(15.5, ONLINE, flags=ACCEPTABLE) == ["fan_fault_cleared"]


@JUMPS
def test_a_silence_is_told_with_its_own_length(by: timedelta) -> None:
    unit = SetClock()
    unit.reads(0, ONLINE)
    for second in (5, 10, 20):
        unit.is_silent(second, second)
    unit.clock_is_set(by)
    unit.reads(60, ONLINE)
    assert [event.details["silent_s"] for event in unit.events if event.type == "communication_restored"] == [60]


@JUMPS
def test_outlet_groups_have_their_minute_to_come_back(by: timedelta) -> None:
    unit = SetClock()
    unit.reads(0, ONLINE, switched_outlets=outlets(g1=True, g2=True))
    unit.reads(1, 0x0110, switched_outlets=outlets(g1=False, g2=False))
    unit.reads(10, ONLINE, switched_outlets=outlets(g1=True, g2=False))
    unit.clock_is_set(by)
    assert "outlet_group_off" not in unit.reads(25, ONLINE, switched_outlets=outlets(g1=True, g2=False))
    assert "outlet_group_off" in unit.reads(75, ONLINE, switched_outlets=outlets(g1=True, g2=False))


@JUMPS
def test_s19_a_test_that_began_by_another_clock_before_a_restart_is_no_outage(by: timedelta) -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE, flags=ACCEPTABLE)
    unit.reads(1, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE)
    unit.restarts()
    unit.takes(readings.moved(reading(8, TESTING, Cause.AUTOMATIC_TEST, flags=ACCEPTABLE), by))
    assert "on_battery" not in unit.told


@JUMPS
def test_a_jump_of_the_clock_excuses_no_jump_of_a_reading(by: timedelta) -> None:
    before = reading(0, ONLINE, charge_pct=100.0)
    after = readings.moved(reading(1, ONLINE, charge_pct=10.0), by)
    assert jumps(readings.moved(before, by), after) == {"charge_pct"}


@JUMPS
def test_a_full_status_comes_each_minute_and_no_sooner_for_a_clock_that_was_set(by: timedelta) -> None:
    snapshot = reading(0, ONLINE)
    _, reported = report.due(None, snapshot, START)
    reported = report.moved(reported, by)
    assert report.due(reported, snapshot, moment(59) + by)[0] is None
    body, _ = report.due(reported, snapshot, moment(60) + by)
    assert body is not None
    assert body.full


@pytest.mark.parametrize("by", [timedelta(days=-3_000_000), timedelta(days=3_000_000)], ids=["back", "forward"])
def test_a_clock_beyond_the_calendar_breaks_nothing(by: timedelta) -> None:
    unit = SetClock()
    unit.reads(0, ONLINE)
    unit.reads(10, ON_BATTERY, Cause.LOW_INPUT_VOLTAGE)
    unit.clock_is_set(by)
    assert resume(encode(unit.state)).last_at is not None


@given(st.integers(-40 * 365, 40 * 365), st.lists(st.integers(0, 5_000), min_size=1, max_size=12), st.data())
def test_a_clock_that_is_set_anywhere_changes_nothing_but_the_dates(
    days: int, seconds: list[int], data: st.DataObject
) -> None:
    by = timedelta(days=days)
    shown = data.draw(st.lists(st.sampled_from([ONLINE, ON_BATTERY]), min_size=len(seconds), max_size=len(seconds)))
    where = data.draw(st.integers(0, len(seconds)))
    steady, moved = SetClock(), SetClock()
    for number, (second, word) in enumerate(zip(sorted(seconds), shown, strict=True)):
        if number == where:
            moved.clock_is_set(by)
        snapshot = reading(second, word, flags=data.draw(st.sampled_from([ACCEPTABLE, ACCEPTABLE | {Flag.FAN}])))
        steady.takes(snapshot)
        moved.takes(snapshot)
    told = [(event.type, event.details, event.found_afterwards) for event in steady.events]
    assert [(event.type, event.details, event.found_afterwards) for event in moved.events] == told


def test_every_instant_that_is_remembered_is_moved() -> None:
    """A new field that forgets to move shows here."""
    ongoing = Ongoing(since_at=START, absent_at=START, absent_after=START)
    names = [name for name in UnitState.__struct_fields__ if name.endswith("_at")]
    state = msgspec.structs.replace(UnitState(ongoing={"fan_fault": ongoing}), **dict.fromkeys(names, START))
    assert len(names) == 6
    moved = unit_state.moved(state, FORWARD)
    assert START.isoformat()[:4] not in encode(moved).decode()
    assert unit_state.moved(moved, -FORWARD) == state
    assert step(moved, reading(0, ONLINE))[0].last_at == START


class SettableClock(SystemClock):
    """This machine's clocks, the wall clock set by `by`."""

    by = timedelta(0)

    def utc(self) -> datetime:
        return super().utc() + self.by

    def stamp(self) -> Stamp:
        stamp = super().stamp()
        return msgspec.structs.replace(stamp, at=stamp.at + self.by // timedelta(milliseconds=1))


class DatedDriver(ScriptedDriver):
    """Its readings are dated when they begin; `during` may set the clock before they end."""

    def __init__(self, script: Sequence[Snapshot | DriverError], clock: SettableClock) -> None:
        super().__init__(script)
        self.clock = clock
        self.during: Callable[[], None] = lambda: None

    def _next(self) -> Snapshot:
        shown = msgspec.structs.replace(super()._next(), at=self.clock.utc())
        self.during()
        return shown


@JUMPS
@pytest.mark.parametrize("during", [False, True], ids=["between-readings", "during-one"])
async def test_a_poller_whose_clock_is_set_tells_the_truth_about_times(
    tmp_path: Path, by: timedelta, during: bool
) -> None:
    clock = SettableClock()
    outage = [reading(0, ON_BATTERY, Cause.LOW_INPUT_VOLTAGE)] * 2
    driver = DatedDriver([reading(0, ONLINE)] * 2 + outage + [reading(0, ONLINE, Cause.ACCEPTABLE_INPUT)], clock)

    def set_clock() -> None:
        clock.by, driver.during = by, lambda: None

    async with outbox_in(tmp_path) as outbox:
        unit = UnitSettings(name="rack-1", url=driver.url)
        poller = Poller(unit, driver, outbox, clock)
        while "on_battery" not in await told(outbox):
            await poller.poll()
        if during:
            driver.during = set_clock
        else:
            set_clock()
        while "mains_restored" not in await told(outbox):
            await poller.poll()
        restored = (await events(outbox))[-1]
        assert restored.details["lasted_s"] in range(30)
        assert restored.after is not None
        assert abs(restored.after - clock.stamp().at) < 30_000
        assert (await told(outbox)).count("on_battery") == 1
