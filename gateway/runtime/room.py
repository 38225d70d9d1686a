"""The outbox's room: looks at the file now and then, and gives up what has to go, told once for each kind of loss."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial

from gateway.errors import NotKept
from gateway.quota import Step, plenty
from gateway.runtime.clock import SystemClock
from gateway.store.shedding import Shed, Standing, prune, shed, standing
from gateway.store.writer import Writer

logger = logging.getLogger("gateway.outbox")

LOOK_EVERY_S = 60.0

LOOKS_A_QUOTA = 64
"""The file is looked at in between whenever so small a share of the quota has been written."""

_WORDS = {
    Step.FORGET_ACKNOWLEDGED: "events that the cloud has are no longer kept for seven days",
    Step.THIN_STATUS: "status that the cloud does not have is thinned",
    Step.DROP_STATUS: "the oldest status that the cloud does not have is dropped",
    Step.DROP_EVENTS: "the oldest EVENTS that the cloud does not have are LOST",
}


class Room:
    """Keeps the file within `quota_bytes`."""

    def __init__(self, writer: Writer, clock: SystemClock, quota_bytes: int) -> None:
        self.quota_bytes = quota_bytes
        self.standing: Standing | None = None
        self._worst: Step | None = None
        self._writer = writer
        self._clock = clock
        self._written_bytes = 0
        self._much_written = asyncio.Event()

    @property
    def trouble(self) -> str:
        """What is being given up; empty while there is room."""
        return _WORDS[self._worst] if self._worst else ""

    def written(self, count: int) -> None:
        """So many bytes of records went to the writer."""
        self._written_bytes += count
        if self._written_bytes * LOOKS_A_QUOTA >= self.quota_bytes:
            self._much_written.set()

    async def keep_for_ever(self) -> None:
        """A disk that takes nothing is told by the writer."""
        while True:
            with suppress(NotKept):
                await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._much_written.wait(), LOOK_EVERY_S)

    async def look(self) -> None:
        """Drop what need not be kept, and what there is no room for. Raises NotKept or OutboxDamaged."""
        self._written_bytes = 0
        self._much_written.clear()
        while await self._writer.submit(partial(prune, now_ms=self._clock.stamp().at), reads=True):
            pass  # a slice each, so that an event gets in between
        begun = False
        while gone := await self._shed(begun=begun):
            begun = True
            self._tell(gone)
        self.standing = await self._writer.submit(standing, reads=True)
        if plenty(self.standing.size, self.quota_bytes):
            self._worst = None

    def _shed(self, *, begun: bool) -> asyncio.Future[Shed | None]:
        return self._writer.submit(partial(shed, quota_bytes=self.quota_bytes, begun=begun), reads=True)

    def _tell(self, gone: Shed) -> None:
        level = logging.DEBUG
        if self._worst is None or gone.step.value > self._worst.value:
            self._worst = gone.step
            level = logging.ERROR if gone.step is Step.DROP_EVENTS else logging.WARNING
        size_mb, quota_mb = gone.size.used / 2**20, self.quota_bytes / 2**20
        text = "no room in the outbox (%.0f MB used, quota %.0f MB): %s; numbers up to %d"
        logger.log(level, text, size_mb, quota_mb, _WORDS[gone.step], gone.last)
