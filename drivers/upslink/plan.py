"""What is asked and in which order (safety rules S4 and S2; ups-link.md 19)."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.upslink.abilities import Abilities
from drivers.upslink.characters import MODEL, QUERIES, SHOWN, Query

MEASURED = f"Q9GXLOFP/{SHOWN}fBjC~'8ht"
EXTREMES = "MN"
"""Cleared by being read (5.1): other programs on the unit would lose them (19.7)."""
INVENTORY = f"{MODEL}bmcxgo><"
SETTINGS = "ulsoeprqkE"
AFTER_A_TRANSFER = "G9"
"""Asked at once where `Q` shows another state than before, so that cause and line quality belong to it."""


REASK_S, REASK_LIMIT_S = 60.0, 3600.0
"""From an unanswered question to its next try, doubled each time: a unit may have been busy when it was met, and one
that is too old for the question stays silent for ever.
"""


class Silences:
    """Which questions this connection's unit left unanswered, as pure bookkeeping in monotonic seconds."""

    def __init__(self) -> None:
        self._next: dict[str, tuple[float, float]] = {}

    def silent(self, char: str, now: float) -> None:
        _, waited_s = self._next.get(char, (now, REASK_S / 2))
        wait_s = min(2 * waited_s, REASK_LIMIT_S)
        self._next[char] = now + wait_s, wait_s

    def forget(self) -> None:
        self._next.clear()

    def hold(self, char: str, now: float) -> bool:
        """Whether it is too early to ask again."""
        return char in self._next and now < self._next[char][0]


def full(abilities: Abilities, *, minmax: bool) -> tuple[Query, ...]:
    """Everything measured that the unit lists, the status first, and again between two that could be mixed up."""
    ordered = apart(_listed(abilities, MEASURED + (EXTREMES if minmax else "")))
    spaced = list(ordered[:1])
    for query in ordered[1:]:
        spaced += [QUERIES["Q"], query] if collide(spaced[-1], query) else [query]
    return tuple(spaced)


def inventory(abilities: Abilities) -> tuple[Query, ...]:
    return apart(_listed(abilities, INVENTORY))


def settings(abilities: Abilities) -> tuple[Query, ...]:
    return apart(_listed(abilities, SETTINGS))


def after_a_transfer(abilities: Abilities) -> tuple[Query, ...]:
    return _listed(abilities, AFTER_A_TRANSFER)


def _listed(abilities: Abilities, chars: str) -> tuple[Query, ...]:
    return tuple(QUERIES[char] for char in chars if char in abilities.characters)


def collide(one: Query, other: Query) -> bool:
    """A reply to one of them passes for a reply to the other."""
    return any(other.fits(text) for text in one.examples) or any(one.fits(text) for text in other.examples)


def apart(queries: Iterable[Query]) -> tuple[Query, ...]:
    """The same questions so that, where it can be, two in a row have no form in common: a repeated or shifted
    reply then never fits. The first stays first.
    """
    left = list(queries)
    ordered = left[:1]
    del left[:1]
    while left:
        free = [query for query in left if not collide(ordered[-1], query)] or left
        hardest = max(free, key=lambda query: sum(collide(query, other) for other in left))
        ordered.append(hardest)
        left.remove(hardest)
    return tuple(ordered)
