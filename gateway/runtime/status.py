"""`gateway status` asks here: a unix socket, a line in, JSON lines out. No network, no way to change anything."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gateway.errors import CannotStart
from gateway.runtime.visitors import Visitors
from gateway.view import GatewayView

logger = logging.getLogger("gateway.status")

VIEW, WATCH = b"view", b"watch"
LINE_BYTES = 64
ASK_S = 5.0
"""How long a client may take for its question, and for reading an answer."""
EVERY_S = 1.0
MODE = 0o660

View = Callable[[], Awaitable[GatewayView]]


@contextmanager
def within_reach(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits into the 108 bytes of an address (unix(7)), however long the path is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class StatusSocket:
    """Serves until `close`. A socket that a dead gateway left is replaced."""

    def __init__(self, path: Path, view: View) -> None:
        self.path = path
        self._view = view
        self._server: asyncio.Server | None = None
        self._visitors = Visitors(self._serve, logger)

    async def open(self) -> None:
        """Raises CannotStart."""
        try:
            self._remove_stale()
            listening = socket.socket(socket.AF_UNIX)
            with within_reach(self.path) as address:
                listening.bind(address)
                self._server = await asyncio.start_unix_server(self._visitors.welcome, sock=listening, limit=LINE_BYTES)
            self.path.chmod(MODE)
        except OSError as error:
            raise CannotStart(f"{self.path}: no status socket can be made: {error.strerror or error}") from error

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._visitors.end()
        self.path.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        if not self.path.exists():
            return
        if not stat.S_ISSOCK(self.path.stat().st_mode):
            raise CannotStart(f"{self.path}: is there and no socket; name another path (socket)")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            with suppress(ConnectionRefusedError), within_reach(self.path) as address:
                probe.connect(address)
                raise CannotStart(f"{self.path}: another program listens there")
        self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(ASK_S):
            question = (await reader.readline()).strip()
        if question not in (VIEW, WATCH):
            return
        while True:
            writer.write(msgspec.json.encode(await self._view()) + b"\n")
            async with asyncio.timeout(ASK_S):
                await writer.drain()
            if question == VIEW:
                return
            await asyncio.sleep(EVERY_S)
