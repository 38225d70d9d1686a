"""A text that is broken off while it is typed, on a line that a serial server cuts: driver and simulator are real."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.driver import Driver
from drivers.errors import LineDown, LineError, PortLost
from drivers.open import open_driver
from drivers.ups import Command, Outcome, Verb
from simulator.models import find_model
from simulator.runtime.engine import Engine
from simulator.runtime.upslink import serve_upslink
from simulator.upslink.settings import UpsLinkSettings
from tests.drivers.faulty_unit import bare

WANTED = "rack 1"
TYPED = "-rack 1  "


class SerialServer:
    """A pty's bytes over TCP. With `cut_after`, the line is gone once that has gone through in one stretch.

    `garble` puts a byte on the line in place of the cut.
    """

    def __init__(self, device: str) -> None:
        self.cut_after = ""
        self.garble = False
        self.heard = ""
        self.idle = asyncio.Event()
        self._fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        self.idle.clear()
        loop.add_reader(self._fd, self._bring, writer)
        with contextlib.suppress(ConnectionError):
            while char := await reader.read(1):
                os.write(self._fd, char)
                self.heard += char.decode("latin-1")
                if self.cut_after and self.heard.endswith(self.cut_after):
                    self.cut_after = ""
                    if not self.garble:
                        break
                    writer.write(b"~")
        loop.remove_reader(self._fd)
        writer.transport.abort()
        self.idle.set()

    def _bring(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(BlockingIOError):
            writer.write(os.read(self._fd, 4096))

    def close(self) -> None:
        os.close(self._fd)


class Bench:
    """`driver` reads the unit through the server."""

    def __init__(self, engine: Engine, server: SerialServer, driver: Driver, witness: Driver) -> None:
        self.engine, self.server, self.driver, self.witness = engine, server, driver, witness

    @property
    def told(self) -> list[object]:
        """Everything that the unit was sent and that was no question."""
        return [each["characters"] for each in self.engine.commands()]


@asynccontextmanager
async def broken_after(folder: Path, typed: str, *, garble: bool = False) -> AsyncIterator[Bench]:
    engine = Engine(find_model("SUA1500I"), serial="AS0836160289")
    engine.set_pace(held=True)
    assert engine.model.upslink is not None
    lines = [
        await serve_upslink(engine, str(folder / name), UpsLinkSettings(baud=0, answer_ms=5), engine.model.upslink)
        for name in ("served", "sound")
    ]
    server = SerialServer(lines[0].address)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    driver = open_driver(f"upslink://socket://127.0.0.1:{listener.sockets[0].getsockname()[1]}?timeout_s=1")
    witness = open_driver(f"upslink://{lines[1].address}")
    bench = Bench(engine, server, driver, witness)
    try:
        await driver.connect()
        server.cut_after, server.garble = typed, garble
        yield bench
    finally:
        await bench.driver.close()
        await witness.close()
        await asyncio.wait_for(server.idle.wait(), 10)
        listener.close()
        await listener.wait_closed()
        server.close()
        for line in lines:
            await line.close()


async def name_it(driver: Driver) -> Outcome:
    serial = (await driver.connect()).serial or ""
    return (await driver.execute(Command(verb=Verb.SET_NAME, serial=serial, value=WANTED))).outcome


async def back(driver: Driver, tries: int) -> None:
    """The unit is read again, by that many new connections at most."""
    loop, failed = asyncio.get_running_loop(), 0
    while failed < tries:
        try:
            await driver.fast()
        except LineDown as error:
            due = loop.create_future()
            loop.call_later(error.retry_in_s, due.set_result, None)
            await due
        except PortLost:
            continue
        except LineError:
            failed += 1
        else:
            return
    raise AssertionError(f"not back after {tries} connections")


async def all_is_right(bench: Bench) -> None:
    """Every reading and setting is the unit's own, and the name what the unit says it is."""
    who, there = await bench.driver.identify(), await bench.witness.identify()
    assert who == there
    assert bare(await bench.driver.full()) == bare(await bench.witness.full())
    assert await bench.driver.settings() == await bench.witness.settings()
    assert bench.engine.settings() == bench.engine.model.settings, "no setting but the text was touched"


@pytest.mark.parametrize("letters", [0, 3, 7, 8])
async def test_a_name_that_is_cut_off_is_ended_by_y_alone_on_the_next_connection(tmp_path: Path, letters: int) -> None:
    typed = TYPED[: 1 + letters]
    async with broken_after(tmp_path, typed) as bench:
        assert await name_it(bench.driver) is Outcome.UNKNOWN
        bench.server.heard = ""
        await back(bench.driver, tries=1)
        assert set(bench.server.heard.partition("V")[0]) == {"Y"}, "nothing else until the unit is there again"
        await all_is_right(bench)
        name = typed[1:].ljust(8, "Y")
        assert bench.told == [f"c-{name}"], "the text alone, and once"
        assert bench.engine.identity().name == name.rstrip()


async def test_a_name_that_noise_breaks_off_is_told_as_what_the_unit_now_has(tmp_path: Path) -> None:
    async with broken_after(tmp_path, TYPED[:3], garble=True) as bench:
        serial = (await bench.driver.connect()).serial or ""
        report = await bench.driver.execute(Command(verb=Verb.SET_NAME, serial=serial, value=WANTED))
        assert report.outcome is Outcome.NOT_TAKEN
        assert "'raYYYYYY'" in report.detail
        await all_is_right(bench)
        assert bench.told == ["c-raYYYYYY"]


async def test_a_gateway_that_died_while_it_typed_is_followed_by_one_that_reads_right(tmp_path: Path) -> None:
    """The new process knows nothing of it: its tries to enter smart mode end the text all the same."""
    async with broken_after(tmp_path, TYPED[:2]) as bench:
        assert await name_it(bench.driver) is Outcome.UNKNOWN
        url = bench.driver.url
        await bench.driver.close()
        bench.driver = open_driver(url)
        await back(bench.driver, tries=3)
        await all_is_right(bench)
        assert bench.told == ["c-rYYYYYYY"]
