"""Messages between the thread that hears the broker and the one that writes the database."""

from __future__ import annotations

import logging
import queue
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)

MAX_MESSAGES = 8192
MAX_BYTES = 64 * 1024 * 1024
"""Most that waits; what comes on top is dropped: a gateway sends again what is not acknowledged."""

TAKE_MESSAGES = 256
TAKE_BYTES = 4 * 1024 * 1024
"""Most that one transaction takes, so that an alarm never waits for a long one."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came. `received_at`: UTC milliseconds."""

    topic: str
    payload: bytes
    received_at: int


class Inbox:
    """One thread puts, one takes. The byte counts are each written by one side only."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self._bytes_in = 0
        self._bytes_out = 0
        self._full = False

    def put(self, topic: str, payload: bytes) -> None:
        """Drops it, and tells the first, if there is no room."""
        waiting = self._bytes_in - self._bytes_out + len(payload)
        full = self._queue.qsize() >= MAX_MESSAGES or waiting > MAX_BYTES
        if full and not self._full:
            log.error("more comes than can be stored: what has no room is dropped until its gateway sends it again")
        self._full = full
        if full:
            return
        self._bytes_in += len(payload)
        self._queue.put(Heard(topic, payload, time.time_ns() // 1_000_000))

    def wake(self) -> None:
        """Makes `take` return, with nothing if nothing came."""
        self._queue.put(None)

    def take(self, timeout_s: float) -> list[Heard]:
        """What is waiting, oldest first, as much as one transaction takes; waits for the first."""
        taken: list[Heard] = []
        size = 0
        try:
            one = self._queue.get(timeout=max(0.0, timeout_s))
            while one is not None:
                taken.append(one)
                size += len(one.payload)
                if len(taken) >= TAKE_MESSAGES or size >= TAKE_BYTES:
                    break
                one = self._queue.get_nowait()
        except queue.Empty:
            pass
        self._bytes_out += size
        return taken
