"""Which watchers and rules fail: told when one begins to, and when it is well again, not at every look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from cloud_bridge.alerts.attempt import Failure, attempt

TEXTS_AT_MOST = 20
"""Told of one that fails, until it is well: a text that holds an instant is another one at every look."""

T = TypeVar("T")
Otherwise = TypeVar("Otherwise")

log = logging.getLogger(__name__)


class Failing:
    """For one thread."""

    def __init__(self) -> None:
        self._told: dict[str, set[str]] = {}
        self._failed: set[str] = set()

    def tried(self, who: str, decide: Callable[[], T], otherwise: Otherwise) -> T | Otherwise:
        """What was decided; `otherwise` where that failed. See attempt.attempt."""
        decided = attempt(who, decide)
        if isinstance(decided, Failure):
            self.note((decided,))
            return otherwise
        return decided

    def note(self, failures: Iterable[Failure]) -> None:
        """What failed at this look."""
        for failure in failures:
            self._failed.add(failure.who)
            told = self._told.setdefault(failure.who, set())
            if failure.why not in told and len(told) < TEXTS_AT_MOST:
                told.add(failure.why)
                log.error("%s fails, the others go on: %s", failure.who, failure.why)

    def looked(self, *, everything: bool) -> None:
        """The look is over. Whether one is well again only a look at everything shows: what fails at one unit is well
        at all the others."""
        if everything:
            for who in sorted(self._told.keys() - self._failed):
                del self._told[who]
                log.warning("%s works again", who)
        self._failed.clear()
