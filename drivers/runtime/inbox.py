"""Bytes that a file descriptor or socket brought, until somebody reads them."""

from __future__ import annotations

import asyncio

from drivers.errors import PortLost

BUFFER_LIMIT = 4096
"""Most bytes kept unread, unless told otherwise; sixteen of the longest frames. What comes on top is dropped, as on
any full line.
"""


class Inbox:
    """Fed by the event loop, read with a deadline."""

    def __init__(self, name: str, limit: int = BUFFER_LIMIT) -> None:
        self._name = name
        self._limit = limit
        self._data = bytearray()
        self._lost: str | None = None
        self._news = asyncio.Event()

    def feed(self, data: bytes) -> None:
        self._data += data[: self._limit - len(self._data)]
        self._news.set()

    def lose(self, why: str) -> None:
        self._lost = self._lost or why
        self._news.set()

    def check(self) -> None:
        if self._lost is not None:
            raise PortLost(self._name, self._lost)

    async def take(self, deadline: float) -> bytes:
        if not self._data:
            self.check()
            self._news.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                return b""
            if not self._data:
                self.check()
        return self._empty()

    async def wait(self) -> None:
        """Come back once bytes are here; they stay. Raises PortLost."""
        while not self._data:
            self.check()
            self._news.clear()
            await self._news.wait()

    async def drain(self) -> int:
        """After one turn of the loop, so that what the kernel holds already is seen."""
        await asyncio.sleep(0)
        if not self._data:
            self.check()
        return len(self._empty())

    def _empty(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data
