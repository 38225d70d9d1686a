"""The gateway's poller with a real outbox, and a driver that reads a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from drivers.driver import Driver, LineCounters, Pace, Report, Transport
from drivers.errors import DriverError
from drivers.ups import Command, Identity, Outcome, Settings, Snapshot
from gateway.roll import Roll
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.runtime.poller import Poller, nobody
from gateway.seen import Seen
from gateway.settings import UnitSettings
from gateway.store.outbox import OutboxFile
from gateway.store.prepare import prepare
from gateway.store.writer import Writer
from gateway.wire.codec import decode_body, decode_record
from gateway.wire.messages import EventBody


@asynccontextmanager
async def outbox_in(folder: Path) -> AsyncIterator[Outbox]:
    loop = asyncio.get_running_loop()
    path = await asyncio.to_thread(prepare, folder)
    outbox = Outbox(Writer(path, loop), SystemClock(), loop)
    await outbox.open()
    yield outbox
    await outbox.close()


def poller(
    outbox: Outbox,
    driver: Driver,
    name: str = "rack-1",
    *,
    watch: Callable[[Seen], None] = nobody,
    roll: Roll | None = None,
    hz: float | None = None,
) -> Poller:
    unit = UnitSettings(name=name, url=driver.url, fast_status_hz=hz)
    return Poller(unit, driver, outbox, SystemClock(), watch, roll)


async def told(outbox: Outbox, name: str = "rack-1") -> list[str]:
    """The types of a unit's events in the outbox file, oldest first."""
    return [event.type for event in await events(outbox, name)]


async def events(outbox: Outbox, name: str = "rack-1") -> list[EventBody]:
    """A unit's events in the outbox file, oldest first."""

    def records(file: OutboxFile) -> list[bytes]:
        rows = file.connection.execute("SELECT raw FROM record WHERE lane = 'events' ORDER BY first")
        return [bytes(row[0]) for row in rows]

    found = [decode_record(raw) for raw in await outbox.writer.submit(records)]
    return [decode_body(record, EventBody) for record in found if record.unit == name]


class ScriptedDriver:
    """A whole driver whose unit shows the script's readings one after the other, and its last for ever.

    An error in the script is raised. It says at each connection who it is, one of `identities` after the other, and
    the last of them whenever it is asked again. A connection ends with an error. `reads` counts what was asked
    for, `full` or `fast`.
    """

    url = "modbus+tcp://127.0.0.1:9"
    transport = Transport.TCP
    pace = Pace(fast_s=2.0, full_s=6.0, reconnect_s=1.0)

    def __init__(self, script: Sequence[Snapshot | DriverError], identities: Sequence[Identity] = ()) -> None:
        self.script = list(script)
        self.identities = list(identities) or [Identity(serial="AS1", model="Smart-UPS", firmware="UPS 04.1")]
        self.reads: list[str] = []
        self.counters = LineCounters()
        self.pinned: str | None = None
        self._known: Identity | None = None

    def _next(self) -> Snapshot:
        shown = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(shown, DriverError):
            self._known = None
            raise shown
        return shown

    async def connect(self) -> Identity:
        if self._known is None:
            self._known = self.identities.pop(0) if len(self.identities) > 1 else self.identities[0]
        return self._known

    async def identify(self) -> Identity:
        self._known = self.identities[-1]
        return self._known

    async def fast(self) -> Snapshot:
        self.reads.append("fast")
        return self._next()

    async def full(self) -> Snapshot:
        self.reads.append("full")
        shown = self._next()
        return msgspec.structs.replace(shown, full_at=shown.at)

    async def settings(self) -> Settings:
        return Settings()

    async def execute(self, command: Command) -> Report:
        return Report(outcome=Outcome.UNSUPPORTED, detail="a script obeys nobody")

    def accept(self, serial: str) -> None:
        self.pinned = serial

    async def close(self) -> None:
        return
