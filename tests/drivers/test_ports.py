"""Real ports: a pseudo-terminal and TCP sockets, with a unit in memory behind them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.errors import LineDown, PortBusy, PortLost, Refused
from drivers.open import open_driver
from drivers.runtime.serial import SerialPort, lock_holder
from drivers.ups import State
from tests.drivers.memory import MemoryUnit, crc16


class PtyUnit:
    """A unit at the far end of a pseudo-terminal. The near end stays open, so that a driver that closes its own is
    no hang-up.
    """

    def __init__(self, unit: MemoryUnit) -> None:
        self.unit = unit
        self.far, self.near = os.openpty()
        tty.setraw(self.near)
        self.device = os.ttyname(self.near)
        self.plugged = True
        self._data = b""
        asyncio.get_running_loop().add_reader(self.far, self._receive)

    def _receive(self) -> None:
        self._data += os.read(self.far, 512)
        if len(self._data) >= 8 and crc16(self._data[:-2]) == self._data[-2:]:
            body = self._data[:1] + self.unit.answer(self._data[1:-2])
            os.write(self.far, body + crc16(body))
            self._data = b""

    def unplug(self) -> None:
        self.plugged = False
        asyncio.get_running_loop().remove_reader(self.far)
        os.close(self.far)
        os.close(self.near)


@asynccontextmanager
async def on_a_pty() -> AsyncIterator[PtyUnit]:
    pty = PtyUnit(MemoryUnit())
    try:
        yield pty
    finally:
        if pty.plugged:
            pty.unplug()


async def test_a_pty_is_read_like_a_serial_line() -> None:
    async with on_a_pty() as pty:
        driver = open_driver(f"modbus+rtu://{pty.device}")
        assert (await driver.connect()).sku == "SMTL1500RM3UC"
        assert (await driver.full()).charge_pct == 100.0
        assert (await driver.fast()).state is State.ONLINE
        await driver.close()


async def test_a_symbolic_link_to_a_pty_works_too(tmp_path: Path) -> None:
    async with on_a_pty() as pty:
        link = tmp_path / "ups"
        link.symlink_to(pty.device)
        driver = open_driver(f"modbus+rtu://{link}")
        assert (await driver.full()).state is State.ONLINE
        await driver.close()


async def test_s5_a_port_locked_by_another_process_is_refused() -> None:
    async with on_a_pty() as pty:
        other = os.open(pty.device, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        driver = open_driver(f"modbus+rtu://{pty.device}")
        with pytest.raises(PortBusy, match="in use by another process"):
            await driver.connect()
        assert pty.unit.requests == []
        os.close(other)
        await driver.close()


async def test_s5_we_lock_the_port_while_it_is_open() -> None:
    async with on_a_pty() as pty:
        driver = open_driver(f"modbus+rtu://{pty.device}")
        await driver.connect()
        other = os.open(pty.device, os.O_RDWR | os.O_NOCTTY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        await driver.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)


async def test_s5_hupcl_is_off_and_the_line_is_8n1_raw_at_9600() -> None:
    async with on_a_pty() as pty:
        attributes = termios.tcgetattr(pty.near)
        attributes[2] |= termios.HUPCL
        termios.tcsetattr(pty.near, termios.TCSANOW, attributes)
        driver = open_driver(f"modbus+rtu://{pty.device}")
        await driver.connect()
        _, _, control, local, speed, _, _ = termios.tcgetattr(pty.near)
        assert not control & (termios.HUPCL | termios.PARENB | termios.CSTOPB)
        assert control & termios.CSIZE == termios.CS8
        assert not local & (termios.ICANON | termios.ECHO)
        assert speed == termios.B9600
        await driver.close()


def test_s5_a_lock_file_of_a_living_process_counts_and_a_stale_one_does_not(tmp_path: Path) -> None:
    lock = tmp_path / "LCK..ttyS9"
    for text, holder in ((f"{os.getppid()}\n", os.getppid()), ("4194304999\n", None), ("rubbish", None), ("", None)):
        lock.write_text(text)
        assert lock_holder("/dev/ttyS9", (tmp_path,)) == holder
    assert lock_holder("/dev/ttyS8", (tmp_path,)) is None


async def test_an_unplugged_adapter_is_a_lost_line_and_not_a_crash() -> None:
    async with on_a_pty() as pty:
        driver = open_driver(f"modbus+rtu://{pty.device}")
        await driver.connect()
        pty.unplug()
        with pytest.raises(PortLost):
            await driver.fast()
        with pytest.raises(LineDown):
            await driver.fast()
        await driver.close()


@pytest.mark.parametrize(
    ("device", "why"), [("/dev/no-such-line", "no such device"), ("/dev/null", "could not|Could not|cannot")]
)
async def test_a_device_that_is_no_serial_line_is_named_with_the_reason(device: str, why: str) -> None:
    driver = open_driver(f"modbus+rtu://{device}")
    with pytest.raises(PortLost, match=f"{device}: .*({why})"):
        await driver.connect()


Answer = Callable[[bytes], bytes]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """A TCP server that answers each chunk; its address and the connections so far."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while data := await reader.read(512):
            writer.write(answer(data))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}", connections
    finally:
        server.close()
        for writer in connections:
            writer.close()
        await server.wait_closed()


def tcp_answer(unit: MemoryUnit) -> Answer:
    def answer(frame: bytes) -> bytes:
        pdu = unit.answer(frame[7:])
        return frame[:4] + (len(pdu) + 1).to_bytes(2, "big") + frame[6:7] + pdu

    return answer


def rtu_answer(unit: MemoryUnit) -> Answer:
    def answer(frame: bytes) -> bytes:
        body = frame[:1] + unit.answer(frame[1:-2])
        return body + crc16(body)

    return answer


async def test_a_serial_server_works_wherever_a_serial_device_does() -> None:
    async with served(rtu_answer(MemoryUnit())) as (address, _):
        driver = open_driver(f"modbus+rtu://socket://{address}")
        assert (await driver.full()).runtime_s == 376
        await driver.close()


async def test_one_tcp_connection_serves_all_requests() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, connections):
        driver = open_driver(f"modbus+tcp://{address}")
        for _ in range(3):
            assert (await driver.full()).state is State.ONLINE
        assert len(connections) == 1
        await driver.close()


async def test_a_peer_that_closes_is_noticed_at_once() -> None:
    """Not at the time-out, as pymodbus's client does."""
    async with served(tcp_answer(MemoryUnit())) as (address, connections):
        driver = open_driver(f"modbus+tcp://{address}?timeout_s=30")
        await driver.connect()
        connections[0].transport.abort()
        async with asyncio.timeout(5):
            with pytest.raises(PortLost):
                await driver.fast()
        await driver.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Bound and not listening, so that nobody else gets it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


async def test_a_closed_tcp_port_is_refused_with_what_to_do(closed_port: int) -> None:
    driver = open_driver(f"modbus+tcp://127.0.0.1:{closed_port}")
    with pytest.raises(Refused, match="TCP Protocols"):
        await driver.connect()


async def test_a_name_with_several_addresses_is_still_refused_and_not_unreachable(closed_port: int) -> None:
    driver = open_driver(f"modbus+tcp://localhost:{closed_port}")
    with pytest.raises(Refused):
        await driver.connect()


async def test_an_unknown_host_is_named() -> None:
    driver = open_driver("modbus+tcp://no-such-host.invalid")
    with pytest.raises(PortLost, match="no-such-host.invalid:502: cannot connect"):
        await driver.connect()


def test_s5_dtr_and_rts_are_not_asserted() -> None:
    """A pty has no such lines; pyserial sets them on opening as they are asked for here."""
    line = SerialPort("/dev/ttyS0", 9600, "none").line
    assert (line.dtr, line.rts, line.exclusive) == (False, False, True)
