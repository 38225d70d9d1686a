"""Stored events and dead letters, as JSON lines and as lines for a terminal. Pure.

Texts in the rows came from outside: they go into rich's Text, never into its markup (S6).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from rich.text import Text

from cloud_bridge.rows import EventRow, LetterRow
from config.text import one_line
from drivers.ups import CATALOGUE, Severity, clean_text
from gateway.wire import limits

LETTER_CHARS = 200
"""Of a dead letter's bytes in a line for a terminal; `--json` has them all."""

SEVERITY_STYLE = {Severity.INFORMATIONAL: "green", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}

_json = msgspec.json.Encoder()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(at_ms: int) -> str:
    """UTC milliseconds as ISO 8601."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_json(row: EventRow) -> str:
    line: dict[str, object] = {
        "gateway": row.gateway,
        "unit": row.unit,
        "lane": row.lane,
        "stream": row.stream,
        "seq": row.seq,
        "type": row.type,
        "severity": row.severity,
        **moment_json(row.at, row.dated_at),
        "after_at": iso_or_none(_after(row)),
        "found_afterwards": row.found_afterwards,
        "history": row.history,
        "read_ms": row.read_ms,
        "sent_at": iso_or_none(row.sent_at),
        "received_at": iso(row.received_at),
        "stored_at": iso(row.stored_at),
        "clock": row.clock,
        "boot": row.boot,
        "mono": row.mono,
        "details": row.details,
    }
    return _json.encode(line).decode()


def event_line(row: EventRow) -> Text:
    """Time, severity, unit, type and what it means."""
    known = CATALOGUE.get(row.type)
    line = Text(f"{iso(moment(row.at, row.dated_at))}  ")
    line.append(f"{row.severity:<13}  ", SEVERITY_STYLE[row.severity])
    line.append(f"{clean_text(row.gateway)}/{clean_text(row.unit) or '-'}  ")
    line.append(clean_text(row.type), "bold")
    if known:
        line.append(f"  {known.meaning}")
    if details := ", ".join(f"{key} {value}" for key, value in row.details.items()):
        line.append(f"  ({one_line(details, LETTER_CHARS)})", "dim")
    if row.found_afterwards:
        line.append("  found afterwards", "dim")
    if row.history:
        line.append("  from the backlog", "dim")
    if row.dated_at is not None:
        line.append("  dated afterwards", "dim")
    return line


def _after(row: EventRow) -> int | None:
    """By the clock that `at` is shown by. What was found afterwards may be of another boot, and stays as it came."""
    if row.after_at is None or row.dated_at is None or row.found_afterwards:
        return row.after_at
    return moved(row.after_at, row.at, row.dated_at)


def moment(at_ms: int, dated_at_ms: int | None) -> int:
    """When it was: dated afterwards, or as it was said."""
    return at_ms if dated_at_ms is None else dated_at_ms


def moved(other_ms: int, at_ms: int, dated_at_ms: int | None) -> int:
    """Another instant of the same record, by the clock that `at` was dated by."""
    return min(max(0, other_ms + moment(at_ms, dated_at_ms) - at_ms), limits.INSTANT_MAX)


def moment_json(at_ms: int, dated_at_ms: int | None) -> dict[str, str]:
    """The same as fields of a line; what was said stands in `original_at` where it was another."""
    when = moment(at_ms, dated_at_ms)
    return {"at": iso(when)} | ({"original_at": iso(at_ms)} if when != at_ms else {})


def letter_json(row: LetterRow) -> str:
    """`raw` as text, bytes that are none escaped."""
    line = {
        "gateway": row.gateway,
        "lane": row.lane,
        "stream": row.stream,
        "seq": row.seq or None,
        "reason": row.reason,
        "times": row.times,
        "received_at": iso(row.received_at),
        "last_at": iso(row.last_at),
        "raw": row.raw.decode("utf-8", "backslashreplace"),
    }
    return _json.encode(line).decode()


def letter_line(row: LetterRow) -> Text:
    where = f"{clean_text(row.gateway)} {clean_text(row.lane)}" + (f" {row.stream}:{row.seq}" if row.seq else "")
    line = Text(f"{iso(row.last_at)}  ")
    line.append(where, "bold")
    line.append(f"  {one_line(row.reason, LETTER_CHARS)}", "yellow")
    if row.times > 1:
        line.append(f"  {row.times} times")
    line.append(f"  {one_line(row.raw.decode('utf-8', 'backslashreplace'), LETTER_CHARS)}", "dim")
    return line


def ago_text(seconds: float) -> str:
    """A duration as a person says it: 45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    if hours < 2:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def iso_or_none(at_ms: int | None) -> str | None:
    """The same of what may be missing."""
    return None if at_ms is None else iso(at_ms)
