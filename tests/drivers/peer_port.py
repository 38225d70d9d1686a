"""The port interface to a program in memory that answers requests, for drivers of units that other programs hold."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol

from drivers.errors import DriverError, PortLost
from tests.drivers.memory import Arrivals, MemoryClock, undamaged


class Server(Protocol):
    def open(self) -> None:
        """A client has connected."""
        ...

    def answer(self, request: bytes) -> bytes: ...


class PeerPort:
    """`damage` is what the connection does to each answer: request and true answer to what arrives when."""

    name = "memory"

    def __init__(self, clock: MemoryClock, server: Server) -> None:
        self.damage: Callable[[bytes, bytes], Arrivals] = undamaged
        self.fail_to_open: DriverError | None = None
        self.fail_tls: DriverError | None = None
        self.opened_at: list[float] = []
        self.is_open = False
        self.is_secure = False
        self.secured_with: list[ssl.SSLContext] = []
        self._clock = clock
        self._server = server
        self._arrivals: Arrivals = []

    async def open(self) -> None:
        self.opened_at.append(self._clock.now)
        if self.fail_to_open is not None:
            raise self.fail_to_open
        self.is_open, self.is_secure, self._arrivals = True, False, []
        self._server.open()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        self._check()
        if self.fail_tls is not None:
            raise self.fail_tls
        self.secured_with.append(context)
        self.is_secure = True

    async def close(self) -> None:
        self.is_open = False

    async def write(self, data: bytes) -> None:
        self._check()
        for delay, piece in self.damage(data, self._server.answer(data)):
            self.arrive(delay, piece)

    def arrive(self, delay: float, data: bytes) -> None:
        """Bytes so many seconds from now; none overtakes what was on its way before."""
        before = self._arrivals[-1][0] if self._arrivals else 0.0
        if data:
            self._arrivals.append((max(before, self._clock.now + delay), data))

    def hang_up(self) -> None:
        self.is_open = False

    def _check(self) -> None:
        if not self.is_open:
            raise PortLost(self.name, "the connection was closed")

    async def read(self, deadline: float) -> bytes:
        self._check()
        if self._arrivals and self._arrivals[0][0] <= deadline:
            at, data = self._arrivals.pop(0)
            self._clock.now = max(self._clock.now, at)
            return data
        self._clock.now = max(self._clock.now, deadline)
        return b""

    async def drain(self) -> int:
        self._check()
        here = [data for at, data in self._arrivals if at <= self._clock.now]
        self._arrivals = self._arrivals[len(here) :]
        return sum(map(len, here))
