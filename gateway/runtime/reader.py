"""Reads one unit until what it says can be believed, and measures how long that keeps its line."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from drivers.driver import Driver
from drivers.ups import Identity, Snapshot
from gateway import plausible
from gateway.errors import Doubtful
from gateway.runtime.account import Account, Reading
from gateway.runtime.line import Line, Urgency
from gateway.tempo import Tempo

logger = logging.getLogger("gateway.poller")

READINGS_KEPT = 600
"""Durations kept for the latencies: two minutes at the fastest pace (S4)."""

T = TypeVar("T")


class Reader:
    """`not_believed` counts readings that the next one contradicted; `durations_ms` are for who empties it."""

    def __init__(self, driver: Driver, line: Line, account: Account, tempo: Tempo) -> None:
        self.not_believed = 0
        self.durations_ms: deque[float] = deque(maxlen=READINGS_KEPT)
        self._driver = driver
        self._line = line
        self._account = account
        self._tempo = tempo
        self._doubted: plausible.Doubt | None = None

    async def who(self) -> Identity:
        """Who was met on this connection; one is made if there is none."""
        return await self._asked(self._driver.connect)

    async def introduced(self) -> Identity:
        """Who answers, read twice where it is news. Raises Doubtful."""
        who = await self.who()
        if who != self._account.identity and await self._asked(self._driver.identify) != who:
            raise Doubtful("who it is")
        return who

    async def take(self, full: bool) -> Snapshot:
        """One reading that is believed, and all that follows from it. Raises Doubtful."""
        reading = await self._credible(full)
        self._account.believe(reading)
        self._doubted = None
        return reading.snapshot

    async def _credible(self, full: bool) -> Reading:
        """A reading that nothing speaks against, or that a second one confirms."""
        first = await self._weighed(full)
        if plausible.settled(first.doubt, self._doubted):
            return first
        self._believe_transfer(first)
        self._doubted = first.doubt
        second = await self._weighed(full=True)
        if not plausible.confirms(second.doubt, first.doubt):
            self._not_believed(first.doubt)
        if not plausible.settled(second.doubt, first.doubt):
            self._believe_transfer(second, first.snapshot)
            self._doubted = second.doubt
            raise Doubtful(str(second.doubt))
        return second

    def _believe_transfer(self, reading: Reading, earlier: Snapshot | None = None) -> None:
        """No outage waits for what is doubted beside it."""
        if (seen := self._account.transfer(reading.snapshot, earlier)) is not None:
            self._account.believe(self._account.weigh(seen, reading.read_ms))

    async def _weighed(self, full: bool) -> Reading:
        snapshot, took_s = await self._asked(lambda: _timed(self._driver.full if full else self._driver.fast))
        self._tempo.took(full, took_s, time.monotonic())
        self.durations_ms.append(took_s * 1000)
        return self._account.weigh(plausible.within_range(snapshot), took_s * 1000)

    async def _asked(self, work: Callable[[], Awaitable[T]]) -> T:
        return await self._line.serve(Urgency.POLL, work)

    def _not_believed(self, doubt: plausible.Doubt) -> None:
        """A reading that the next one contradicts: counted; the first is told, as the line's owner should know."""
        self.not_believed += 1
        level = logging.WARNING if self.not_believed == 1 else logging.DEBUG
        logger.log(level, "%s: a reading was not confirmed and is dropped: %s", self._account.name, doubt)


async def _timed(read: Callable[[], Awaitable[Snapshot]]) -> tuple[Snapshot, float]:
    """The reading, and how long it took without the wait for the line."""
    began_s = time.monotonic()
    return await read(), time.monotonic() - began_s
