"""The UPS-Link driver of one Smart-UPS, and what the URL scheme upslink opens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from drivers import url as urls
from drivers.driver import Transport
from drivers.errors import BadUrl, DriverError
from drivers.runtime.port import Clock, ListeningPort, SystemClock
from drivers.runtime.served import Served
from drivers.runtime.tcp import TcpPort
from drivers.ups import Verb
from drivers.upslink.options import BAUD, Options, read_options
from drivers.upslink.runtime.link import Link
from drivers.upslink.runtime.orders import Orders
from drivers.upslink.runtime.unit import Unit

SOCKET_PREFIX = "socket://"
ALERT_GAP_S = 0.5
"""Least time between two alerts that are told; a line that rings without end must not be asked without end."""


class UpsLinkDriver(Served):
    """See drivers.driver.Driver and Alerting. `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        url: str,
        port: ListeningPort,
        options: Options,
        *,
        pinned: str | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock or SystemClock()
        self._link = Link(port, options, self._clock)
        unit = Unit(self._link, options, self._clock, pinned)
        orders = Orders(self._link, unit, self._clock)
        parts = (self._link, unit, orders)
        super().__init__(url, Transport.SERIAL, options.pace, parts, clock=self._clock, chance=chance)
        self._alerted_at = float("-inf")

    async def alerted(self) -> None:
        """Come back once the unit has said an alert character that no reading has followed, or the line is lost;
        never while no line is open.
        """
        while self._link.is_open and not self._link.alerts:
            try:
                await self._link.heard()
                await self.lifeline.serve(self._link.listen)
            except DriverError:
                return
        if not self._link.is_open:
            await asyncio.get_running_loop().create_future()
        await self._clock.wait_until(self._alerted_at + ALERT_GAP_S)
        self._alerted_at = self._clock.monotonic()


def open_upslink(
    url: urls.Url,
    *,
    pinned: str | None,
    also_allowed: frozenset[Verb],  # noqa: ARG001  no verb that only policy can allow has a character that is sent
) -> UpsLinkDriver:
    """upslink://DEVICE, or upslink://socket://HOST:PORT for a serial server. Raises BadUrl."""
    return UpsLinkDriver(url.text, port_of(url), read_options(url), pinned=pinned)


def port_of(url: urls.Url) -> ListeningPort:
    """The port that an upslink URL names, not yet open. Raises BadUrl."""
    if url.target.startswith(SOCKET_PREFIX):
        return TcpPort(urls.address(url, url.target.removeprefix(SOCKET_PREFIX), None))
    if not url.target.strip("/"):
        raise BadUrl(url.text, "no serial device; one looks like upslink:///dev/ttyS0")
    from drivers.runtime.serial import SerialPort  # a gateway without serial lines spares pyserial

    return SerialPort(url.target, BAUD, "none")
