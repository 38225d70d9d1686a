"""The benchmark's numbers: percentiles, what a line needs at least, figures beside their limits. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from rich.table import Table

from simulator.rig.truth import Legs

BITS_A_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""

SILENCE_MS = 35.0
"""Between frames (AN176 4.2.2, apc-modbus.md 3.1)."""

REQUEST_BYTES = 8
REPLY_OVERHEAD_BYTES = 5
"""Unit id, function code, byte count, CRC."""

LEGS = ("wait", "read", "outbox", "broker", "ingest", "carried", "total")
_LABELS = {"wait": "waiting for the poll", "carried": "everything but the wait"}


class Bound(StrEnum):
    """Which side of its limit a figure has to be on."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure beside its limit; `limit` None: it is told, nothing depends on it."""

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    bound: Bound = Bound.AT_MOST

    @property
    def holds(self) -> bool:
        """Whether it keeps its limit. What was not measured (NaN) keeps none."""
        if self.limit is None:
            return True
        return self.value <= self.limit if self.bound is Bound.AT_MOST else self.value >= self.limit


class Findings(msgspec.Struct, frozen=True):
    """What one part has measured: figures for the table at the end, and tables of its own."""

    results: Sequence[Result]
    tables: Sequence[Table] = ()


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; NaN of nothing."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def spread_table(title: str, column: str, rows: Mapping[str, Sequence[float]], digits: int) -> Table:
    """Number, median, 99th percentile and most of each row's values."""
    table = _table(title, (column,), ("number", "median", "99th percentile", "most"))
    for name, values in rows.items():
        table.add_row(name, str(len(values)), *(f"{percentile(values, p):.{digits}f}" for p in (50, 99, 100)))
    return table


def legs_table(measured: Sequence[Legs]) -> Table:
    """Each leg of the way, and the whole, in milliseconds."""
    rows = {_LABELS.get(name, name): _leg(measured, name) for name in LEGS}
    return spread_table("from the mains to the committed event (milliseconds)", "leg", rows, 1)


def medians_table(measured: Mapping[str, Sequence[Legs]]) -> Table:
    """The median of each leg, a row a line, in milliseconds."""
    headings = [_LABELS.get(name, name) for name in LEGS]
    table = _table("where the time goes: median of each leg (milliseconds)", ("line",), headings)
    for line, legs in measured.items():
        table.add_row(line, *(f"{percentile(_leg(legs, name), 50):.0f}" for name in LEGS))
    return table


def rtu_ideal_ms(exchanges: Sequence[tuple[int, int]], baud: int) -> float:
    """Time that the bytes of (request, reply) need on the line, with a silence before each request."""
    line_ms = sum(request + reply for request, reply in exchanges) * BITS_A_BYTE * 1000 / baud
    return line_ms + SILENCE_MS * len(exchanges)


def rtu_exchange(registers: int) -> tuple[int, int]:
    """Bytes of a request for so many registers, and of its reply."""
    return REQUEST_BYTES, REPLY_OVERHEAD_BYTES + 2 * registers


def upslink_ideal_ms(replies: Sequence[int], baud: int, answer_ms: float, character_ms: float) -> float:
    """Time that one question of one character for each reply needs, CR LF and the unit's own delays included.

    `replies`: their lengths; `answer_ms`: before each; `character_ms`: from one of its characters to the next.
    """
    byte_ms = BITS_A_BYTE * 1000 / baud
    return sum(byte_ms + answer_ms + (length + 2) * max(byte_ms, character_ms) for length in replies)


class Polls(msgspec.Struct, frozen=True):
    """Full polls over one serial line: what each took, and what the line and the unit need at least.

    `limit`: least share that the need has in the time taken.
    """

    line: str
    taken_ms: Sequence[float]
    ideal_ms: float
    limit: float

    def result(self) -> Result:
        median_ms = percentile(self.taken_ms, 50)
        name = f"full poll, {self.line}: needs {self.ideal_ms:.0f} ms, took {median_ms:.0f} ms (median); share"
        return Result(name=name, value=self.ideal_ms / median_ms, limit=self.limit, bound=Bound.AT_LEAST)


def result_table(parts: Mapping[str, Sequence[Result]]) -> Table:
    """All figures, by the part that measured them."""
    table = _table("against the limits", ("part", "figure"), ("measured", "limit", ""))
    for part, results in parts.items():
        for each in results:
            table.add_row(part, each.name, f"{each.value:.2f} {each.unit}".strip(), _limit(each), _verdict(each))
    return table


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title)
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _leg(measured: Sequence[Legs], name: str) -> list[float]:
    return [float(getattr(legs, name)) for legs in measured]


def _limit(result: Result) -> str:
    return "" if result.limit is None else f"{result.bound} {result.limit:g} {result.unit}".strip()


def _verdict(result: Result) -> str:
    if result.limit is None:
        return ""
    return "[green]holds" if result.holds else "[bold red]MISSED"
