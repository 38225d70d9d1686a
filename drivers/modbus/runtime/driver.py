"""The Modbus driver of one Smart-UPS, and what the URL schemes modbus+tcp and modbus+rtu open."""

from __future__ import annotations

import random
from collections.abc import Callable

from drivers import url as urls
from drivers.driver import LineCounters, Pace, Report, Transport
from drivers.errors import BadUrl
from drivers.line import Line
from drivers.modbus.allowed import permit
from drivers.modbus.options import Options, read_options
from drivers.modbus.runtime.link import Link
from drivers.modbus.runtime.orders import Orders
from drivers.modbus.runtime.unit import Unit
from drivers.runtime.lifeline import Lifeline
from drivers.runtime.port import Clock, Port, SystemClock
from drivers.runtime.tcp import TcpPort
from drivers.ups import Command, Identity, Settings, Snapshot, Verb

DEFAULT_PORT = 502
SOCKET_PREFIX = "socket://"


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


class ModbusDriver:
    """See drivers.driver.Driver. `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        url: str,
        port: Port,
        options: Options,
        *,
        pinned: str | None = None,
        also_allowed: frozenset[Verb] = frozenset(),
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url = url
        self.transport = options.transport
        self.pace: Pace = options.pace
        self._clock = clock or SystemClock()
        self._link = Link(port, options, self._clock, lambda write: permit(write, also_allowed))
        self._unit = Unit(self._link, options, self._clock, pinned)
        self._orders = Orders(self._link, self._unit, options, self._clock, also_allowed)
        self._lifeline = Lifeline(
            url,
            _Met(self._link, self._unit),
            Line(options.pace.reconnect_s, chance),
            self._clock,
            self._link.counters,
            each_alone=options.one_request_per_connection,
        )

    @property
    def counters(self) -> LineCounters:
        return self._link.counters

    @property
    def pinned(self) -> str | None:
        return self._unit.pinned

    async def connect(self) -> Identity:
        return await self._lifeline.serve(self._known)

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

    async def _known(self) -> Identity:
        return self._unit.identity


def open_tcp(url: urls.Url, *, pinned: str | None, also_allowed: frozenset[Verb]) -> ModbusDriver:
    """modbus+tcp://HOST[:PORT]. Raises BadUrl."""
    options = read_options(url, Transport.TCP)
    return ModbusDriver(url.text, port_of(url, options), options, pinned=pinned, also_allowed=also_allowed)


def open_rtu(url: urls.Url, *, pinned: str | None, also_allowed: frozenset[Verb]) -> ModbusDriver:
    """modbus+rtu://DEVICE, or modbus+rtu://socket://HOST:PORT for a serial server. Raises BadUrl."""
    options = read_options(url, Transport.SERIAL)
    return ModbusDriver(url.text, port_of(url, options), options, pinned=pinned, also_allowed=also_allowed)


def port_of(url: urls.Url, options: Options) -> Port:
    """The port that a Modbus URL names, not yet open. Raises BadUrl."""
    if options.transport is Transport.TCP:
        return TcpPort(urls.address(url, url.target, DEFAULT_PORT))
    if url.target.startswith(SOCKET_PREFIX):
        return TcpPort(urls.address(url, url.target.removeprefix(SOCKET_PREFIX), None))
    if not url.target.strip("/"):
        raise BadUrl(url.text, "no serial device; one looks like modbus+rtu:///dev/ttyUSB0")
    from drivers.runtime.serial import SerialPort  # a gateway without serial lines spares pyserial

    return SerialPort(url.target, options.baud, options.parity)
