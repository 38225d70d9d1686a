"""`ridethrough record`: what a unit said, masked, with nothing written to it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from drivers import url as urls
from drivers.capture.changes import Changes
from drivers.capture.mask import mask, without_place
from drivers.capture.model import Alert, Capture, Refusal, Registers, Reply, Said, Silence, Step, Variable
from drivers.capture.parse import read
from drivers.capture.plan import EVERYTHING
from drivers.capture.runtime.modbus import ModbusRecorder, refuse_to_write
from drivers.capture.runtime.record import record
from drivers.driver import Transport
from drivers.errors import NotAllowed, PortLost
from drivers.modbus import decode
from drivers.modbus.frames import Write
from drivers.modbus.options import read_options
from drivers.smartups.registers import REGISTERS, Access
from drivers.ups import State
from tests.conftest import Start
from tests.drivers.memory import SERIAL, MemoryClock, MemoryPort, MemoryUnit, silent
from tests.drivers.test_against_simulator import Simulator
from tests.drivers.test_ports import served, tcp_answer
from tests.process import PROGRAM


class Bench:
    """A recording of a unit in memory over Modbus TCP."""

    def __init__(self) -> None:
        self.clock, self.unit = MemoryClock(), MemoryUnit()
        self.port = MemoryPort(self.clock, self.unit, rtu=False)
        self.steps: list[Step] = []

    async def record(self, for_s: float = 0.0) -> list[Step]:
        options = read_options(urls.parse("modbus+tcp://10.0.0.5"), Transport.TCP)
        await record(ModbusRecorder(self.port, options, self.clock), self.clock, self.steps.append, for_s)
        return self.steps

    def said(self) -> list[Said]:
        return [said for step in self.steps for said in step.said]


def blocks(said: Iterable[Said]) -> list[tuple[int, int]]:
    return [(each.address, len(each.words)) for each in said if isinstance(each, Registers)]


# --- what is asked ------------------------------------------------------------------------------------------


def test_every_row_but_commands_is_asked_once_and_no_row_is_cut() -> None:
    covered = [address for block in EVERYTHING for address in range(block.address, block.end)]
    assert len(covered) == len(set(covered))
    for row in REGISTERS:
        asked = [address in set(covered) for address in range(row.address, row.end)]
        assert asked == [row.access is not Access.COMMAND] * row.words, row.name


async def test_s5_a_recording_writes_nothing_and_asks_the_whole_map() -> None:
    bench = Bench()
    await bench.record()
    assert bench.unit.writes == []
    assert blocks(bench.said()) == [(block.address, block.count) for block in EVERYTHING]


async def test_a_block_that_is_refused_is_recorded_so_and_its_parts_are_asked() -> None:
    bench = Bench()
    bench.unit.refuse = {(3, 128): 2, (3, 1024): 4}
    await bench.record()
    said = bench.said()
    assert Refusal(128, 44, 2) in said
    assert Refusal(1024, 29, 4) in said
    assert Refusal(128, 27, 2) in said
    assert (155, 17) in blocks(said)
    assert (1026, 22) in blocks(said)
    assert not any(isinstance(each, Silence) for each in said)


async def test_what_is_refused_again_is_not_asked_any_more_and_one_refusal_is_not_believed() -> None:
    bench = Bench()
    bench.unit.refuse = {(3, 128): 2}
    await bench.record(for_s=60.0)
    asked = [words[0] for function, address, words in bench.unit.requests if (function, address) == (3, 128)]
    assert (asked.count(44), asked.count(27)) == (2, 2)
    assert [words for _, address, words in bench.unit.requests if address == 155] == [(17,)] * 10


def test_s5_the_link_of_a_recording_makes_no_write() -> None:
    with pytest.raises(NotAllowed):
        refuse_to_write(Write(1543, (1,)))


async def test_what_is_silent_or_garbled_is_recorded_and_the_rest_goes_on() -> None:
    bench = Bench()

    def damage(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        address = int.from_bytes(request[8:10], "big")
        if address == 128:
            return silent(request, answer)
        return [(0.02, answer[:7] + b"\x04" + answer[8:] if address == 512 else answer)]

    bench.port.damage = damage
    await bench.record()
    assert Silence(128, 44) in bench.said()
    assert Silence(512, 1, garbled=True) in bench.said()
    assert (516, 120) in blocks(bench.said())


async def test_later_steps_hold_only_what_changed_and_a_change_of_state_has_the_measurements() -> None:
    bench = Bench()

    def damage(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        if bench.clock.now > 1001 and bench.unit.image[1] != 580:
            bench.unit.image.update({1: 580, 130: 51000})
        return [(0.0, answer)]

    bench.port.damage = damage
    first, change, last = await bench.record(for_s=10.0)
    assert first.at_ms == 0
    assert (change.at_ms, blocks(change.said)) == (4000, [(0, 27), (128, 44)])
    assert (last.at_ms, last.said) == (10_000, ())


async def test_a_line_that_is_lost_ends_the_recording_and_keeps_what_there_is() -> None:
    bench = Bench()

    def damage(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        if bench.clock.now > 1004:
            bench.port.hang_up()
        return [(0.0, answer)]

    bench.port.damage = damage
    with pytest.raises(PortLost):
        await bench.record(for_s=60.0)
    assert len(bench.steps) == 1
    assert not bench.port.is_open


def test_an_answer_is_news_once_and_an_alert_always() -> None:
    changes = Changes()
    said: list[Said] = [Registers(0, (1,)), Registers(0, (1, 2)), Reply("Q", "08"), Alert("!"), Variable("a", "b")]
    assert changes.of(said) == tuple(said)
    assert changes.of(said) == (Alert("!"),)
    again: list[Said] = [Refusal(0, 1, 2), Registers(0, (1, 2)), Reply("Q", "10")]
    assert changes.of(again) == (Refusal(0, 1, 2), Reply("Q", "10"))
    assert changes.of([Registers(0, (1,))]) == (Registers(0, (1,)),)


# --- what is masked -----------------------------------------------------------------------------------------


def test_serial_numbers_are_masked_wherever_they_stand() -> None:
    words = tuple(int.from_bytes(pair, "big") for pair in (b"zz", b"AS", b"12", b"3 ", b"\0\0", b"\xff\xff"))
    masked = tuple(int.from_bytes(pair, "big") for pair in (b"zz", b"XX", b"XX", b"X ", b"\0\0", b"\xff\xff"))
    assert mask(Registers(563, words)) == Registers(563, masked)
    assert mask(Registers(571, words[1:3])) == Registers(571, (masked[1], words[2]))
    assert mask(Reply("n", "AS 12  ")) == Reply("n", "XX XX  ")
    assert mask(Reply("b", "50.9.D")) == Reply("b", "50.9.D")
    assert mask(Reply("n", None)) == Reply("n", None)
    for name in ("ups.serial", "device.serial", "SERIALNO", "HOSTNAME", "driver.parameter.port", "battery.1.serial"):
        assert mask(Variable(name, "a1 b")) == Variable(name, "XX X")
    assert mask(Variable("ups.status", "OL")) == Variable("ups.status", "OL")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("modbus+tcp://10.0.0.5:502?unit=1", "modbus+tcp://HOST?unit=1"),
        ("modbus+tcp://[fe80::1]", "modbus+tcp://HOST"),
        ("modbus+rtu:///dev/serial/by-id/usb-FTDI_A1B2?baud=9600", "modbus+rtu:///DEVICE?baud=9600"),
        ("upslink://socket://10.0.0.9:4001", "upslink://socket://HOST"),
        ("nut://10.0.0.7/rack?user=me&password_file=/home/me/p&tls=require", "nut://HOST/rack?tls=require"),
    ],
)
def test_the_place_of_a_unit_is_left_out_of_its_url(url: str, shown: str) -> None:
    assert without_place(urls.parse(url)) == shown


# --- the command --------------------------------------------------------------------------------------------


async def run(*arguments: str | Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "record", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_file_is_masked_unless_asked_otherwise(tmp_path: Path) -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        masked, kept = tmp_path / "masked", tmp_path / "kept"
        status, out, _ = await run(f"modbus+tcp://{address}", masked, "--for", "0")
        assert (status, out) == (0, "")
        status, text, _ = await run(f"modbus+tcp://{address}", "-", "--for", "0", "--keep-serial", "--keep-host")
        assert status == 0
        kept.write_text(text)
    hidden, shown = read(masked.read_text()), read(kept.read_text())
    assert (hidden.header.url, hidden.header.serials_kept) == ("modbus+tcp://HOST", False)
    assert (shown.header.url, shown.header.serials_kept) == (f"modbus+tcp://{address}", True)
    serial = b"".join(shown.words()[at].to_bytes(2, "big") for at in range(564, 572)).decode().strip()
    assert serial == SERIAL
    differing = {at for at, word in hidden.words().items() if shown.words()[at] != word}
    assert differing == set(range(564, 570))
    assert address.partition(":")[2] not in masked.read_text()


async def test_a_file_that_is_there_is_replaced_only_when_forced(tmp_path: Path) -> None:
    file = tmp_path / "unit.capture"
    file.write_text("precious")
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        status, _, err = await run(f"modbus+tcp://{address}", file, "--for", "0")
        assert (status, file.read_text()) == (2, "precious")
        assert "--force" in err
        status, _, _ = await run(f"modbus+tcp://{address}", file, "--for", "0", "--force")
    assert status == 0
    assert read(file.read_text()).steps


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("modbus+rtu:///dev/no-such-line", 1, "no such device"),
        ("carrier+pigeon://roof", 2, "cannot be recorded; modbus+rtu, modbus+tcp, nis, nut, upslink can"),
        ("modbus+tcp://h?unti=1", 2, "did you mean 'unit'"),
    ],
)
async def test_an_error_is_one_clear_line(tmp_path: Path, url: str, status: int, text: str) -> None:
    found, out, err = await run(url, tmp_path / "unit.capture")
    assert (found, out) == (status, "")
    assert text in err
    assert "Traceback" not in err


async def test_s5_help_warns_of_plain_cables() -> None:
    _, out, _ = await run("--help")
    assert "DTR and RTS can switch the load off" in " ".join(out.split())


def grown(file: Path, lines: int, within_s: float = 60.0) -> str:
    """What stands in the file once it has so many readings of the status."""
    give_up_at = time.monotonic() + within_s
    while (text := file.read_text()).count("registers 0 27:") < lines and time.monotonic() < give_up_at:
        pass
    return text


def test_an_outage_is_recorded_in_its_time_until_ctrl_c(start: Start, tmp_path: Path) -> None:
    simulator = Simulator(start, tmp_path / "ups")
    file = tmp_path / "unit.capture"
    recording = start("record", f"{simulator.tcp}?fast_s=0.2&full_s=1", str(file), "--for", "600")
    recording.logged("recording for 600 s")
    grown(file, 1)
    simulator.mains("off", State.ON_BATTERY)
    grown(file, 2)
    assert recording.interrupt(signal.SIGINT) == 0
    assert "what was recorded is kept" in recording.stderr
    capture = read(file.read_text())
    assert [decode.state(dict(enumerate(each.words))) for each in statuses(capture)][:2] == ["online", "on_battery"]
    assert capture.steps[1].at_ms > 0
    assert simulator.writes() == []


def statuses(capture: Capture) -> list[Registers]:
    said = [each for step in capture.steps for each in step.said]
    return [each for each in said if isinstance(each, Registers) and each.address == 0]
