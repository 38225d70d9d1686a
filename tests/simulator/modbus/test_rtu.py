"""The serial line on a real pty, read with pymodbus's client and by hand."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import pytest
from pymodbus.client import AsyncModbusSerialClient

from simulator.modbus.settings import WireSettings
from simulator.modbus.wire import SILENCE_S, wire_s
from simulator.orders import Order, Task
from simulator.runtime.modbus_rtu import MAX_WAITING, RtuListener, serve_rtu
from tests.simulator.modbus import smtl
from tests.simulator.modbus.smtl import HeldUnit

READ_TEST = bytes.fromhex("01 03 08 02 00 04 E7 A9")
TEST_REPLY = bytes.fromhex("01 03 08 31 32 33 34 35 36 37 38 08 EB")
APCUPSD_END_S = 0.025
"""A gap this long inside a reply would end it for apcupsd (11)."""
READ_INVENTORY = bytes.fromhex("01 03 02 04 00 78 05 91")


class Master:
    """The other end of the line, with the time at which bytes came."""

    def __init__(self, link: str) -> None:
        self.fd = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.came: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.fd, self._read)

    def _read(self) -> None:
        self.came.put_nowait((self.loop.time(), os.read(self.fd, 4096)))

    def write(self, data: bytes) -> None:
        os.write(self.fd, data)

    async def reply(self, size: int, patience_s: float = 5.0) -> tuple[bytes, list[float]]:
        """That many bytes, and when their pieces came; TimeoutError where no byte came for so long."""
        data, times = b"", []
        while len(data) < size:
            at, piece = await asyncio.wait_for(self.came.get(), patience_s)
            data += piece
            times.append(at)
        return data, times

    def close(self) -> None:
        self.loop.remove_reader(self.fd)
        os.close(self.fd)


class Line:
    def __init__(self, unit: HeldUnit, wire: WireSettings, listener: RtuListener) -> None:
        self.unit, self.wire, self.listener = unit, wire, listener
        self.master = Master(listener.address)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    unit, wire = HeldUnit(), WireSettings()
    listener = await serve_rtu(unit, str(tmp_path / "ups"), wire)
    served = Line(unit, wire, listener)
    yield served
    served.master.close()
    await listener.close()


async def test_pymodbus_reads_the_unit_and_gives_it_an_order(tmp_path: Path) -> None:
    unit = HeldUnit()
    listener = await serve_rtu(unit, str(tmp_path / "ups"), WireSettings())
    client = AsyncModbusSerialClient(listener.address, baudrate=9600, retries=0)
    assert await client.connect()
    try:
        assert tuple((await client.read_holding_registers(0, count=27)).registers) == smtl.STATUS_WORDS
        assert tuple((await client.read_holding_registers(128, count=44)).registers) == smtl.DYNAMIC_WORDS
        assert not (await client.write_registers(1541, [1])).isError()
    finally:
        client.close()
        await listener.close()
    assert unit.orders == [Order(task=Task.SELF_TEST)]


async def test_the_reference_s_frame_is_answered_byte_for_byte(line: Line) -> None:
    line.master.write(READ_TEST)
    assert (await line.master.reply(len(TEST_REPLY)))[0] == TEST_REPLY


async def test_a_reply_takes_the_time_of_its_bytes_at_9600_baud_without_long_gaps(line: Line) -> None:
    began_at = asyncio.get_running_loop().time()
    line.master.write(READ_INVENTORY)
    _, times = await line.master.reply(245)
    needed_s = wire_s(8 + 245, 9600)
    assert times[-1] - began_at >= needed_s - 0.001
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert median(gaps) < APCUPSD_END_S


async def test_at_speed_zero_a_reply_comes_in_one_piece(line: Line) -> None:
    line.wire.change("baud", "0")
    line.master.write(READ_INVENTORY)
    _, times = await line.master.reply(245)
    assert len(times) == 1


async def test_the_answer_time_comes_on_top(line: Line) -> None:
    line.wire.change("answer-ms", "60")
    began_at = asyncio.get_running_loop().time()
    line.master.write(READ_TEST)
    _, times = await line.master.reply(len(TEST_REPLY))
    assert times[0] - began_at >= 0.06 + wire_s(8, 9600) - 0.001


async def test_an_unknown_function_gets_its_exception_after_the_silence(line: Line) -> None:
    began_at = asyncio.get_running_loop().time()
    line.master.write(bytes.fromhex("01 11 C0 2C"))
    reply, times = await line.master.reply(5)
    assert reply[:3] == bytes.fromhex("01 91 01")
    assert times[0] - began_at >= SILENCE_S


async def test_half_a_frame_is_not_answered_and_does_not_swallow_the_next_good_one(line: Line) -> None:
    line.master.write(READ_TEST[:5])
    with pytest.raises(TimeoutError):
        await line.master.reply(1, patience_s=0.25)
    line.master.write(READ_TEST)
    assert (await line.master.reply(len(TEST_REPLY)))[0] == TEST_REPLY


async def test_a_damaged_reply_has_a_wrong_check_sum(line: Line) -> None:
    line.wire.reset_on_fast_writes = True
    write = bytes.fromhex("01 06 04 02 00 82 A9 5B")
    line.master.write(write)
    assert (await line.master.reply(8))[0] == write
    line.master.write(write)
    reply, _ = await line.master.reply(8)
    assert reply[:-1] == write[:-1]
    assert reply[-1] != write[-1]


async def test_a_strict_unit_does_not_hear_a_request_right_after_its_reply(line: Line) -> None:
    line.wire.change("require-gap-ms", "35")
    line.master.write(READ_TEST)
    await line.master.reply(len(TEST_REPLY))
    line.master.write(READ_TEST)
    with pytest.raises(TimeoutError):
        await line.master.reply(1, patience_s=0.25)
    line.master.write(READ_TEST)
    assert (await line.master.reply(len(TEST_REPLY)))[0] == TEST_REPLY


async def test_of_many_requests_at_once_a_few_are_kept_and_the_rest_is_lost(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.master.write(READ_TEST * (MAX_WAITING + 6))
    await line.master.reply(MAX_WAITING * len(TEST_REPLY))
    line.master.write(READ_INVENTORY)
    reply, _ = await line.master.reply(245)
    assert reply[:3] == bytes.fromhex("01 03 F0")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_s1_with_its_reply_swallowed_a_command_is_seen_exactly_once(line: Line) -> None:
    line.wire.swallow = 1
    line.master.write(bytes.fromhex("01 10 06 05 00 01 02 00 01 01 C5"))
    line.master.write(READ_TEST)
    assert (await line.master.reply(len(TEST_REPLY)))[0] == TEST_REPLY
    assert line.unit.orders == [Order(task=Task.SELF_TEST)]


async def test_a_master_may_set_the_line_and_come_and_go(line: Line) -> None:
    for _ in range(3):
        other = Master(line.listener.address)
        settings = termios.tcgetattr(other.fd)
        settings[4] = settings[5] = termios.B9600
        settings[2] |= termios.HUPCL
        termios.tcsetattr(other.fd, termios.TCSAFLUSH, settings)
        line.master.loop.remove_reader(line.master.fd)
        other.write(READ_TEST)
        assert (await other.reply(len(TEST_REPLY)))[0] == TEST_REPLY
        other.close()


async def test_closing_removes_the_link(tmp_path: Path) -> None:
    link = tmp_path / "ups"
    listener = await serve_rtu(HeldUnit(), str(link), WireSettings())
    assert link.is_symlink()
    assert link.resolve().is_char_device()
    await listener.close()
    assert not link.is_symlink()


async def test_a_link_left_by_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "ups"
    link.symlink_to("/dev/pts/999999")
    listener = await serve_rtu(HeldUnit(), str(link), WireSettings())
    assert link.resolve().is_char_device()
    await listener.close()


@pytest.mark.parametrize("kind", ["file", "other link"])
async def test_what_is_not_a_link_to_a_pty_is_left_alone(tmp_path: Path, kind: str) -> None:
    link = tmp_path / "ups"
    if kind == "file":
        link.write_text("mine")
    else:
        link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        await serve_rtu(HeldUnit(), str(link), WireSettings())
    assert link.is_symlink() == (kind == "other link")


async def test_a_link_that_another_took_over_is_left_to_it(tmp_path: Path) -> None:
    link = tmp_path / "ups"
    first = await serve_rtu(HeldUnit(), str(link), WireSettings())
    second = await serve_rtu(HeldUnit(), str(link), WireSettings())
    await first.close()
    assert link.is_symlink()
    await second.close()
    assert not link.is_symlink()


async def test_a_folder_that_is_missing_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await serve_rtu(HeldUnit(), str(tmp_path / "none" / "ups"), WireSettings())
