"""What a link needs of a port and of time. Serial lines, sockets and the tests' in-memory line have this one
shape.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def utc(self) -> datetime: ...

    async def wait_until(self, instant: float) -> None:
        """Come back at this monotonic time, at once if it is past."""
        ...


class Port(Protocol):
    """One line, open or closed. `name` is for people."""

    name: str

    async def open(self) -> None:
        """Raises PortBusy, PortLost, Refused."""
        ...

    async def write(self, data: bytes) -> None:
        """Raises PortLost."""
        ...

    async def read(self, deadline: float) -> bytes:
        """What has come, at least a byte; b"" at the deadline (monotonic seconds). Raises PortLost."""
        ...

    async def drain(self) -> int:
        """Throw away what has come and was not read; how many bytes. Raises PortLost."""
        ...

    async def close(self) -> None: ...


class ListeningPort(Port, Protocol):
    """A port of a unit that speaks unasked."""

    async def wait(self) -> None:
        """Come back once something has come, which stays to be read. Raises PortLost."""
        ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    async def wait_until(self, instant: float) -> None:
        if (left := instant - time.monotonic()) > 0:
            await asyncio.sleep(left)
