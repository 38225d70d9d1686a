"""UPS-Link through a serial server: the unit in memory behind a real TCP socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from drivers.driver import Alerting
from drivers.open import open_driver
from drivers.ups import State
from tests.drivers.upslink.memory import SERIAL, MemoryUnit


class Server:
    def __init__(self, unit: MemoryUnit) -> None:
        self.unit = unit
        self.url = ""
        self.ended = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(ConnectionError):  # the driver aborts what it closes
            while char := await reader.read(1):
                now = asyncio.get_running_loop().time()
                writer.write(self.unit.answer(char.decode("latin-1"), now).encode("latin-1"))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.ended.set()

    def ring(self, alert: bytes) -> None:
        self._writers[-1].write(alert)

    def hang_up(self) -> None:
        self._writers[-1].close()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server(MemoryUnit())
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"upslink://socket://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server
        await asyncio.wait_for(server.ended.wait(), 10)


async def test_a_serial_server_is_read_and_its_alerts_are_heard() -> None:
    async with serving() as server:
        driver = open_driver(server.url)
        assert isinstance(driver, Alerting)
        assert (await driver.connect()).serial == SERIAL
        assert (await driver.full()).charge_pct == 100.0
        ringing = asyncio.ensure_future(driver.alerted())
        server.unit.values["Q"] = "10"
        server.ring(b"!")
        await asyncio.wait_for(ringing, 10)
        assert (await driver.fast()).state is State.ON_BATTERY
        await driver.close()


async def test_a_command_meanwhile_loses_no_byte_to_the_one_who_waits_for_alerts() -> None:
    async with serving() as server:
        driver = open_driver(server.url)
        assert isinstance(driver, Alerting)
        await driver.full()
        waiting = asyncio.ensure_future(driver.alerted())
        for _ in range(20):
            assert (await driver.full()).charge_pct == 100.0
        assert driver.counters.discarded == driver.counters.timeouts == 0
        assert not waiting.done()
        server.hang_up()
        await asyncio.wait_for(waiting, 10)
        await driver.close()
