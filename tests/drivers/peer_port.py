"""The port interface to a program in memory that answers requests, for drivers of units that other programs hold."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol

from drivers.errors import DriverError
from tests.drivers.memory import Arrivals, ArrivingLine, MemoryClock, undamaged


class Server(Protocol):
    def open(self) -> None:
        """A client has connected."""
        ...

    def answer(self, request: bytes) -> bytes: ...


class PeerPort(ArrivingLine):
    """`damage` is what the connection does to each answer: request and true answer to what arrives when."""

    def __init__(self, clock: MemoryClock, server: Server) -> None:
        super().__init__(clock)
        self.damage: Callable[[bytes, bytes], Arrivals] = undamaged
        self.fail_to_open: DriverError | None = None
        self.fail_tls: DriverError | None = None
        self.opened_at: list[float] = []
        self.is_secure = False
        self.secured_with: list[ssl.SSLContext] = []
        self._server = server

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

    async def write(self, data: bytes) -> None:
        self._check()
        self.arrive(self.damage(data, self._server.answer(data)))
