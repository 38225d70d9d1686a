"""The course of an outage in few points: what a drawing needs, whatever the outage's length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.wire.outage import Point

_INPUT, _LOAD, _CHARGE, _ON_BATTERY = 1, 3, 4, 5


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` (4 or more) of them in their order: ends, lowest input and charge, highest load, both sides of
    each transfer as far as there is room, and the others evenly.
    """
    if len(points) <= most:
        return list(points)
    kept = {0, len(points) - 1, *_extremes(points)}
    transfers = [number for flip in _flips(points) for number in (flip - 1, flip)]
    for more in (transfers, range(len(points))):
        kept |= set(_evenly([number for number in more if number not in kept], most - len(kept)))
    return [points[number] for number in sorted(kept)[:most]]


def _extremes(points: Sequence[Point]) -> Iterable[int]:
    for column, choose in ((_INPUT, min), (_CHARGE, min), (_LOAD, max)):
        values = [(point[column], number) for number, point in enumerate(points) if point[column] is not None]
        if values:
            yield choose(values)[1]


def _flips(points: Sequence[Point]) -> list[int]:
    return [n for n in range(1, len(points)) if points[n][_ON_BATTERY] != points[n - 1][_ON_BATTERY]]


def _evenly(numbers: Sequence[int], most: int) -> list[int]:
    if most <= 0 or not numbers:
        return []
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[place * len(numbers) // most] for place in range(most)]
