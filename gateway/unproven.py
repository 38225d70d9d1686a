"""Envelopes that are not from the cloud: whoever owns the broker can send them for ever. How many are looked at, and
how often they are told. Pure; instants are monotonic seconds.
"""

from __future__ import annotations

from collections import deque

TOLD_EVERY_S = 3600.0
"""One line of the audit log says how many there were in that time: no line is ever deleted, and one each minute would
take the outbox's room in two years."""

LOOKED_AT_MOST = 8
WINDOW_S = 60.0
"""After so many within so long none is looked at: each costs the start of a process. The cloud repeats its orders."""


class Unproven:
    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=LOOKED_AT_MOST)
        self._count = 0
        self._told_s: float | None = None

    def may_look(self, now_s: float) -> bool:
        return len(self._recent) < LOOKED_AT_MOST or now_s - self._recent[0] >= WINDOW_S

    def passed_over(self) -> None:
        """One that was not looked at counts too."""
        self._count += 1

    def counted(self, now_s: float) -> int | None:
        """One more; how many there were since that was told last, if it is due."""
        self._recent.append(now_s)
        self._count += 1
        if self._told_s is not None and now_s - self._told_s < TOLD_EVERY_S:
            return None
        count, self._count, self._told_s = self._count, 0, now_s
        return count
