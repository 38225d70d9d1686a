"""The one owner of a unit's port: polls, commands and firmware ask it for their turn."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import TypeVar

T = TypeVar("T")


class Urgency(IntEnum):
    """The smaller is served first."""

    COMMAND = 0
    FIRMWARE = 1
    POLL = 2


class Line:
    """Serves one request at a time: of those that wait the most urgent, and of equals the first that came.

    A request waits for the one in progress, which is one call of the driver, and never for more than that behind less
    urgent ones.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def serve(self, urgency: Urgency, work: Callable[[], Awaitable[T]]) -> T:
        """The work's result, or what it raises."""
        await self._turn(urgency)
        try:
            return await work()
        finally:
            self._pass_on()

    async def _turn(self, urgency: Urgency) -> None:
        if not self._taken:
            self._taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was our turn already
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False
