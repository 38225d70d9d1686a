"""What becomes visible in the database to another process, and when: the commit, seen from outside."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from cloud_bridge.rows import EventFilter
from cloud_bridge.store.reader import Reader
from simulator.rig.errors import TooSlow
from simulator.rig.truth import Match

LOOK_S = 0.001
"""How often the file is looked at: the resolution of what is measured."""


class CommitWatch:
    """Looks at the database in a task of its own while it is entered. `counts` holds stored events by (unit, type)."""

    def __init__(self, database: Path, look_s: float = LOOK_S) -> None:
        self._database = database
        self._look_s = look_s
        self._seen: dict[tuple[str, int], int] = {}
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.counts: Counter[tuple[str, str]] = Counter()

    async def __aenter__(self) -> CommitWatch:
        self._task = asyncio.create_task(self._look(), name="commits")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait_for(self, what: str, come: Callable[[], bool], timeout_s: float) -> None:
        """Until `come` holds, looked at after each commit. Raises TooSlow, naming `what`."""
        try:
            async with self._changed, asyncio.timeout(timeout_s):
                await self._changed.wait_for(come)
        except TimeoutError:
            raise TooSlow(what, timeout_s) from None

    async def nth(self, unit: str, kind: str, count: int, timeout_s: float) -> None:
        """Until so many events of that kind are stored of the unit. Raises TooSlow, naming them."""
        await self.wait_for(f"{kind} number {count} of {unit}", lambda: self.counts[unit, kind] >= count, timeout_s)

    def committed(self, pair: Match) -> Match:
        """The pair with the moment of its commit in place of the one that ingest wrote."""
        event = pair.stored
        at_us = None if event is None else self._seen.get((event.stream, event.seq))
        if event is None or at_us is None:
            return Match(pair.happened, None)
        at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)
        return Match(pair.happened, msgspec.structs.replace(event, stored_at=at))

    async def _look(self) -> None:
        last = version = 0
        with Reader(self._database) as reader:
            while True:
                if (found := reader.version()) != version:
                    version, now_us = found, time.time_ns() // 1000
                    last = await self._note(reader, last, now_us)
                await asyncio.sleep(self._look_s)

    async def _note(self, reader: Reader, last: int, now_us: int) -> int:
        async with self._changed:
            for row in reader.events(EventFilter(after_id=last)):
                self._seen[row.stream, row.seq] = now_us
                self.counts[row.unit, row.type] += 1
                last = row.id
            self._changed.notify_all()
        return last
