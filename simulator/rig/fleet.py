"""Gateways without units: real outboxes and real uplinks, which tell what they are told to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from config.runtime.files import load
from drivers.ups import CATALOGUE
from gateway.records import record
from gateway.runtime.clock import SystemClock
from gateway.runtime.connection import Broker
from gateway.runtime.outbox import Outbox
from gateway.runtime.tls import client_context
from gateway.runtime.uplink import UplinkRunner
from gateway.settings import GatewaySettings
from gateway.store.prepare import prepare
from gateway.store.writer import Writer
from gateway.uplink import Me
from gateway.wire.messages import EventBody, Kind, Lane, Scalar
from simulator.rig.patience import until

CONNECTED_S = 60.0


class Talker:
    """One gateway. `waiting`: events that the cloud has not acknowledged."""

    def __init__(self, settings: GatewaySettings, outbox: Outbox, clock: SystemClock, units: tuple[str, ...]) -> None:
        self.name = settings.gateway
        self._outbox = outbox
        self._clock = clock
        broker = Broker(settings.cloud_host, settings.cloud_port, self.name, client_context(settings.tls))
        me = Me("rig", socket.gethostname(), units)
        self._uplink = UplinkRunner(me, broker, outbox, clock, asyncio.get_running_loop(), _nobody)

    async def open(self) -> None:
        """Until the cloud has answered. Raises TooSlow."""
        self._uplink.start()
        await until(lambda: self._uplink.rules.ready, f"the cloud's answer to {self.name}", CONNECTED_S)

    async def close(self) -> None:
        await self._uplink.stop()

    @property
    def waiting(self) -> int:
        return self._outbox.books[Lane.EVENTS].waiting

    def tell(self, unit: str, kind: str, details: dict[str, Scalar]) -> None:
        body = EventBody(type=kind, severity=CATALOGUE[kind].severity, details=details)
        self._outbox.events(unit, [record(Kind.EVENT, self._clock.stamp(), unit, body)])


@asynccontextmanager
async def fleet(folders: Iterable[Path], units: tuple[str, ...]) -> AsyncIterator[dict[str, Talker]]:
    """By name: the gateways of these folders, connected; each has those units. Raises TooSlow."""
    async with AsyncExitStack() as stack:
        talkers = {}
        for folder in folders:
            talker = await stack.enter_async_context(_talker(folder, units))
            talkers[talker.name] = talker
        yield talkers


@asynccontextmanager
async def _talker(folder: Path, units: tuple[str, ...]) -> AsyncIterator[Talker]:
    settings = load(folder / "gateway.yaml", GatewaySettings)
    settings.data.mkdir(exist_ok=True)
    loop, clock = asyncio.get_running_loop(), SystemClock()
    outbox = Outbox(Writer(prepare(settings.data), loop), clock, loop)
    await outbox.open()
    talker = Talker(settings, outbox, clock, units)
    try:
        await talker.open()
        yield talker
    finally:
        await talker.close()
        await outbox.close()


def _nobody() -> None:
    """Nobody needs to know that the cloud has answered; it is looked at."""
