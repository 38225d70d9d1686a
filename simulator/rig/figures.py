"""The benchmark's numbers as tables. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from rich.table import Table

from simulator.rig.truth import Legs

OUTAGE_LIMIT_MS = 50.0
"""99th percentile of everything but waiting for the poll."""

RTU_SHARE_LIMIT = 0.85
"""Least share that a full poll's own bytes and silences have in the time it takes."""

UPSLINK_SHARE_LIMIT = 0.8
"""The same for UPS-Link, where the unit's own delays count too."""

MEMORY_LIMIT_MB = 45.0
PROCESSOR_LIMIT_PCT = 1.0

BITS_A_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""

SILENCE_MS = 35.0
"""Between frames (AN176 4.2.2, apc-modbus.md 3.1)."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure beside its limit. `share`: the figure as a share of the limit, or of its ideal."""

    name: str
    value: float
    unit: str
    limit: float
    holds: bool


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; NaN of nothing."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def outage_table(measured: Sequence[Legs]) -> Table:
    """Each leg of the way, and the whole."""
    table = Table(title=f"{len(measured)} transfers, from the mains to the committed event (milliseconds)")
    table.add_column("leg")
    for heading in ("median", "99th percentile", "most"):
        table.add_column(heading, justify="right")
    for name in ("wait", "read", "outbox", "broker", "ingest", "carried", "total"):
        values = [float(getattr(legs, name)) for legs in measured]
        label = {"wait": "waiting for the poll", "carried": "everything but the wait"}.get(name, name)
        table.add_row(label, *(f"{percentile(values, p):.1f}" for p in (50, 99, 100)))
    return table


def rtu_ideal_ms(exchanges: Sequence[tuple[int, int]], baud: int) -> float:
    """Time that the bytes of (request, reply) need on the line, with a silence before each request."""
    line_ms = sum(request + reply for request, reply in exchanges) * BITS_A_BYTE * 1000 / baud
    return line_ms + SILENCE_MS * len(exchanges)


def upslink_ideal_ms(replies: Sequence[int], baud: int, answer_ms: float, character_ms: float) -> float:
    """Time that one question of one character for each reply needs, CR LF and the unit's own delays included.

    `replies`: their lengths; `answer_ms`: before each; `character_ms`: from one of its characters to the next.
    """
    byte_ms = BITS_A_BYTE * 1000 / baud
    return sum(byte_ms + answer_ms + (length + 2) * max(byte_ms, character_ms) for length in replies)


class Polls(msgspec.Struct, frozen=True):
    """Full polls over one serial line: what each took, and what the line and the unit need at least."""

    line: str
    taken_ms: Sequence[float]
    ideal_ms: float
    limit: float

    def result(self) -> Result:
        median_ms = percentile(self.taken_ms, 50)
        share = self.ideal_ms / median_ms
        name = f"full poll, {self.line}: needs {self.ideal_ms:.0f} ms, took {median_ms:.0f} ms (median); share"
        return Result(name=name, value=share, unit="", limit=self.limit, holds=share >= self.limit)


def results(measured: Sequence[Legs], polls: Sequence[Polls], memory_mb: float, processor_pct: float) -> list[Result]:
    carried = percentile([legs.carried for legs in measured], 99)
    return [
        _at_most("everything but waiting for the poll, 99th percentile", carried, "ms", OUTAGE_LIMIT_MS),
        *(each.result() for each in polls),
        _at_most("gateway's resident memory, three units", memory_mb, "MB", MEMORY_LIMIT_MB),
        _at_most("gateway's share of a core, three units, one poll a second", processor_pct, "%", PROCESSOR_LIMIT_PCT),
    ]


def result_table(found: Sequence[Result]) -> Table:
    table = Table(title="against the limits")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("limit", justify="right")
    table.add_column("")
    for each in found:
        sign = "at least" if each.unit == "" else "at most"
        table.add_row(
            each.name,
            f"{each.value:.2f} {each.unit}".strip(),
            f"{sign} {each.limit:g} {each.unit}".strip(),
            "[green]holds" if each.holds else "[bold red]MISSED",
        )
    return table


def _at_most(name: str, value: float, unit: str, limit: float) -> Result:
    return Result(name=name, value=value, unit=unit, limit=limit, holds=value <= limit)
