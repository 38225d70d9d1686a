"""The poller's other customers: commands, fresh looks, health, the local view. The units are the real simulator's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from drivers.driver import Pace, Report
from drivers.errors import DriverError, NoAnswer
from drivers.open import open_driver
from drivers.ups import Command, Outcome, Snapshot, State, Verb
from gateway.errors import Withheld
from gateway.latency import percentile
from gateway.runtime.poller import Poller
from gateway.seen import Seen
from gateway.store.outbox import UnitRow
from gateway.tempo import GROWTH
from gateway.unit_state import UnitState, encode
from tests.drivers.faulty_unit import WIRES, FaultyUnit, faulty_unit
from tests.gateway.polled import ScriptedDriver, outbox_in, poller, told
from tests.gateway.watched_unit import ACCEPTABLE, ON_BATTERY, ONLINE, reading

PATIENCE_S = 20.0
BEEP = Command(verb=Verb.BEEP, serial="AS1234567890")


class Watching:
    """Whoever is told of readings."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._more = asyncio.Event()

    def __call__(self, seen: Seen) -> None:
        self.seen.append(seen)
        self._more.set()

    async def until(self, count: int) -> None:
        """Once so many readings have been seen."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.seen) < count:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(*pollers: Poller) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in pollers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("wire", WIRES)
async def test_every_believed_reading_is_shown_to_who_watches(wire: str, tmp_path: Path) -> None:
    watching = Watching()
    async with outbox_in(tmp_path / "data") as outbox, faulty_unit(wire, tmp_path) as unit:
        polling = poller(outbox, unit.driver, watch=watching)
        await polling.poll()
        unit.fail_the_mains()
        await polling.poll()
    assert [seen.snapshot.state for seen in watching.seen] == [State.ONLINE, State.ON_BATTERY, State.ON_BATTERY]
    assert watching.seen[-1].full
    assert {seen.unit for seen in watching.seen} == {"rack-1"}
    assert all(seen.identity and seen.identity.serial == "AS1234567890" for seen in watching.seen)
    assert watching.seen[0].stamp.mono <= watching.seen[-1].stamp.mono


@pytest.mark.parametrize("wire", WIRES)
async def test_a_look_is_a_full_reading_that_is_recorded_as_any(wire: str, tmp_path: Path) -> None:
    async with outbox_in(tmp_path / "data") as outbox, faulty_unit(wire, tmp_path) as unit:
        polling = poller(outbox, unit.driver)
        await polling.poll()
        await polling.execute(BEEP)  # so that the reading of just now does not do
        unit.fail_the_mains()
        shown = await polling.look()
        assert (shown.state, shown.full_at) == (State.ON_BATTERY, shown.at)
        assert await told(outbox) == ["on_battery"]


async def test_a_look_takes_the_reading_of_just_now_but_none_from_before_a_command(tmp_path: Path) -> None:
    driver = ScriptedDriver([reading(0, ONLINE)])
    async with outbox_in(tmp_path) as outbox:
        polling = poller(outbox, driver)
        first = await polling.look()
        before = list(driver.reads)
        assert set(await asyncio.gather(polling.look(), polling.look())) == {first}
        assert driver.reads == before
        await polling.execute(BEEP)
        await polling.look()
        assert driver.reads == [*before, "full"]


async def test_a_look_at_a_silent_unit_says_so_and_takes_nothing_old(tmp_path: Path) -> None:
    driver = ScriptedDriver([reading(0, ONLINE), reading(0, ONLINE), NoAnswer("ttyUSB0", 1.0)])
    async with outbox_in(tmp_path) as outbox:
        polling = poller(outbox, driver)
        await polling.look()
        await polling.poll()
        with pytest.raises(NoAnswer):
            await polling.look()
        assert polling.health().failed_polls == 2


@pytest.mark.parametrize("wire", WIRES)
async def test_a_command_is_sent_and_the_unit_read_in_full_right_afterwards(wire: str, tmp_path: Path) -> None:
    watching = Watching()
    async with outbox_in(tmp_path / "data") as outbox, faulty_unit(wire, tmp_path, held=False) as unit:
        polling = poller(outbox, unit.driver, watch=watching, hz=1 / 60)
        async with running(polling):
            await watching.until(1)
            report = await polling.execute(BEEP)
            seen = len(watching.seen)
            await watching.until(seen + 1)
        assert report.outcome is Outcome.DONE
        assert watching.seen[seen].full
        assert len(unit.engine.commands()) == 1


class SlowDriver(ScriptedDriver):
    """Notes each call when it begins; commands end when the test lets them."""

    def __init__(self) -> None:
        super().__init__([reading(0, ONLINE)])
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.let_go = asyncio.Event()

    async def fast(self) -> Snapshot:
        self.begun.put_nowait("fast")
        return await super().fast()

    async def full(self) -> Snapshot:
        self.begun.put_nowait("full")
        return await super().full()

    async def execute(self, command: Command) -> Report:
        self.begun.put_nowait("execute")
        await self.let_go.wait()
        return await super().execute(command)


async def test_commands_go_before_a_poll_that_waits_for_the_line(tmp_path: Path) -> None:
    driver = SlowDriver()
    async with outbox_in(tmp_path) as outbox:
        polling = poller(outbox, driver)
        await polling.poll()
        assert await driver.begun.get() == "full"
        while not driver.begun.empty():
            driver.begun.get_nowait()
        first = asyncio.create_task(polling.execute(BEEP))
        assert await driver.begun.get() == "execute"
        poll = asyncio.create_task(polling.poll())
        second = asyncio.create_task(polling.execute(BEEP))
        driver.let_go.set()
        await asyncio.gather(first, second, poll)
        assert [driver.begun.get_nowait() for _ in range(2)] == ["execute", "fast"]
        await polling.poll()
        assert driver.begun.get_nowait() == "full"


async def test_s9_a_command_is_asked_whether_it_may_still_go_when_the_line_is_its_own(tmp_path: Path) -> None:
    driver = SlowDriver()

    def too_late() -> None:
        assert driver.let_go.is_set(), "while another has the line"
        raise Withheld("challenge_too_old", "issued 61 s ago")

    async with outbox_in(tmp_path) as outbox:
        polling = poller(outbox, driver)
        first = asyncio.create_task(polling.execute(BEEP))
        assert await driver.begun.get() == "execute"
        second = asyncio.create_task(polling.execute(BEEP, too_late))
        driver.let_go.set()
        await first
        with pytest.raises(Withheld):
            await second
        assert driver.begun.empty()
        await polling.poll()


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([], 99) is None
    assert [percentile([1.0, 2.0, 3.0, 4.0], percent) for percent in (0, 25, 50, 51, 99, 100)] == [1, 1, 2, 3, 4, 4]


async def test_health_counts_from_the_start_and_its_latencies_from_the_last_time(tmp_path: Path) -> None:
    async with outbox_in(tmp_path / "data") as outbox, faulty_unit("modbus+tcp", tmp_path) as unit:
        polling = poller(outbox, unit.driver, hz=2)
        before = polling.health()
        assert (before.asked_s, before.fast_s, before.polls, before.answered_ago_s) == (0.5, 0.5, 0, None)
        for _ in range(3):
            await polling.poll()
        unit.order("silence")
        await polling.poll()
        health = polling.health()
        assert (health.polls, health.failed_polls, health.timeouts) == (4, 1, 1)
        assert health.requests == unit.driver.counters.requests > 3
        assert health.poll_p50_ms is not None
        assert health.poll_p99_ms is not None
        assert 0 < health.poll_p50_ms <= health.poll_p99_ms < 800
        assert health.answered_ago_s is not None
        again = polling.health()
        assert (again.polls, again.poll_p50_ms, again.poll_p99_ms) == (4, None, None)


async def test_the_sight_is_what_was_read_last_and_why_there_is_nothing_newer(tmp_path: Path) -> None:
    async with outbox_in(tmp_path / "data") as outbox, faulty_unit("modbus+tcp", tmp_path) as unit:
        polling = poller(outbox, unit.driver)
        assert polling.sight().snapshot is None
        await polling.poll()
        unit.fail_the_mains()
        await polling.poll()
        sight = polling.sight()
        assert sight.snapshot is not None
        assert sight.snapshot.state is State.ON_BATTERY
        assert sight.identity is not None
        assert (sight.identity.serial, sight.trouble, sight.conditions) == ("AS1234567890", "", ("on_battery",))
        assert sight.answered_at is not None
        assert sight.fast_s == 0.5  # a transfer was seen just now: four times as often as this port's 2 s
        unit.order("silence")
        await polling.poll()
        later = polling.sight()
        assert "silent" in later.trouble
        assert (later.snapshot, later.answered_at) == (sight.snapshot, sight.answered_at)


async def test_a_lost_unit_is_asked_less_and_less_and_at_its_pace_again_once_it_answers(tmp_path: Path) -> None:
    silence = NoAnswer("ttyUSB0", 1.0)
    script: list[Snapshot | DriverError] = [silence, silence, silence, reading(0, ONLINE)]
    lost = UnitState(power=State.ONLINE, last_at=datetime.now(UTC), lost_at=datetime.now(UTC))
    async with outbox_in(tmp_path) as outbox:
        outbox.units["rack-1"] = UnitRow(serial="AS1", state=encode(lost))
        polling = poller(outbox, ScriptedDriver(script))
        waits = []
        for _ in range(4):
            await polling.poll()
            waits.append(polling.sight().fast_s)
        assert waits == pytest.approx([2 * GROWTH, 2 * GROWTH**2, 2 * GROWTH**3, 2.0])
        assert await told(outbox) == ["communication_restored"]


ALWAYS_DUE = Pace(fast_s=1e-9, full_s=2e-9, reconnect_s=1.0)


@pytest.mark.parametrize(
    ("pace", "word", "reads"),
    [
        (ALWAYS_DUE, ONLINE, ["fast", "full"]),
        (ALWAYS_DUE, ON_BATTERY, ["full"]),
        (msgspec.structs.replace(ALWAYS_DUE, full_s=1e-9), ONLINE, ["full"]),
        (msgspec.structs.replace(ALWAYS_DUE, request_gap_s=1e-9), ONLINE, ["full"]),
    ],
    ids=["on mains", "on battery", "one request tells all", "each request has its price"],
)
async def test_on_mains_no_transfer_waits_for_measurements(
    pace: Pace, word: int, reads: list[str], tmp_path: Path
) -> None:
    driver = ScriptedDriver([reading(0, word, flags=ACCEPTABLE if word == ONLINE else frozenset())])
    driver.pace = pace
    async with outbox_in(tmp_path) as outbox:
        polling = poller(outbox, driver)
        await polling.poll()
        driver.reads.clear()
        for _ in range(2):
            await polling.poll()
    assert driver.reads == reads * 2


async def test_one_dead_unit_among_eight_delays_none(tmp_path: Path) -> None:
    watching = [Watching() for _ in range(8)]
    async with outbox_in(tmp_path / "data") as outbox, eight_units(tmp_path) as units:
        patient = open_driver(units[0].url.partition("?")[0] + "?timeout_s=15")
        drivers = [patient, *(unit.driver for unit in units[1:])]
        pollers = [
            poller(outbox, driver, f"rack-{number}", watch=watch, hz=5)
            for number, (driver, watch) in enumerate(zip(drivers, watching, strict=True))
        ]
        async with running(*pollers):
            await asyncio.gather(*(watch.until(3) for watch in watching))
            units[0].order("silence")
            counts = [len(watch.seen) for watch in watching[1:]]
            await asyncio.gather(*(watch.until(count + 20) for watch, count in zip(watching[1:], counts, strict=True)))
            assert patient.counters.requests == patient.counters.answers + 1, "it waits for the one answer still"
        await patient.close()
        for watch, count in zip(watching[1:], counts, strict=True):
            times = [seen.stamp.mono for seen in watch.seen[count:]]
            gaps_ms = sorted(later - earlier for earlier, later in pairwise(times))
            assert 150 < gaps_ms[len(gaps_ms) // 2] < 300


@asynccontextmanager
async def eight_units(folder: Path) -> AsyncIterator[list[FaultyUnit]]:
    async with AsyncExitStack() as stack:
        units = []
        for number in range(8):
            place = folder / str(number)
            await asyncio.to_thread(place.mkdir)
            units.append(await stack.enter_async_context(faulty_unit("modbus+tcp", place)))
        yield units
