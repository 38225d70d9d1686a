"""The alert queue, read: every event and every outage has a row in it, of the transaction that stored them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import msgspec

from cloud_bridge.store.database import open_reader

BATCH = 300
"""Most rows that are read at once."""


class Queued(msgspec.Struct, frozen=True):
    """One row: its own number, its record's, and what that is."""

    id: int
    record: int
    is_outage: bool


class Queue:
    """A context manager over the telemetry database; never writes. Raises StoreError, sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = open_reader(path)

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: tuple[type[BaseException], BaseException, TracebackType] | None) -> None:
        self._db.close()

    def after(self, position: int, count: int = BATCH) -> list[Queued]:
        rows = self._db.execute(
            "SELECT q.id, q.record_id, r.kind = 'outage' FROM alert_queue q JOIN records r ON r.id = q.record_id"
            " WHERE q.id > ? ORDER BY q.id LIMIT ?",
            (position, count),
        )
        return [Queued(id_, record, bool(is_outage)) for id_, record, is_outage in rows]

    def was_pruned(self, position: int) -> bool:
        """Whether what stood there is too old to be in the queue any more (bodies.prune_queue)."""
        first: int | None = self._db.execute("SELECT min(id) FROM alert_queue").fetchone()[0]
        return first is not None and position < first

    def mark(self, position: int) -> int | None:
        """A number by which a row is known again, since a restored database gives its id to another; None: no row."""
        row = self._db.execute(
            "SELECT r.digest FROM alert_queue q JOIN records r ON r.id = q.record_id WHERE q.id = ?", (position,)
        ).fetchone()
        return int.from_bytes(row[0][:7], "big") if row else None
