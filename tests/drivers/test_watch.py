"""`ridethrough poll --watch`: what a watch makes of readings, how it looks, and that it ends as it should."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from drivers.driver import LineCounters
from drivers.errors import LineDown, LineError
from drivers.runtime.watch import readings
from drivers.ups import Cause, Flag, Identity, OutletGroup, Snapshot, State, TestResult, TestStatus
from drivers.view import MARKED_S, TWO_COLUMNS, view
from drivers.watch import NOTES, Mood, Watch
from simulator.runtime.ctl import ask
from tests.conftest import Start
from tests.drivers.bench import DriverBench
from tests.drivers.memory import EPOCH, silent, undamaged
from tests.drivers.test_against_simulator import Simulator
from tests.process import PROGRAM

ONLINE = Snapshot(
    at=EPOCH,
    state=State.ONLINE,
    flags=frozenset({Flag.INPUT_ACCEPTABLE}),
    input_v=230.04,
    charge_pct=100.0,
    answer_ms=50.0,
    self_test=TestResult(status=TestStatus.NONE),
    main_outlet=OutletGroup(index=0, on=True),
    switched_outlets=(OutletGroup(index=1, on=True),),
)
WHO = Identity(serial="AS1", sku="SMT1500", name="rack", outlet_groups=((0, "main"), (1, "NAS")))


def later(**changes: object) -> Snapshot:
    return msgspec.structs.replace(ONLINE, at=EPOCH + timedelta(seconds=1), **changes)


def watched(*snapshots: Snapshot) -> Watch:
    """One reading a second from 100 s on."""
    watch = Watch(WHO)
    for second, snapshot in enumerate(snapshots):
        watch.take(snapshot, 100.0 + second)
    return watch


def texts(watch: Watch) -> list[str]:
    return [note.text for note in watch.notes]


# --- what is an event ---------------------------------------------------------------------------------------


def test_the_first_reading_is_no_event() -> None:
    assert texts(watched(ONLINE, ONLINE)) == []


def test_a_transfer_is_one_event_with_its_cause_and_its_flags() -> None:
    flags = frozenset({Flag.POWER_FAILURE})
    watch = watched(ONLINE, later(state=State.ON_BATTERY, cause=Cause.LOW_INPUT_VOLTAGE, flags=flags))
    assert texts(watch) == ["on battery, cause: low input voltage (+power failure, -input acceptable)"]
    assert watch.notes[0].mood is Mood.BAD
    watch.take(ONLINE, 102.0)
    assert texts(watch)[1].startswith("online")
    assert watch.notes[1].mood is Mood.GOOD


def test_flags_tests_and_outlets_are_events_of_their_own() -> None:
    replace = later(flags=ONLINE.flags | {Flag.REPLACE_BATTERY})
    off = later(flags=replace.flags, switched_outlets=(OutletGroup(index=1, on=False),))
    passed = msgspec.structs.replace(off, self_test=TestResult(status=TestStatus.PASSED))
    assert texts(watched(ONLINE, replace, off, passed)) == [
        "+replace battery",
        "outlets of NAS: off",
        "self-test: passed",
    ]


def test_a_lost_line_is_told_once_and_so_is_its_return() -> None:
    watch = watched(ONLINE)
    assert watch.lose("silent", None, 101.0, EPOCH)
    assert watch.lose("still silent", 15.0, 103.0, EPOCH) == []
    assert (watch.lost_at, watch.retry_at, watch.lost_because) == (101.0, 118.0, "silent")
    watch.take(ONLINE, 109.4)
    assert texts(watch) == ["line lost: silent", "the unit answers again after 8 s"]
    assert watch.lost_at is None


def test_only_the_newest_events_are_kept() -> None:
    watch = Watch(WHO)
    for number in range(3 * NOTES):
        watch.take(ONLINE if number % 2 else later(state=State.OFF), float(number))
    assert len(watch.notes) == NOTES


def test_a_value_is_marked_from_when_its_text_changes() -> None:
    watch = watched(ONLINE, later(input_v=230.03, answer_ms=70.0))
    assert watch.changed_since("Input", "input voltage", 103.0) is None
    watch.take(later(input_v=0.0), 104.0)
    assert watch.changed_since("Input", "input voltage", 105.5) == 1.5
    assert watch.changed_since("Link", "answer time", 105.5) is None
    assert watch.changed_since("Battery", "battery charge", 105.5) is None


# --- how it looks -------------------------------------------------------------------------------------------


def seen(watch: Watch, now: float, width: int = 120, height: int = 60, *, styled: bool = False) -> str:
    console = Console(width=width, force_terminal=styled, color_system="standard" if styled else None)
    with console.capture() as capture:
        console.print(view(watch, LineCounters(requests=7, answers=6, timeouts=1), now, width, height))
    return capture.get()


def test_the_view_shows_who_how_old_the_groups_the_line_and_the_events() -> None:
    shown = seen(watched(ONLINE, later(state=State.ON_BATTERY)), 103.5)
    for text in ("SMT1500 AS1 rack", "on battery", "read 2.5 s ago", "230.0 V", "100.0 %", "NAS", "input acceptable"):
        assert text in shown
    assert "7 requests, 6 answers; 1 timeouts" in shown
    assert "Events of this watch" in shown


def test_a_wide_terminal_has_two_columns() -> None:
    watch = watched(ONLINE)
    wide, narrow = seen(watch, 100.0, TWO_COLUMNS), seen(watch, 100.0, TWO_COLUMNS - 1)
    assert [line for line in wide.splitlines() if "Input" in line and "Battery" in line]
    assert not [line for line in narrow.splitlines() if "Input" in line and "Battery" in line]
    assert wide.count("\n") < narrow.count("\n")


def test_a_low_terminal_shows_the_newest_events_and_nothing_is_cut_off() -> None:
    watch = Watch(WHO)
    for number in range(NOTES + 1):
        watch.take(later(state=State.ON_BATTERY) if number % 2 else ONLINE, float(number))
    watch.lose("the newest", None, 99.0, EPOCH)
    for height in (19, 22, 24):
        shown = seen(watch, 100.0, 80, height)
        assert len(shown.splitlines()) <= height
        assert "the newest" in shown.partition("Events of this watch")[2]
    assert len(seen(watch, 100.0, 80, 24).splitlines()) > len(seen(watch, 100.0, 80, 22).splitlines())
    assert seen(watch, 100.0, 80, 99).count("  on battery") == NOTES // 2 - 1


def test_a_changed_value_is_marked_for_a_while() -> None:
    watch = watched(ONLINE, later(input_v=0.0))
    assert "\x1b[1;33m0.0 V" in seen(watch, 101.0 + MARKED_S - 0.1, styled=True)
    assert "\x1b[1;33m" not in seen(watch, 101.0 + MARKED_S, styled=True)


def test_a_lost_line_is_shown_with_its_cause_and_the_next_try_and_readings_are_not_live() -> None:
    watch = watched(ONLINE, later(input_v=0.0))
    watch.lose("the cable is out", 12.0, 101.5, EPOCH)
    shown = seen(watch, 103.5)
    assert "LINE LOST for 2 s, next try in 10 s: the cable is out. Readings are old." in " ".join(shown.split())
    assert "\x1b[1;33m" not in seen(watch, 101.6, styled=True)


def test_s6_what_a_unit_says_is_text_and_no_markup() -> None:
    watch = Watch(Identity(sku="[red]x[/red]\x1b]8;;", outlet_groups=((1, "[link=y]\x1b[2J"),)))
    watch.take(ONLINE, 100.0)
    watch.take(later(switched_outlets=(OutletGroup(index=1, on=False),)), 101.0)
    watch.lose("bad \x1b[31m[bold]", None, 102.0, EPOCH)
    shown = seen(watch, 102.0)
    assert "\x1b" not in shown
    for text in ("[red]x[/red]", "outlets of [link=y][2J: off", "bad [31m[bold]"):
        assert text in shown


# --- readings at the driver's pace --------------------------------------------------------------------------


async def test_readings_go_on_through_a_lost_line() -> None:
    bench = DriverBench()
    await bench.driver.connect()
    found = readings(bench.driver, bench.clock, await bench.driver.full())
    assert isinstance(await anext(found), Snapshot)
    assert isinstance(await anext(found), Snapshot)
    bench.port.damage = silent
    kinds = [type(await anext(found)) for _ in range(4)]
    assert kinds[-1] is LineDown
    assert all(issubclass(kind, LineError) for kind in kinds)
    bench.port.damage = undamaged
    lost_at = bench.clock.now
    back = await anext(found)
    assert isinstance(back, Snapshot)
    assert bench.clock.now - lost_at < 60
    await found.aclose()


async def test_every_so_often_a_reading_is_a_full_one() -> None:
    bench = DriverBench()
    await bench.driver.connect()
    found = readings(bench.driver, bench.clock, await bench.driver.full())
    bench.reads()
    for _ in range(10):
        await anext(found)
    reads = bench.reads()
    await found.aclose()
    assert (reads.count((0, 27)), reads.count((128, 44))) == (9, 3)


async def test_a_change_of_state_has_a_full_reading_behind_it() -> None:
    bench = DriverBench()
    await bench.driver.connect()
    found = readings(bench.driver, bench.clock, await bench.driver.full())
    await anext(found)
    bench.unit.image.update({1: 4, 130: 25600})
    news = await anext(found)
    await found.aclose()
    assert isinstance(news, Snapshot)
    assert (news.state, news.charge_pct) == (State.ON_BATTERY, 50.0)


# --- in a terminal ------------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """Without what would tell a program another size than the terminal's own."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm"}


class Terminal:
    """A program on a terminal of 120 columns; `text` is all that it wrote, without colours and cursor movements."""

    def __init__(self, *command: str | Path) -> None:
        self._far, near = os.openpty()
        fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 120, 0, 0))
        self.process = subprocess.Popen(command, stdin=near, stdout=near, stderr=near, env=_environment())
        os.close(near)
        self._data = b""

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._data.decode("utf-8", "replace"))

    def shows(self, text: str, within_s: float = 60.0) -> None:
        give_up_at = time.monotonic() + within_s
        while text not in self.text:
            assert time.monotonic() < give_up_at, self.text[-2000:]
            self._data += os.read(self._far, 65536)

    def rest(self) -> str:
        """Until the program has gone."""
        try:
            while data := os.read(self._far, 65536):
                self._data += data
        except OSError:
            return self.text
        return self.text

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._far)


@contextmanager
def terminal(*command: str | Path) -> Iterator[Terminal]:
    opened = Terminal(*command)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.slow
def test_a_watch_shows_a_transfer_a_lost_line_and_its_return_and_ends_by_ctrl_c(start: Start, tmp_path: Path) -> None:
    simulator = Simulator(start, tmp_path / "ups")
    url = f"{simulator.tcp}?fast_s=0.2&full_s=1&reconnect_s=1&timeout_s=0.5"
    with terminal(PROGRAM, "poll", url, "--watch") as shown:
        shown.shows("No events in this watch yet")
        simulator.control("mains off")
        shown.shows("on battery, cause:")
        simulator.control("wire modbus-tcp swallow 4")
        shown.shows("LINE LOST")
        shown.shows("the unit answers again after")
        shown.process.send_signal(signal.SIGINT)
        last = shown.rest()
        assert shown.process.wait(30) == 0
    assert "Traceback" not in last
    assert shown._data.rstrip().endswith(b"\x1b[?25h")


async def test_without_a_terminal_each_event_is_a_line(start: Start, tmp_path: Path) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups")
    url = f"{simulator.tcp}?fast_s=0.2&full_s=1"
    process = await asyncio.create_subprocess_exec(PROGRAM, "poll", url, "--watch", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        await process.stdout.readuntil(b"Flags")
        simulator.control("mains off")
        line = (await process.stdout.readuntil(b"cause: ")).decode().splitlines()[-1]
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert "on battery, cause: " in line
    assert process.returncode == 0


@pytest.mark.slow
async def test_s4_a_unit_that_rings_is_read_at_once(start: Start, tmp_path: Path) -> None:
    listeners = ("--upslink", str(tmp_path / "ups"), "--control", "127.0.0.1:0")
    simulator = await asyncio.to_thread(partial(start, "sim", "run", *listeners, ready=["upslink", "control"]))
    url = f"upslink://{tmp_path / 'ups'}?fast_s=60&full_s=3600"
    process = await asyncio.create_subprocess_exec(PROGRAM, "poll", url, "--watch", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(50):
        await process.stdout.readuntil(b"Flags")
        ask(simulator.address("control"), "mains off")
        await process.stdout.readuntil(b"on battery, cause: ")
    process.send_signal(signal.SIGINT)
    await process.communicate()
