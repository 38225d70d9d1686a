"""What the emergency route reads of the outbox file."""

from __future__ import annotations

from gateway.entries import Entry
from gateway.store.outbox import OutboxFile
from gateway.wire.messages import Lane

READ_AT_ONCE = 200


def events_after(file: OutboxFile, stream: str, number: int) -> tuple[Entry, ...]:
    """The events above `number` that the file has, READ_AT_ONCE at most. Unlike the sender's `load` it explains no
    hole: what is missing may still be on its way to the disk."""
    rows = file.connection.execute(
        "SELECT first, last, gap, raw FROM record WHERE lane = ? AND stream = ? AND first > ? ORDER BY first LIMIT ?",
        (Lane.EVENTS, stream, number, READ_AT_ONCE),
    )
    return tuple(Entry(first, bytes(raw), last=last, gap=bool(gap)) for first, last, gap, raw in rows)


def moved_by(file: OutboxFile, new: str, old: str) -> int | None:
    """By how much numbers became lower when the events left stream `old` for `new` (S16); None if the file no longer
    shows it."""
    row = file.connection.execute(
        "SELECT origin_first - first FROM record WHERE lane = ? AND stream = ? AND origin_stream = ? LIMIT 1",
        (Lane.EVENTS, new, old),
    ).fetchone()
    return None if row is None else int(row[0])
