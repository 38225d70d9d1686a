"""One line for a client that misbehaves, not one for each time it does: nobody outside may flood the log."""

from __future__ import annotations

from dataclasses import dataclass, field

QUIET_S = 60.0
"""A client's fault of one kind is told once in this time."""
MOST_KEPT = 1000
"""Of (who, kind) pairs; addresses are a stranger's to choose. Above it the oldest are forgotten."""


@dataclass(slots=True)
class _Told:
    at: float
    since: int = 0


@dataclass(slots=True)
class Complaints:
    """Remembers what was told when."""

    _told: dict[tuple[str, str], _Told] = field(default_factory=dict)

    def suffix(self, who: str, kind: str, now: float) -> str | None:
        """What to add to the line about this fault: nothing, or how many were left out. None: leave it
        out, too."""
        told = self._told.get((who, kind))
        if told and now - told.at < QUIET_S:
            told.since += 1
            return None
        left_out = told.since if told else 0
        self._told.pop((who, kind), None)
        self._told[who, kind] = _Told(now)
        if len(self._told) > MOST_KEPT:
            del self._told[next(iter(self._told))]
        return f" ({left_out} more since the last such line)" if left_out else ""
