"""When a lost line is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drivers.errors import DriverError, IdentityChanged, LineDown

GROWTH = 1.6
LEAST_CAP_S = 10.0
SILENCES_THAT_LOSE = 3
"""Failed exchanges in a row after which the port is closed and opened anew."""


def delays(floor_s: float, chance: Callable[[], float]) -> Iterator[float]:
    """Seconds to wait before each try. Never under `floor_s`; all of them random, the first too, so that a
    fleet does not return all at once.
    """
    step, cap = floor_s, max(LEAST_CAP_S, 2 * floor_s)
    while True:
        yield min(step, cap) * (1 + 0.5 * chance())
        step = min(step * GROWTH, cap)


class Line:
    """Up, or lost with a time at which the next try is due. Times are monotonic seconds."""

    def __init__(self, floor_s: float, chance: Callable[[], float]) -> None:
        self._floor_s = floor_s
        self._chance = chance
        self._delays = delays(floor_s, chance)
        self._retry_at: float | None = None
        self._cause: DriverError | None = None
        self._failures = 0

    @property
    def lost(self) -> bool:
        return self._cause is not None

    def check(self, now: float) -> None:
        """Raises what keeps the line down: IdentityChanged, or LineDown until the next try is due."""
        if self._retry_at is None or now >= self._retry_at or self._cause is None:
            return
        if isinstance(self._cause, IdentityChanged):
            raise IdentityChanged(self._cause.expected, self._cause.found)
        raise LineDown(self._retry_at - now, str(self._cause))

    def fail(self, now: float, cause: DriverError) -> bool:
        """The line is lost; True if that is news: it was up, or is now known to lead to another unit."""
        known = isinstance(self._cause, IdentityChanged)
        news = self._cause is None or (isinstance(cause, IdentityChanged) and not known)
        self._cause = cause
        self._retry_at = now + next(self._delays)
        self._failures = 0
        return news

    def accepted(self) -> None:
        """The owner accepts the other unit: what is left is to wait for the next try."""
        if isinstance(self._cause, IdentityChanged):
            self._cause = DriverError("another unit was accepted")

    def opened(self) -> bool:
        """Connected and proven; True if the line was lost before."""
        was_lost = self.lost
        self._cause = self._retry_at = None
        self._failures = 0
        self._delays = delays(self._floor_s, self._chance)
        return was_lost

    def answered(self) -> None:
        self._failures = 0

    def unanswered(self) -> bool:
        """True if that was one too many."""
        self._failures += 1
        return self._failures >= SILENCES_THAT_LOSE
