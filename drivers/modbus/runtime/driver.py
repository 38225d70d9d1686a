"""The Modbus driver of one Smart-UPS, and what the URL schemes modbus+tcp and modbus+rtu open."""

from __future__ import annotations

import random
from collections.abc import Callable

from drivers import url as urls
from drivers.driver import Transport
from drivers.errors import BadUrl
from drivers.modbus.allowed import permit
from drivers.modbus.options import Options, read_options
from drivers.modbus.runtime.link import Link
from drivers.modbus.runtime.orders import Orders
from drivers.modbus.runtime.unit import Unit
from drivers.runtime.port import Clock, Port, SystemClock
from drivers.runtime.served import Served
from drivers.runtime.tcp import TcpPort
from drivers.ups import Verb

DEFAULT_PORT = 502
SOCKET_PREFIX = "socket://"


class ModbusDriver(Served):
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
        clock = clock or SystemClock()
        link = Link(port, options, clock, lambda write: permit(write, also_allowed))
        unit = Unit(link, options, clock, pinned)
        orders = Orders(link, unit, options, clock, also_allowed)
        super().__init__(
            url,
            options.transport,
            options.pace,
            (link, unit, orders),
            clock=clock,
            chance=chance,
            each_alone=options.one_request_per_connection,
        )


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
