"""A scenario: control lines at simulated seconds, once or over and over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import msgspec

MAX_STEPS = 10_000
MAX_ROUNDS_AT_ONCE = 1000
"""Rounds caught up with in one go; a clock that jumped further skips the rest."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9, description="a number of simulated seconds")]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`do` is a line as the control port takes it, `at` the simulated second at which it is obeyed."""

    at: Seconds
    do: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="a control line, such as mains off")]


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps in any order; with `repeat_every` they are played again after that many seconds."""

    steps: Annotated[tuple[Step, ...], msgspec.Meta(max_length=MAX_STEPS)] = ()
    repeat_every: (
        Annotated[float, msgspec.Meta(ge=0.1, le=1e9, description="a number of seconds, 0.1 or more")] | None
    ) = None

    def between(self, after_s: float, until_s: float) -> list[tuple[float, str]]:
        """What is to be done after `after_s` and up to `until_s`, in the order of time."""
        due = [
            (start_s + step.at, step.do)
            for start_s in self._rounds(after_s, until_s)
            for step in self.steps
            if after_s < start_s + step.at <= until_s
        ]
        return sorted(due, key=lambda each: each[0])

    def _rounds(self, after_s: float, until_s: float) -> Iterator[float]:
        """The starts of the rounds that have a step in between."""
        if self.repeat_every is None or not self.steps:
            yield 0.0
            return
        longest_s = max(step.at for step in self.steps)
        first = max(0, math.floor((after_s - longest_s) / self.repeat_every))
        last = math.floor(until_s / self.repeat_every)
        for number in range(max(first, last - MAX_ROUNDS_AT_ONCE), last + 1):
            yield number * self.repeat_every
