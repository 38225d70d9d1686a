"""How a driver keeps its connection: opened when something is asked, closed when it is lost, tried again in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from drivers.driver import LineCounters
from drivers.errors import (
    BadAnswer,
    DriverError,
    IdentityChanged,
    LineError,
    NoAnswer,
    PortBusy,
    PortLost,
    Refused,
)
from drivers.line import Line
from drivers.runtime.port import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")


class Connection(Protocol):
    """What a driver's lifeline opens and closes."""

    @property
    def is_open(self) -> bool: ...

    async def meet(self) -> None:
        """Open, prove that the line is right and learn who answers. Raises LineError, IdentityChanged."""
        ...

    async def close(self) -> None: ...


class Lifeline:
    """Serves one piece of work after the other; what fails is told once, in the log, and so is its end.

    `each_alone`: a single unanswered request loses the connection.
    """

    def __init__(
        self,
        name: str,
        connection: Connection,
        line: Line,
        clock: Clock,
        counters: LineCounters,
        *,
        each_alone: bool = False,
    ) -> None:
        self._name = name
        self._connection = connection
        self._line = line
        self._clock = clock
        self._counters = counters
        self._each_alone = each_alone
        self._turn = asyncio.Lock()

    async def serve(self, work: Callable[[], Awaitable[T]]) -> T:
        """The work's result, on a connection that was opened for it if need be."""
        async with self._turn:
            if not self._connection.is_open:
                await self._connect()
            try:
                result = await work()
            except (PortLost, PortBusy, Refused, IdentityChanged) as error:
                await self._lose(error)
                raise
            except (NoAnswer, BadAnswer) as error:
                if self._line.unanswered() or self._each_alone:
                    await self._lose(error)
                raise
            self._line.answered()
            return result

    def accepted(self) -> None:
        """The owner accepts the unit that answers now."""
        self._line.accepted()

    async def close(self) -> None:
        async with self._turn:
            await self._connection.close()

    async def _connect(self) -> None:
        self._line.check(self._clock.monotonic())
        met = False
        try:
            await self._connection.meet()
            met = True
        except (LineError, IdentityChanged) as error:
            await self._lose(error)
            raise
        finally:
            if not met:
                await self._connection.close()
        if self._line.opened():
            self._counters.reopens += 1
            log.warning("%s: the unit answers again", self._name)

    async def _lose(self, error: DriverError) -> None:
        await self._connection.close()
        news = self._line.fail(self._clock.monotonic(), error)
        log.log(logging.WARNING if news else logging.DEBUG, "%s: line lost: %s", self._name, error)
