"""How a share of measured times stands."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The smallest value that is not exceeded by `percent` of them; None of none. `ordered`: smallest first."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
