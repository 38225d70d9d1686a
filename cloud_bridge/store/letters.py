"""Dead letters, capped for each gateway (safety rule S14): the newest stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from cloud_bridge.ingest import Letter
from gateway.wire.codec import digest


class LetterCaps(msgspec.Struct, frozen=True):
    """Most dead letters of one gateway, and most bytes of them together."""

    rows: int = 500
    bytes: int = 2 * 1024 * 1024


def keep_letters(
    conn: sqlite3.Connection, gateway: int, letters: Iterable[Letter], now_ms: int, caps: LetterCaps
) -> None:
    """Keeps them, inside the caller's transaction. The same letter again (a batch is re-sent) only counts."""
    conn.executemany(
        "INSERT INTO dead_letters"
        " (gateway_id, lane, stream, seq, reason, digest, raw, bytes, times, received_at, last_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)"
        " ON CONFLICT DO UPDATE SET times = times + 1, last_at = excluded.last_at",
        [
            (
                gateway,
                one.lane,
                one.stream,
                one.number,
                one.reason,
                digest(one.raw),
                one.raw,
                len(one.raw),
                now_ms,
                now_ms,
            )
            for one in letters
        ],
    )
    _drop_oldest(conn, gateway, caps)


def _drop_oldest(conn: sqlite3.Connection, gateway: int, caps: LetterCaps) -> None:
    dropped = conn.execute(
        "DELETE FROM dead_letters WHERE id IN (SELECT id FROM ("
        " SELECT id, row_number() OVER newest_first AS rows, sum(bytes) OVER newest_first AS bytes"
        " FROM dead_letters WHERE gateway_id = ? WINDOW newest_first AS (ORDER BY id DESC))"
        " WHERE rows > ? OR bytes > ?)",
        (gateway, caps.rows, caps.bytes),
    ).rowcount
    if dropped:
        conn.execute("UPDATE gateways SET letters_dropped = letters_dropped + ? WHERE id = ?", (dropped, gateway))
