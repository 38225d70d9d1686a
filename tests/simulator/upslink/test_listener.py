"""The UPS-Link line on a real pty: its pace, its alerts, and a whole `sim run` on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator.models import find_model
from simulator.runtime.engine import Engine
from simulator.runtime.upslink import MAX_WAITING, UpsLinkListener, serve_upslink
from simulator.upslink.settings import UpsLinkSettings
from tests.conftest import Start
from tests.peers.simulated import Simulated

from .line import NEW, OLD, SM

CHARACTER_S = 10 / 2400
PATIENCE_S = 10.0


class Host:
    """The other end of the line, with the time at which each piece came."""

    def __init__(self, link: str) -> None:
        self._fd = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._came: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)
        self.times: list[float] = []

    def _read(self) -> None:
        self._came.put_nowait((self._loop.time(), os.read(self._fd, 4096)))

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    async def until(self, end: bytes, patience_s: float = PATIENCE_S) -> bytes:
        """Everything up to that; TimeoutError where nothing came for so long."""
        data, self.times = b"", []
        while not data.endswith(end):
            at, piece = await asyncio.wait_for(self._came.get(), patience_s)
            data += piece
            self.times.append(at)
        return data

    async def ask(self, character: bytes) -> bytes:
        self.write(character)
        return await self.until(b"\r\n")

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class Line:
    """A line in smart mode."""

    def __init__(self, engine: Engine, wire: UpsLinkSettings, listener: UpsLinkListener) -> None:
        self.engine, self.wire, self.listener = engine, wire, listener
        self.host = Host(listener.address)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    engine, wire = Engine(find_model(NEW)), UpsLinkSettings()
    profile = engine.model.upslink
    assert profile is not None
    listener = await serve_upslink(engine, str(tmp_path / "ups"), wire, profile)
    served = Line(engine, wire, listener)
    assert await served.host.ask(b"Y") == SM
    yield served
    served.host.close()
    await listener.close()
    assert not (tmp_path / "ups").is_symlink()


async def test_an_answer_comes_no_sooner_than_from_a_real_unit(line: Line) -> None:
    """Section 4.4: 40 ms, then 7 ms a character."""
    began_at = asyncio.get_running_loop().time()
    assert await line.host.ask(b"\x01") == b"Smart-UPS 1500\r\n"
    assert line.host.times[0] - began_at >= CHARACTER_S + 0.040 + 0.007 - 0.001
    assert line.host.times[-1] - began_at >= CHARACTER_S + 0.040 + 16 * 0.007 - 0.001


async def test_the_line_itself_needs_its_time_whatever_the_unit_could_do(line: Line) -> None:
    line.wire.change("answer-ms", "0")
    line.wire.change("character-ms", "0")
    began_at = asyncio.get_running_loop().time()
    await line.host.ask(b"\x1a")
    assert line.host.times[-1] - began_at >= (1 + 256) * CHARACTER_S - 0.001


async def test_at_speed_zero_an_answer_comes_in_one_piece(line: Line) -> None:
    line.wire.change("baud", "0")
    await line.host.ask(b"\x1a")
    assert len(line.host.times) == 1


async def test_an_alert_may_fall_inside_an_answer(line: Line) -> None:
    line.wire.change("character-ms", "100")
    line.host.write(b"\x01")
    await line.host.until(b"S")
    line.engine.obey("mains off")
    rest = await line.host.until(b"\r\n")
    assert b"!" in rest
    assert rest.replace(b"!", b"") == b"mart-UPS 1500\r\n"


async def test_an_alert_comes_without_being_asked_for(line: Line) -> None:
    line.engine.obey("mains off")
    assert await line.host.until(b"!") == b"!"
    assert await line.host.ask(b"Q") == b"10\r\n"


async def test_the_reply_to_a_command_comes_before_its_alert(line: Line) -> None:
    line.host.write(b"U")
    assert await line.host.until(b"!") == b"OK\r\n!"


async def test_of_many_characters_at_once_a_few_are_kept_and_the_rest_is_lost(line: Line) -> None:
    line.wire.change("answer-ms", "60")
    line.host.write(b"Q" * (MAX_WAITING + 20))
    for _ in range(MAX_WAITING):
        assert await line.host.until(b"\r\n") == b"08\r\n"
    line.wire.change("answer-ms", "0")
    assert await line.host.ask(b"G") == b"O\r\n"


async def test_an_ordered_fault_strikes_an_answer(line: Line) -> None:
    line.wire.faults.obey(["silence", "count=1"], asyncio.get_running_loop().time())
    line.host.write(b"Q")
    with pytest.raises(TimeoutError):
        await line.host.until(b"\r\n", patience_s=0.4)
    assert await line.host.ask(b"Q") == b"08\r\n"


async def test_a_wedged_unit_answers_again_when_the_line_is_opened_anew(line: Line) -> None:
    line.wire.faults.obey(["wedge", "count=1"], asyncio.get_running_loop().time())
    line.host.write(b"Q")
    with pytest.raises(TimeoutError):
        await line.host.until(b"\r\n", patience_s=0.4)
    line.host.write(b"Q")
    with pytest.raises(TimeoutError):
        await line.host.until(b"\r\n", patience_s=0.4)
    line.host.close()
    line.host = Host(line.listener.address)
    assert await line.host.ask(b"Q") == b"08\r\n"


# the whole program


async def test_sim_run_serves_the_line_and_records_what_it_was_told(start: Start, tmp_path: Path) -> None:
    unit = await asyncio.to_thread(lambda: Simulated(start, "--upslink", str(tmp_path / "ups"), ready="upslink"))
    host = Host(unit.address)
    assert await host.ask(b"Y") == SM
    assert await host.ask(b"W") == b"OK\r\n"
    host.close()
    (command,) = await asyncio.to_thread(unit.ctl, "commands")
    assert (command["characters"], command["reply"], command["answered"]) == ("W", "OK", True)
    assert command["order"]["task"] == "self_test"
    (wires,) = await asyncio.to_thread(unit.ctl, "wire", "upslink", "answer-ms", "0")
    assert (wires["wires"]["upslink"]["answer_ms"], wires["wires"]["upslink"]["baud"]) == (0, 2400)


async def test_sim_run_takes_another_model_and_pace(start: Start, tmp_path: Path) -> None:
    options = ("--upslink", str(tmp_path / "ups"), "--model", OLD, "--answer-ms", "5")
    unit = await asyncio.to_thread(lambda: Simulated(start, *options, ready="upslink"))
    host = Host(unit.address)
    assert await host.ask(b"Y") == SM
    assert await host.ask(b"V") == b"6TI\r\n"
    host.close()
    (wires,) = await asyncio.to_thread(unit.ctl, "wire")
    assert wires["wires"]["upslink"]["answer_ms"] == 5


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--upslink", "ups", "--model", "SMX750"), "SMX750 does not speak UPS-Link"),
        (("--upslink", "ups", "--modbus-tcp", "127.0.0.1:0"), "SUA1500I speaks UPS-Link and no Modbus"),
        (("--modbus-rtu", "ups", "--model", "SU600I"), "SU600I speaks UPS-Link and no Modbus"),
    ],
)
def test_a_model_is_not_served_on_a_wire_that_it_does_not_have(
    start: Start, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    process = start("sim", "run", *options, cwd=tmp_path)
    assert process.ended() == 2
    assert complaint in " ".join(process.stderr.split())


def test_a_scenario_s_wire_lines_are_tried_on_the_wires_of_the_model(start: Start, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("steps:\n  - {at: 1, do: wire upslink character-ms 5}\n  - {at: 2, do: wire max-sessions 1}\n")
    process = start("sim", "run", "--upslink", tmp_path / "ups", "--scenario", scenario)
    assert process.ended() == 2
    assert "steps[1].do" in process.stderr
