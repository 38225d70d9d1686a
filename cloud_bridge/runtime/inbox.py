"""Messages between the thread that hears the broker and the one that writes the database."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass

from gateway.wire.topics import Up

log = logging.getLogger(__name__)

MAX_MESSAGES = 8192
MAX_BYTES = 64 * 1024 * 1024
"""Most that waits; what comes on top is dropped: a gateway sends again what is not acknowledged."""

TAKE_MESSAGES = 256
TAKE_BYTES = 4 * 1024 * 1024
"""Most that one transaction takes of everything but status."""

TAKE_STATUS_BYTES = 128 * 1024
"""Most that it takes of status beside that: some sixteen deflated batches of a backlog, stored in a tenth of a second,
so that an alarm never waits for a hundred gateways that come back at once."""

_STATUS = f"/{Up.STATUS}"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came. `received_at`: UTC milliseconds."""

    topic: str
    payload: bytes
    received_at: int


class Inbox:
    """One thread puts, one takes: first whatever is not status, each in the order in which it came."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._urgent: deque[Heard] = deque()
        self._status: deque[Heard] = deque()
        self._bytes = 0
        self._full = False
        self._woken = False

    def put(self, topic: str, payload: bytes) -> None:
        """Drops it, and tells the first, if there is no room."""
        with self._news:
            waiting = len(self._urgent) + len(self._status)
            full = waiting >= MAX_MESSAGES or self._bytes + len(payload) > MAX_BYTES
            if not full:
                queue = self._status if topic.endswith(_STATUS) else self._urgent
                queue.append(Heard(topic, payload, time.time_ns() // 1_000_000))
                self._bytes += len(payload)
                self._news.notify()
        if full and not self._full:
            log.error("more comes than can be stored: what has no room is dropped until its gateway sends it again")
        self._full = full

    def wake(self) -> None:
        """Makes `take` return, with nothing if nothing came."""
        with self._news:
            self._woken = True
            self._news.notify()

    def take(self, timeout_s: float) -> list[Heard]:
        """What is waiting, as much as one transaction takes; waits for the first."""
        with self._news:
            self._news.wait_for(self._has_news, max(0.0, timeout_s))
            self._woken = False
            taken = _first(self._urgent, TAKE_MESSAGES, TAKE_BYTES)
            taken += _first(self._status, TAKE_MESSAGES, TAKE_STATUS_BYTES)
            self._bytes -= sum(len(one.payload) for one in taken)
            return taken

    def _has_news(self) -> bool:
        return self._woken or bool(self._urgent) or bool(self._status)


def _first(queue: deque[Heard], most: int, most_bytes: int) -> list[Heard]:
    """Takes from the queue until either limit is reached."""
    taken: list[Heard] = []
    size = 0
    while queue and len(taken) < most and size < most_bytes:
        taken.append(queue.popleft())
        size += len(taken[-1].payload)
    return taken
