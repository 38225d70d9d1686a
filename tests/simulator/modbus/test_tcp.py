"""The TCP port on real sockets of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from pymodbus.client import AsyncModbusTcpClient

from simulator.modbus.settings import WireSettings
from simulator.orders import Order, Task
from simulator.runtime.modbus_tcp import TcpListener, serve_tcp
from tests.simulator.modbus import smtl
from tests.simulator.modbus.smtl import HeldUnit

READ = bytes.fromhex("00 01 00 00 00 06 01 03 00 00 00 02")
REPLY = bytes.fromhex("00 01 00 00 00 07 01 03 04 00 00 20 02")
SELF_TEST = bytes.fromhex("00 02 00 00 00 09 01 10 06 05 00 01 02 00 01")


class Port:
    """A served unit and the sessions opened to it, all ended together."""

    def __init__(self, unit: HeldUnit, wire: WireSettings, listener: TcpListener) -> None:
        self.unit, self.wire, self.listener = unit, wire, listener
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def place(self) -> tuple[str, int]:
        host, _, port = self.listener.address.rpartition(":")
        return host, int(port)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.place)
        self.writers.append(writer)
        return reader, writer

    async def refused(self) -> bool:
        try:
            await self.connect()
        except ConnectionRefusedError:
            return True
        return False


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    unit, wire = HeldUnit(), WireSettings()
    served = Port(unit, wire, await serve_tcp(unit, "127.0.0.1:0", wire))
    yield served
    for writer in served.writers:
        writer.close()
    await served.listener.close()


async def test_pymodbus_reads_the_unit_and_gives_it_an_order(port: Port) -> None:
    host, number = port.place
    client = AsyncModbusTcpClient(host, port=number, retries=0)
    assert await client.connect()
    try:
        assert tuple((await client.read_holding_registers(0, count=27)).registers) == smtl.STATUS_WORDS
        assert tuple((await client.read_holding_registers(128, count=44)).registers) == smtl.DYNAMIC_WORDS
        assert (await client.read_holding_registers(516, count=120)).registers[72] == 1440
        assert (await client.read_holding_registers(1, count=2)).exception_code == 2
        assert not (await client.write_registers(1541, [1])).isError()
        assert (await client.write_register(1026, 130)).registers == [130]
    finally:
        client.close()
    assert port.unit.orders == [
        Order(task=Task.SELF_TEST),
        Order(task=Task.SET_TRANSFER_HIGH, value=130),
    ]


async def test_requests_sent_at_once_are_answered_one_at_a_time_in_their_order(port: Port) -> None:
    port.wire.answer_ms = 20
    reader, writer = await port.connect()
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    writer.write(b"".join(n.to_bytes(2, "big") + READ[2:] for n in (5, 3, 4)))
    replies = [await reader.readexactly(len(REPLY)) for _ in range(3)]
    assert [int.from_bytes(reply[:2], "big") for reply in replies] == [5, 3, 4]
    assert all(reply[2:] == REPLY[2:] for reply in replies)
    assert loop.time() - began_at >= 0.06


async def test_the_answer_time_can_be_changed_while_a_session_lasts(port: Port) -> None:
    reader, writer = await port.connect()
    loop = asyncio.get_running_loop()
    port.wire.change("answer-ms", "50")
    began_at = loop.time()
    writer.write(READ)
    assert await reader.readexactly(len(REPLY)) == REPLY
    assert loop.time() - began_at >= 0.05


async def test_s1_with_its_reply_swallowed_a_command_is_seen_exactly_once(port: Port) -> None:
    port.wire.swallow = 1
    reader, writer = await port.connect()
    writer.write(SELF_TEST + READ)
    assert await reader.readexactly(len(REPLY)) == REPLY
    assert port.unit.orders == [Order(task=Task.SELF_TEST)]
    assert [write.answered for write in port.unit.writes] == [False]


async def test_another_protocol_ends_the_session_with_a_reset(port: Port) -> None:
    reader, writer = await port.connect()
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read(1)


async def test_half_a_request_and_a_close_leave_the_port_serving(port: Port) -> None:
    _, writer = await port.connect()
    writer.write(READ[:5])
    writer.close()
    await writer.wait_closed()
    reader, writer = await port.connect()
    writer.write(READ)
    assert await reader.readexactly(len(REPLY)) == REPLY


async def test_several_sessions_are_served_side_by_side(port: Port) -> None:
    sessions = [await port.connect() for _ in range(3)]
    for _, writer in sessions:
        writer.write(READ)
    assert [await reader.readexactly(len(REPLY)) for reader, _ in sessions] == [REPLY] * 3


async def session_served(port: Port) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A session that the port has surely taken: it answered on it."""
    reader, writer = await port.connect()
    writer.write(READ)
    assert await reader.readexactly(len(REPLY)) == REPLY
    return reader, writer


async def test_a_port_of_one_session_refuses_a_second_client_until_the_first_has_gone(port: Port) -> None:
    port.wire.change("max-sessions", "1")
    reader, writer = await session_served(port)
    assert await port.refused()
    writer.write_eof()
    assert await reader.read() == b""
    await session_served(port)


async def test_after_a_close_clients_are_refused_for_a_while(port: Port) -> None:
    port.wire.change("max-sessions", "1")
    port.wire.change("refuse-s", "0.5")
    reader, writer = await session_served(port)
    loop = asyncio.get_running_loop()
    writer.write_eof()
    assert await reader.read() == b""
    closed_at = loop.time()
    assert await port.refused()
    while await port.refused():
        assert loop.time() - closed_at < 5
    assert loop.time() - closed_at >= 0.45


async def test_a_port_that_was_switched_off_refuses_everyone_and_keeps_its_number(port: Port) -> None:
    place = port.place
    port.wire.change("refuse", "on")
    assert await port.refused()
    with socket.socket() as thief, pytest.raises(OSError):
        thief.bind(place)
    port.wire.change("refuse", "off")
    await session_served(port)
    assert port.place == place


async def test_closing_ends_sessions_and_gives_the_port_back() -> None:
    listener = await serve_tcp(HeldUnit(), "127.0.0.1:0", wire := WireSettings())
    host, _, number = listener.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(number))
    writer.write(READ)
    await reader.readexactly(len(REPLY))
    await listener.close()
    assert await reader.read() == b""
    writer.close()
    assert wire.watchers == []
    again = await serve_tcp(HeldUnit(), f"{host}:{number}", wire)
    assert again.address == listener.address
    await again.close()


async def test_a_port_that_is_taken_is_an_os_error_and_leaks_no_socket() -> None:
    listener = await serve_tcp(HeldUnit(), "127.0.0.1:0", WireSettings())
    with pytest.raises(OSError):
        await serve_tcp(HeldUnit(), listener.address, WireSettings())
    await listener.close()


@pytest.mark.parametrize("address", ["", "localhost", "5020", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"])
async def test_an_address_of_another_form_is_named_in_the_error(address: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        await serve_tcp(HeldUnit(), address, WireSettings())


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_stands_in_brackets() -> None:
    listener = await serve_tcp(HeldUnit(), "[::1]:0", WireSettings())
    assert listener.address.startswith("[::1]:")
    await listener.close()
