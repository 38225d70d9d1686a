"""What a record's kind adds to its row in the ledger. Everything here runs inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from cloud_bridge.dating import anchor_of
from cloud_bridge.entries import Entry, Stored, read_record
from cloud_bridge.store.dates import keep_anchor
from gateway.wire.errors import WireError
from gateway.wire.messages import ClockBody, EventBody
from gateway.wire.orders import CommandBody
from gateway.wire.outage import OutageBody

Numbered = Sequence[tuple[int, Entry]]
"""Entries with the ids of their rows."""

PRUNED_AT_ONCE = 2000
"""Of the alert queue, in one transaction."""

_json = msgspec.json.Encoder()


def add_bodies(conn: sqlite3.Connection, gateway: int, entries: Numbered) -> None:
    """Of entries whose rows are in the ledger, in their order."""
    for table, rows in (
        ("events", [_event(row, entry.body) for row, entry in entries if isinstance(entry.body, EventBody)]),
        ("outages", [_outage(row, entry.body) for row, entry in entries if isinstance(entry.body, OutageBody)]),
        ("commands", [_command(row, entry.body) for row, entry in entries if isinstance(entry.body, CommandBody)]),
    ):
        if rows:
            conn.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    queued = [(row,) for row, entry in entries if isinstance(entry.body, EventBody | OutageBody)]
    conn.executemany("INSERT INTO alert_queue (record_id) VALUES (?)", queued)
    for row, entry in entries:
        if isinstance(entry.body, ClockBody) and entry.stamp and (anchor := anchor_of(entry.stamp)):
            keep_anchor(conn, gateway, row, entry.stamp.boot, anchor)


def prune_queue(conn: sqlite3.Connection, before: int, count: int = PRUNED_AT_ONCE) -> int:
    """Takes what was stored before that instant out of the alert queue, whoever has read it: only ingest writes it, and
    it knows no reader's position. The newest row stays, so that numbers go on. How many it took."""
    oldest = conn.execute(
        "SELECT q.id FROM (SELECT id, record_id FROM alert_queue ORDER BY id LIMIT ?) q"
        " JOIN records r ON r.id = q.record_id"
        " WHERE r.stored_at < ? AND q.id < (SELECT max(id) FROM alert_queue)",
        (count, before),
    ).fetchall()
    conn.executemany("DELETE FROM alert_queue WHERE id = ?", oldest)
    return len(oldest)


def read_again(conn: sqlite3.Connection) -> None:
    """Takes in what an earlier version of ours kept raw because it did not know its kind."""
    rows = conn.execute(
        "SELECT s.gateway_id, r.id, r.seq, r.last, r.raw FROM records r JOIN streams s ON s.id = r.stream_id"
        " WHERE r.kind = ? ORDER BY r.id",
        (Stored.UNKNOWN.value,),
    ).fetchall()
    for gateway, row, first, last, raw in rows:
        try:
            entry = read_record(raw, first, last)
        except WireError:
            continue  # as unreadable as before: it stays as it came
        conn.execute("UPDATE records SET kind = ? WHERE id = ?", (entry.kind.value, row))
        add_bodies(conn, gateway, [(row, entry)])


def _event(row: int, body: EventBody) -> tuple[object, ...]:
    details = _json.encode(body.details).decode()
    return (row, body.type, body.severity.value, body.after, body.found_afterwards, body.read_ms, details)


def _outage(row: int, body: OutageBody) -> tuple[object, ...]:
    when = (body.id, body.began_at, body.ended_at, body.ended, body.cause, body.test)
    return (row, *when, body.delivered_s, body.energy_wh, body.lowest_charge_pct, _json.encode(body))


def _command(row: int, body: CommandBody) -> tuple[object, ...]:
    by = (body.by.role, body.by.name) if body.by else (None, None)
    said = (body.id, body.stage.value, body.reason, body.detail, body.verb, body.serial)
    return (row, *said, *by, body.outcome.value if body.outcome else None, body.audit)
