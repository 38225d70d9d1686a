"""How long to wait before trying again. Pure: chance is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def delays(first_s: float, longest_s: float, chance: Callable[[], float]) -> Iterator[float]:
    """Seconds before each next try, doubling; each is drawn between its half and its whole, so that those
    who lost one peer together do not return together. `chance` draws from [0, 1)."""
    ceiling = first_s
    while True:
        yield ceiling * (0.5 + chance() / 2)
        ceiling = min(2 * ceiling, longest_s)
