"""What a demo run showed: every event, how late it was and which way it came. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median

import msgspec

from drivers.ups import CATALOGUE
from simulator.rig.truth import Happened, Legs, Match, Stored, legs, match, out_of_order, surplus


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One stored event. `happened_at` and `late_ms` only where the simulator's own record names the moment."""

    unit: str
    type: str
    severity: str
    at: datetime
    stored_at: datetime
    path: str
    happened_at: datetime | None = None
    late_ms: float | None = None
    legs: Legs | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`complete`: every transfer of every unit is stored once and in order."""

    seconds: float
    happened: int
    stored: int
    complete: bool
    late_ms_median: float | None
    late_ms_max: float | None
    missing: list[Happened]
    surplus: list[Stored]
    out_of_order: list[Stored]
    events: list[Told]


def summarize(
    seconds: float, happened: Sequence[Happened], stored: Sequence[Stored], paths: Mapping[str, str]
) -> Summary:
    """`paths`: by unit, which way its events come."""
    pairs = match(happened, stored)
    missing = [pair.happened for pair in pairs if pair.stored is None]
    extra, unordered = surplus(happened, stored), out_of_order(stored)
    lateness = [late for pair in pairs if (late := _late_ms(pair)) is not None]
    return Summary(
        seconds=seconds,
        happened=len(happened),
        stored=len(happened) - len(missing),
        complete=not (missing or extra or unordered),
        late_ms_median=median(lateness) if lateness else None,
        late_ms_max=max(lateness) if lateness else None,
        missing=missing,
        surplus=extra,
        out_of_order=unordered,
        events=_told(pairs, stored, paths),
    )


def lines(summary: Summary) -> list[str]:
    """For a terminal: a line an event, then the sums."""
    told = [_line(event) for event in summary.events]
    late = ""
    if summary.late_ms_median is not None and summary.late_ms_max is not None:
        typical, worst = summary.late_ms_median / 1000, summary.late_ms_max / 1000
        late = f", {typical:.2f} s late at the median and {worst:.2f} s at most"
    sums = f"{summary.stored} of {summary.happened} transfers stored{late}"
    ways = sorted({event.path for event in summary.events if event.unit})
    verdict = "each once and in order" if summary.complete else "NOT each once and in order: --json names them"
    return [*told, "", *ways, "", f"{sums}; {verdict}"]


def _line(event: Told) -> str:
    late = f"{event.late_ms / 1000:6.2f} s late" if event.late_ms is not None else " " * 13
    meaning = CATALOGUE[event.type].meaning if event.type in CATALOGUE else ""
    return f"{event.at:%H:%M:%S}  {late}  {event.severity:<13}  {event.unit or '-':<8}  {event.type}: {meaning}"


def _told(pairs: Sequence[Match], stored: Sequence[Stored], paths: Mapping[str, str]) -> list[Told]:
    causes = {(pair.stored.stream, pair.stored.seq): pair for pair in pairs if pair.stored}
    return [_one(event, causes.get((event.stream, event.seq)), paths) for event in stored]


def _one(event: Stored, pair: Match | None, paths: Mapping[str, str]) -> Told:
    return Told(
        unit=event.unit or "",
        type=event.type,
        severity=event.severity,
        at=event.at,
        stored_at=event.stored_at,
        path=paths.get(event.unit or "", ""),
        happened_at=pair.happened.at if pair else None,
        late_ms=_late_ms(pair) if pair else None,
        legs=legs(pair) if pair else None,
    )


def _late_ms(pair: Match) -> float | None:
    """From the physics to the database, in milliseconds."""
    if pair.stored is None:
        return None
    return (pair.stored.stored_at - pair.happened.at).total_seconds() * 1000
