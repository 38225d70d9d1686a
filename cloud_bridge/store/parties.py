"""Who speaks: gateways, their connections, their units. All of it inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from cloud_bridge.greeting import cleaned_hello, remembered, stored_hello
from cloud_bridge.health import Log, cleaned_health, is_cut
from gateway.wire import limits
from gateway.wire.health import Health
from gateway.wire.messages import Hello, Lane, Offline

MAX_UNITS = 4 * limits.HELLO_UNITS
"""Different units that one gateway may name over time: names are its choice, and each is a row."""

_json = msgspec.json.Encoder()


def gateway_id(conn: sqlite3.Connection, name: str, now_ms: int) -> int:
    """The gateway's row, made at its first word."""
    row = conn.execute("SELECT id FROM gateways WHERE name = ?", (name,)).fetchone()
    if row:
        return int(row[0])
    new = conn.execute(
        "INSERT INTO gateways (name, first_seen_at, last_seen_at) VALUES (?, ?, ?)", (name, now_ms, now_ms)
    )
    return int(new.lastrowid or 0)


def unit_id(conn: sqlite3.Connection, gateway: int, name: str) -> int | None:
    """The unit's row, made at its first record; None for one too many (its name is in its records' raw bytes)."""
    row = conn.execute("SELECT id FROM units WHERE gateway_id = ? AND name = ?", (gateway, name)).fetchone()
    if row:
        return int(row[0])
    if conn.execute("SELECT count(*) FROM units WHERE gateway_id = ?", (gateway,)).fetchone()[0] >= MAX_UNITS:
        return None
    new = conn.execute("INSERT INTO units (gateway_id, name) VALUES (?, ?)", (gateway, name))
    return int(new.lastrowid or 0)


def unit_ids(conn: sqlite3.Connection, gateway: int, names: Iterable[str]) -> dict[str, int]:
    """Rows by name; without the nameless and those too many."""
    found = {name: unit_id(conn, gateway, name) for name in dict.fromkeys(names) if name}
    return {name: row for name, row in found.items() if row is not None}


def last_hello(conn: sqlite3.Connection, gateway: int) -> Hello | None:
    (text,) = conn.execute("SELECT hello FROM gateways WHERE id = ?", (gateway,)).fetchone()
    return stored_hello(text)


def greet(conn: sqlite3.Connection, gateway: int, hello: Hello, now_ms: int) -> None:
    """Remembers a hello: its connection is the current one from here on."""
    kept = remembered(last_hello(conn, gateway), cleaned_hello(hello))
    conn.execute(
        "UPDATE gateways SET conn = ?, hello = ?, hello_at = ?, offline_at = NULL, offline_why = NULL WHERE id = ?",
        (kept.conn, _json.encode(kept), now_ms, gateway),
    )
    unit_ids(conn, gateway, kept.units)


def see(conn: sqlite3.Connection, gateway: int, at_ms: int, waiting: Mapping[Lane, int] | None = None) -> None:
    """Its last word came at `at_ms`; `waiting`: how many records it has not seen acknowledged."""
    conn.execute(
        "UPDATE gateways SET last_seen_at = max(last_seen_at, ?), waiting = coalesce(?, waiting) WHERE id = ?",
        (at_ms, None if waiting is None else _json.encode(waiting), gateway),
    )


def say_goodbye(conn: sqlite3.Connection, gateway: int, offline: Offline, now_ms: int) -> None:
    """Its connection ended; said of another than the current one it is old news (gateway-ota.md D1)."""
    conn.execute(
        "UPDATE gateways SET offline_at = ?, offline_why = ? WHERE id = ? AND conn = ?",
        (now_ms, offline.why, gateway, offline.conn),
    )


def keep_health(conn: sqlite3.Connection, gateway: int, health: Health, now_ms: int) -> bool:
    """Remembers a health record as the newest; whether it tells, for the first time, of a cut audit log."""
    kept = cleaned_health(health)
    now = Log(kept.audit_length, kept.audit_head)
    length, head, broken_at = conn.execute(
        "SELECT audit_length, audit_head, audit_broken_at FROM gateways WHERE id = ?", (gateway,)
    ).fetchone()
    cut = is_cut(None if length is None else Log(length, head), now)
    conn.execute(
        "UPDATE gateways SET health = ?, health_at = ?, audit_length = ?, audit_head = ?,"
        " audit_broken_at = coalesce(audit_broken_at, ?) WHERE id = ?",
        (_json.encode(kept), now_ms, now.length, now.head, now_ms if cut else None, gateway),
    )
    return cut and broken_at is None


def through(conn: sqlite3.Connection, gateway: int, lane: str, stream: str) -> int:
    """Everything up to this number is stored; 0 of an unknown stream."""
    row = conn.execute(
        "SELECT through FROM streams WHERE gateway_id = ? AND lane = ? AND name = ?", (gateway, lane, stream)
    ).fetchone()
    return int(row[0]) if row else 0
