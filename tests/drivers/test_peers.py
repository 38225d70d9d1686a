"""pymodbus's own server as the unit: a peer with nothing of ours in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.open import open_driver
from drivers.ups import Command, Outcome, State, Verb
from tests.drivers.memory import SERIAL, smtl_image


class Peer:
    """The golden image in pymodbus's simulator; `writes` are function, address and words."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, int, list[int]]] = []
        image = smtl_image()
        words = [image.get(address, 0xFFFF) for address in range(2100)]
        data = SimData(0, values=words, datatype=DataType.REGISTERS)
        self.device = SimDevice(1, simdata=[data], action=self._action)

    async def _action(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if values is not None and function in (6, 16):
            self.writes.append((function, address, [int(value) for value in values]))
        return None


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, Peer]]:
    peer = Peer()
    server = ModbusTcpServer(peer.device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    assert isinstance(server.transport, asyncio.Server)
    host, port = server.transport.sockets[0].getsockname()
    try:
        yield f"modbus+tcp://{host}:{port}", peer
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus


async def test_pymodbus_server_is_read() -> None:
    async with serving() as (url, _):
        driver = open_driver(url, pinned=SERIAL)
        identity, snapshot, settings = await driver.connect(), await driver.full(), await driver.settings()
        await driver.close()
    assert identity.sku == "SMTL1500RM3UC"
    assert (snapshot.state, snapshot.charge_pct) == (State.ONLINE, 100.0)
    assert settings.transfer_high_v == 127


async def test_pymodbus_server_takes_a_setting_once() -> None:
    async with serving() as (url, peer):
        driver = open_driver(url)
        await driver.connect()
        report = await driver.execute(Command(verb=Verb.SET_TRANSFER_HIGH, serial=SERIAL, value=130))
        await driver.close()
    assert report.outcome is Outcome.DONE
    assert peer.writes == [(6, 1026, [130])]
