"""The driver of a unit that NUT holds, and what the URL scheme nut opens."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable

from drivers import url as urls
from drivers.driver import LineCounters, Pace, Report, Transport
from drivers.line import Line
from drivers.nut.options import Options, read_options
from drivers.nut.protocol import ANSWER_LIMIT
from drivers.nut.runtime.link import Link, SecurablePort
from drivers.nut.runtime.orders import Orders
from drivers.nut.runtime.secrets import read_password, tls_context
from drivers.nut.runtime.unit import Unit
from drivers.runtime.lifeline import Lifeline
from drivers.runtime.port import Clock, SystemClock
from drivers.runtime.tcp import TcpPort
from drivers.ups import Command, Identity, Settings, Snapshot, Verb


class _Met:
    """The link with the unit at its end, as drivers.runtime.lifeline.Connection."""

    def __init__(self, link: Link, unit: Unit) -> None:
        self._link = link
        self._unit = unit

    @property
    def is_open(self) -> bool:
        return self._link.is_open

    async def meet(self) -> None:
        await self._link.open()
        await self._unit.meet()

    async def close(self) -> None:
        await self._link.close()


class NutDriver:
    """See drivers.driver.Driver. `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        url: str,
        port: SecurablePort,
        options: Options,
        *,
        pinned: str | None = None,
        also_allowed: frozenset[Verb] = frozenset(),
        context: ssl.SSLContext | None = None,
        password: str | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url = url
        self.transport = Transport.TCP
        self.pace: Pace = options.pace
        clock = clock or SystemClock()
        self._link = Link(port, options, clock, context, password)
        self._unit = Unit(self._link, options.name, clock, pinned)
        self._orders = Orders(self._link, self._unit, options, clock, also_allowed)
        line = Line(options.pace.reconnect_s, chance)
        connection = _Met(self._link, self._unit)
        self._lifeline = Lifeline(url, connection, line, clock, self._link.counters, each_alone=True)

    @property
    def counters(self) -> LineCounters:
        return self._link.counters

    @property
    def pinned(self) -> str | None:
        return self._unit.pinned

    async def connect(self) -> Identity:
        return await self._lifeline.serve(self._unit.known)

    async def fast(self) -> Snapshot:
        return await self._lifeline.serve(self._unit.fast)

    async def full(self) -> Snapshot:
        return await self._lifeline.serve(self._unit.full)

    async def identify(self) -> Identity:
        return await self._lifeline.serve(self._unit.identify)

    async def settings(self) -> Settings:
        return await self._lifeline.serve(self._unit.settings)

    async def execute(self, command: Command) -> Report:
        return await self._lifeline.serve(lambda: self._orders.execute(command))

    def accept(self, serial: str) -> None:
        self._unit.accept(serial)
        self._lifeline.accepted()

    async def close(self) -> None:
        await self._lifeline.close()


def open_nut(url: urls.Url, *, pinned: str | None, also_allowed: frozenset[Verb]) -> NutDriver:
    """nut://HOST[:PORT]/NAME. Reads the files that the URL names. Raises BadUrl."""
    options = read_options(url)
    return NutDriver(
        url.text,
        TcpPort(options.address, buffer_bytes=2 * ANSWER_LIMIT),
        options,
        pinned=pinned,
        also_allowed=also_allowed,
        context=tls_context(url.text, options),
        password=None if options.password_file is None else read_password(url.text, options.password_file),
    )
