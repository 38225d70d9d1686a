"""Whether something that was looked at hour by hour goes on growing. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import linear_regression

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

WARM_SHARE = 0.25
"""What is looked at first tells of the start only."""


class Grown(msgspec.Struct, frozen=True):
    """What was looked at, once an hour. `limit`: most that it may grow an hour; None: it is told only."""

    name: str
    unit: str
    values: Sequence[float]
    limit: float | None = None

    @property
    def slope(self) -> float:
        """How much it grows an hour once it is warm, by least squares; NaN of fewer than two values."""
        warm = self.values[int(len(self.values) * WARM_SHARE) :]
        return linear_regression(range(len(warm)), warm).slope if len(warm) > 1 else math.nan

    @property
    def holds(self) -> bool:
        """What can't be told (NaN) keeps no limit."""
        return self.limit is None or self.slope <= self.limit


def hours_table(grown: Sequence[Grown]) -> Table:
    """A line an hour."""
    table = Table(title="hour by hour", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("hour", justify="right")
    for each in grown:
        table.add_column("\n".join((*each.name.split(), each.unit)), justify="right", no_wrap=True)
    for index in range(min(len(each.values) for each in grown)):
        table.add_row(str(index + 1), *(f"{each.values[index]:.4g}" for each in grown))
    return table


def growth_table(grown: Sequence[Grown]) -> Table:
    """How much each grows, beside its limit."""
    table = Table(title="growth an hour, the first quarter apart")
    table.add_column("what")
    for heading in ("growth", "limit", ""):
        table.add_column(heading, justify="right")
    for each in grown:
        limit = "" if each.limit is None else f"at most {each.limit:g} {each.unit}".strip()
        verdict = "" if each.limit is None else "[green]holds" if each.holds else "[bold red]MISSED"
        table.add_row(each.name, f"{each.slope:.3f} {each.unit}".strip(), limit, verdict)
    return table
