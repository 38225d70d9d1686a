"""The boot loader on real pseudo-terminals and a real TCP port: whose the line is, and when."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from simulator.bootloader.loader import Phase
from simulator.modbus.settings import WireSettings
from simulator.models import find_model
from simulator.orders import Answer, Order, Task
from simulator.runtime.bootloader import Boot
from simulator.runtime.engine import Engine
from simulator.runtime.modbus_rtu import serve_rtu
from simulator.runtime.modbus_tcp import serve_tcp
from simulator.runtime.upslink import serve_upslink
from simulator.upslink.settings import UpsLinkSettings

from .bench import ACK, EOT, NAK, C, blocks, image_of

READ_TEST = bytes.fromhex("01 03 08 02 00 04 E7 A9")
TEST_REPLY = bytes.fromhex("01 03 08 31 32 33 34 35 36 37 38 08 EB")
READ_FIRMWARE = bytes.fromhex("01 03 02 04 00 08 04 75")
OLD_FIRMWARE = b"\x01\x03\x10UPS 04.1" + bytes(8) + b"\xf4\x47"
NEW_FIRMWARE = b"\x01\x03\x10UPS 04.2" + bytes(8) + b"\xe0\xb7"
ENTER = b"!RIDETHROUGH-BOOT 1015 on 04.1\r"
BOOT = b"BOOT 9600\r\n"
PATIENCE_S, QUIET_S = 10.0, 0.4
ASKED_AT_MOST = 25


class Host:
    """The other end of a serial line."""

    def __init__(self, link: Path) -> None:
        self._fd = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._came: asyncio.Queue[bytes] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        self._came.put_nowait(os.read(self._fd, 4096))

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    async def until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += await asyncio.wait_for(self._came.get(), PATIENCE_S)
        return data

    async def ask(self, data: bytes, end: bytes) -> bytes:
        self.write(data)
        return await self.until(end)

    async def is_silent(self) -> bool:
        try:
            await asyncio.wait_for(self._came.get(), QUIET_S)
        except TimeoutError:
            return True
        return False

    async def enter(self, command: bytes) -> bytes:
        """The answer to a command, which comes after silence."""
        assert await self.is_silent()
        return await self.ask(command, b"\r\n")

    async def ask_until_answered(self, data: bytes, end: bytes) -> bytes:
        """For a unit that is on its way."""
        for _ in range(ASKED_AT_MOST):
            self.write(data)
            try:
                return await asyncio.wait_for(self.until(end), QUIET_S)
            except TimeoutError:
                continue
        raise AssertionError("no answer")

    async def upload(self, content: bytes) -> None:
        assert await self.until(C) == C
        for each in blocks(content):
            assert await self.ask(each, ACK) == ACK
        assert await self.ask(EOT, NAK) == NAK
        assert await self.ask(EOT, ACK) == ACK

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


class Rig:
    """One unit on two serial lines and TCP."""

    def __init__(self, engine: Engine, folder: Path, tcp: str) -> None:
        self.engine, self.tcp = engine, tcp
        self.first, self.second = Host(folder / "first"), Host(folder / "second")


def quick(engine: Engine) -> None:
    for setting in ("start-ms 50", "erase-ms 50", "boot-ms 1000", "paced off"):
        engine.obey(f"firmware {setting}")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = Engine(find_model("SMT1500RM2UC"))
    quick(engine)
    listeners: list[Any] = [
        await serve_rtu(engine, str(tmp_path / name), WireSettings(baud=0), Boot(engine, f"modbus-rtu {name}"))
        for name in ("first", "second")
    ]
    listeners.append(await serve_tcp(engine, "127.0.0.1:0", WireSettings(), Boot(engine, "modbus-tcp")))
    served = Rig(engine, tmp_path, listeners[-1].address)
    yield served
    for host in (served.first, served.second):
        host.close()
    for listener in listeners:
        await listener.close()


async def test_modbus_is_silent_on_every_line_until_the_new_version_runs(rig: Rig) -> None:
    assert await rig.first.ask(READ_FIRMWARE, OLD_FIRMWARE) == OLD_FIRMWARE
    assert await rig.first.enter(ENTER) == BOOT
    rig.second.write(READ_TEST)
    host, _, port = rig.tcp.rpartition(":")
    client = AsyncModbusTcpClient(host, port=int(port), timeout=QUIET_S, retries=0)
    assert await client.connect()
    with pytest.raises(ModbusIOException):
        await client.read_holding_registers(516, count=8, device_id=1)
    client.close()
    assert await rig.second.is_silent()
    await rig.first.upload(image_of())
    rig.first.write(READ_TEST)
    assert await rig.first.is_silent()
    assert await rig.first.ask_until_answered(READ_FIRMWARE, NEW_FIRMWARE) == NEW_FIRMWARE
    assert await rig.second.ask(READ_TEST, TEST_REPLY) == TEST_REPLY


async def test_a_refused_command_leaves_modbus_as_it_was(rig: Rig) -> None:
    rig.engine.obey("mains off")
    refused = b"REFUSED on_battery\r\n"
    assert await rig.first.enter(ENTER) == refused
    assert await rig.first.ask_until_answered(READ_TEST, TEST_REPLY) == TEST_REPLY
    (told,) = rig.engine.commands()
    assert (told["line"], told["enter"], told["reply"]) == (
        "modbus-rtu first",
        "!RIDETHROUGH-BOOT 1015 on 04.1",
        "REFUSED on_battery",
    )


async def test_a_lone_mark_does_not_spoil_the_next_request(rig: Rig) -> None:
    rig.first.write(b"!")
    assert await rig.first.is_silent()
    assert await rig.first.ask(READ_TEST, TEST_REPLY) == TEST_REPLY


async def test_the_command_over_tcp_means_nothing(rig: Rig) -> None:
    host, _, port = rig.tcp.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(ENTER)
    with pytest.raises(ConnectionError):
        await reader.readexactly(1)
    writer.close()
    assert not rig.engine.loader.silent


async def test_a_block_takes_its_time_on_the_line(rig: Rig) -> None:
    """1029 bytes at 19200 baud, 8N1: 0.536 s."""
    rig.engine.obey("firmware paced on")
    rig.engine.obey("firmware baud 19200")
    assert await rig.first.enter(ENTER) == b"BOOT 19200\r\n"
    assert await rig.first.until(C) == C
    first, second, *_ = blocks(image_of())
    assert await rig.first.ask(first, ACK) == ACK
    began_at = asyncio.get_running_loop().time()
    assert await rig.first.ask(second, ACK) == ACK
    assert asyncio.get_running_loop().time() - began_at >= 1029 * 10 / 19200


# UPS-Link


@pytest.fixture
async def upslink(tmp_path: Path) -> AsyncIterator[tuple[Engine, Host]]:
    """A unit whose output is off, in smart mode."""
    engine = Engine(find_model("SUA1500I"))
    quick(engine)
    assert engine.order(Order(task=Task.OUTLET_OFF, groups=(0,))) is Answer.TAKEN
    profile = engine.model.upslink
    assert profile is not None
    wire = UpsLinkSettings(baud=0, answer_ms=0)
    listener = await serve_upslink(engine, str(tmp_path / "ups"), wire, profile, Boot(engine, "upslink"))
    host = Host(tmp_path / "ups")
    assert await host.ask(b"Y", b"SM\r\n") == b"SM\r\n"
    yield engine, host
    host.close()
    await listener.close()


async def test_an_upslink_unit_is_upgraded_and_starts_anew(upslink: tuple[Engine, Host]) -> None:
    engine, host = upslink
    assert await host.ask(b"b", b"\r\n") == b"653.18.I\r\n"
    assert await host.enter(b"!RIDETHROUGH-BOOT 653.I off 18\r") == BOOT
    engine.obey("mains off")
    await host.upload(image_of("653.I", "19"))
    assert await host.ask_until_answered(b"Y", b"SM\r\n") == b"SM\r\n"
    assert await host.ask(b"b", b"\r\n") == b"653.19.I\r\n"
    assert await host.ask(b"V", b"\r\n") == b"FWI\r\n"


async def test_none_of_the_command_s_letters_reaches_the_dialogue(upslink: tuple[Engine, Host]) -> None:
    """D would be a calibration, U a simulated power failure, R the end of smart mode."""
    engine, host = upslink
    refused = b"REFUSED wrong_version\r\n"
    assert await host.enter(b"!RIDETHROUGH-BOOT 653.I off 17\r") == refused
    assert await host.is_silent()
    assert await host.ask(b"Y", b"SM\r\n") == b"SM\r\n"
    assert [each.get("enter") for each in engine.commands()] == ["!RIDETHROUGH-BOOT 653.I off 17"]


async def test_a_lone_mark_is_answered_when_it_is_seen_to_be_no_command(upslink: tuple[Engine, Host]) -> None:
    assert await upslink[1].enter(b"!") == b"NA\r\n"


async def test_a_power_cut_leaves_the_line_to_a_boot_loader_that_waits(upslink: tuple[Engine, Host]) -> None:
    engine, host = upslink
    await host.enter(b"!RIDETHROUGH-BOOT 653.I off 18\r")
    assert await host.until(C) == C
    first, second, *_ = blocks(image_of("653.I", "19"))
    assert await host.ask(first, ACK) == ACK
    engine.obey("mains off")
    engine.obey("battery disconnect")
    host.write(second)
    assert await host.is_silent()
    assert engine.loader.phase is Phase.UNPOWERED
    engine.obey("mains on")
    await host.upload(image_of("653.I", "19"))
    assert await host.ask_until_answered(b"Y", b"SM\r\n") == b"SM\r\n"
