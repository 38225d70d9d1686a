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


def results(
    measured: Sequence[Legs], rtu_ms: Sequence[float], ideal_ms: float, memory_mb: float, processor_pct: float
) -> list[Result]:
    carried = percentile([legs.carried for legs in measured], 99)
    share = ideal_ms / percentile(rtu_ms, 50)
    return [
        _at_most("everything but waiting for the poll, 99th percentile", carried, "ms", OUTAGE_LIMIT_MS),
        Result(
            name=f"full RTU poll at 9600 baud: ideal {ideal_ms:.0f} ms, median {percentile(rtu_ms, 50):.0f} ms; share",
            value=share,
            unit="",
            limit=RTU_SHARE_LIMIT,
            holds=share >= RTU_SHARE_LIMIT,
        ),
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
