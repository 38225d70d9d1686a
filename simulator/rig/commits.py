"""When events became visible in the database to another process: the commit, seen from outside."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from cloud_bridge.rows import EventFilter
from cloud_bridge.store.reader import Reader

LOOK_S = 0.001
"""How often the file is looked at: the resolution of what is measured."""


class CommitWatch:
    """Looks at the database from a thread of its own while it is entered."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._seen: dict[tuple[str, int], int] = {}
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="commits", daemon=True)

    def __enter__(self) -> CommitWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def committed_at_us(self, stream: str, seq: int) -> int | None:
        """UTC microseconds at which that event was first seen."""
        return self._seen.get((stream, seq))

    def wait_for(self, events: int, timeout_s: float) -> bool:
        """Whether so many events were seen in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._seen) >= events, timeout_s)

    @property
    def count(self) -> int:
        return len(self._seen)

    def _look(self) -> None:
        last = version = 0
        with Reader(self._database) as reader:
            while not self._stop.wait(LOOK_S):
                if (found := reader.version()) == version:
                    continue
                version, now_us = found, time.time_ns() // 1000
                last = self._note(reader, last, now_us)

    def _note(self, reader: Reader, last: int, now_us: int) -> int:
        with self._changed:
            for row in reader.events(EventFilter(after_id=last)):
                self._seen[row.stream, row.seq] = now_us
                last = row.id
            self._changed.notify_all()
        return last
