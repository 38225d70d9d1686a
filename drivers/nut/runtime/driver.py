"""The driver of a unit that NUT holds, and what the URL scheme nut opens."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable

from drivers import url as urls
from drivers.driver import Transport
from drivers.nut.options import Options, read_options
from drivers.nut.protocol import ANSWER_LIMIT
from drivers.nut.runtime.link import Link, SecurablePort
from drivers.nut.runtime.orders import Orders
from drivers.nut.runtime.secrets import read_password, tls_context
from drivers.nut.runtime.unit import Unit
from drivers.runtime.port import Clock, SystemClock
from drivers.runtime.served import Served
from drivers.runtime.tcp import TcpPort
from drivers.ups import Verb


class NutDriver(Served):
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
        clock = clock or SystemClock()
        link = Link(port, options, clock, context, password)
        unit = Unit(link, options.name, clock, pinned)
        parts = (link, unit, Orders(link, unit, options, clock, also_allowed))
        super().__init__(url, Transport.TCP, options.pace, parts, clock=clock, chance=chance, each_alone=True)


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
