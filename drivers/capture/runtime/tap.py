"""A port that remembers what came through it."""

from __future__ import annotations

from drivers.capture.model import TEXT_LIMIT
from drivers.runtime.port import ListeningPort
from drivers.upslink.characters import ALERTS


class Tap:
    """`heard` is what was read since it was last cleared, the newest part if it is long."""

    def __init__(self, port: ListeningPort) -> None:
        self.name = port.name
        self.heard = bytearray()
        self._port = port

    def alerts(self, keeps: str) -> str:
        """The alert characters in it; `keeps` are those that belong to the reply."""
        return "".join(char for char in self.heard.decode("latin-1") if char in ALERTS and char not in keeps)

    def text(self) -> str:
        return self.heard.decode("latin-1").strip("\r\n")[-TEXT_LIMIT:]

    async def open(self) -> None:
        await self._port.open()

    async def write(self, data: bytes) -> None:
        await self._port.write(data)

    async def read(self, deadline: float) -> bytes:
        data = await self._port.read(deadline)
        self.heard += data
        del self.heard[: -2 * TEXT_LIMIT]
        return data

    async def wait(self) -> None:
        await self._port.wait()

    async def drain(self) -> int:
        return await self._port.drain()

    async def close(self) -> None:
        await self._port.close()
