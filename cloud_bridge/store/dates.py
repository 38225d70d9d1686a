"""Anchors of gateways' clocks, and the records that they date. Everything here runs inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from cloud_bridge.dating import MAX_ANCHORS, Anchor, needs_dating, reach
from gateway.wire.messages import Stamp

Anchors = Mapping[str, tuple[Anchor, ...]]
"""By boot."""


def anchors_for(conn: sqlite3.Connection, gateway: int, stamps: Iterable[Stamp | None]) -> Anchors:
    """What is known of the boots whose records have to be dated."""
    boots = {stamp.boot for stamp in stamps if stamp and needs_dating(stamp)}
    return {boot: _anchors(conn, gateway, boot) for boot in boots}


def keep_anchor(conn: sqlite3.Connection, gateway: int, row: int, boot: str, anchor: Anchor) -> None:
    """Remembers it as record `row`'s and dates what is stored of its boot; the rule is cloud_bridge.dating's."""
    others = _anchors(conn, gateway, boot)
    if len(others) >= MAX_ANCHORS or anchor.mono in {other.mono for other in others}:
        return
    conn.execute(
        "INSERT INTO clock_anchors (record_id, gateway_id, boot, mono, at) VALUES (?, ?, ?, ?, ?)",
        (row, gateway, boot, anchor.mono, anchor.at),
    )
    streams = conn.execute("SELECT id FROM streams WHERE gateway_id = ?", (gateway,)).fetchall()
    conn.executemany(
        "UPDATE records SET dated_at = CASE WHEN ?1 - (?2 - mono) >= 0 THEN ?1 - (?2 - mono) END"
        " WHERE stream_id = ?3 AND boot = ?4 AND mono > ?5 AND mono <= ?2 AND clock <> 'synchronised'",
        [(anchor.at, anchor.mono, stream, boot, reach(anchor, others)) for (stream,) in streams],
    )


def _anchors(conn: sqlite3.Connection, gateway: int, boot: str) -> tuple[Anchor, ...]:
    rows = conn.execute(
        "SELECT at, mono FROM clock_anchors WHERE gateway_id = ? AND boot = ? ORDER BY mono", (gateway, boot)
    )
    return tuple(Anchor(at, mono) for at, mono in rows)
