"""Outages in the outbox file: those that are over, and the open ones as they were kept last."""

from __future__ import annotations

import msgspec

from gateway.store.outbox import OutboxFile
from gateway.view import UnitOutage
from gateway.wire.outage import OutageBody

KEPT_AT_MOST = 200
"""Outages that are kept on the spot; older ones are dropped."""

_PUT = "INSERT OR REPLACE INTO outage (id, unit, began_at, open, body) VALUES (?, ?, ?, ?, ?)"


def put_open(file: OutboxFile, unit: str, open_id: str, began_at: int, body: bytes) -> None:
    """One that goes on; unless it is known to be over, which a late job of an earlier moment must not undo."""
    over = file.connection.execute("SELECT 1 FROM outage WHERE id = ? AND open = 0", (open_id,)).fetchone()
    if over is None:
        file.connection.execute(_PUT, (open_id, unit, began_at, 1, body))


def put_over(file: OutboxFile, unit: str, body: OutageBody) -> None:
    file.connection.execute(_PUT, (body.id, unit, body.began_at, 0, msgspec.json.encode(body)))
    file.connection.execute(
        "DELETE FROM outage WHERE open = 0 AND id NOT IN"
        " (SELECT id FROM outage WHERE open = 0 ORDER BY rowid DESC LIMIT ?)",
        (KEPT_AT_MOST,),
    )


def open_ones(file: OutboxFile) -> dict[str, bytes]:
    """By unit."""
    rows = file.connection.execute("SELECT unit, body FROM outage WHERE open = 1 ORDER BY rowid")
    return {unit: bytes(body) for unit, body in rows}


def drop_open(file: OutboxFile, unit: str) -> None:
    file.connection.execute("DELETE FROM outage WHERE unit = ? AND open = 1", (unit,))


def recent(file: OutboxFile, count: int) -> tuple[UnitOutage, ...]:
    """Those that are over, newest first."""
    rows = file.connection.execute("SELECT unit, body FROM outage WHERE open = 0 ORDER BY rowid DESC LIMIT ?", (count,))
    return tuple(UnitOutage(unit=unit, outage=msgspec.json.decode(body, type=OutageBody)) for unit, body in rows)
