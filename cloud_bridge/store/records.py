"""Batches into the ledger. Everything here runs inside the caller's transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from cloud_bridge.dating import dated_at
from cloud_bridge.entries import CLOUD_LANE, Entry, Stored, cloned_record, read_record
from cloud_bridge.greeting import live_from
from cloud_bridge.ingest import Held, Known, Parcel, Verdict, judge
from cloud_bridge.store import parties
from cloud_bridge.store.bodies import add_bodies
from cloud_bridge.store.dates import Anchors, anchors_for
from cloud_bridge.store.latest import renew_latest

Clock = Callable[[], int]
"""Now, in UTC milliseconds."""


class Sent(msgspec.Struct, frozen=True):
    """When a batch left the gateway, by its clock, and when it came, by ours."""

    sent_at: int | None
    received_at: int


class _Stream(msgspec.Struct, frozen=True):
    """A stream's row; `id` None until something of it is stored."""

    id: int | None
    through: int
    cloned_at: int | None


def take(conn: sqlite3.Connection, gateway: int, parcel: Parcel, received_at: int, now: Clock) -> Verdict:
    """Stores what is new of a batch; the verdict's letters and acknowledgement are the caller's to act on."""
    stream = _stream(conn, gateway, parcel.lane, parcel.stream)
    known = Known(
        through=stream.through,
        held=_held(conn, stream, parcel.first, min(parcel.last, stream.through)),
        origins=_origins(conn, gateway, parcel) if parcel.last > stream.through else {},
        live_from=live_from(parties.last_hello(conn, gateway), parcel.lane),
    )
    verdict = judge(parcel, known)
    if verdict.entries:
        row = stream.id or _begin_stream(conn, gateway, parcel.lane, parcel.stream)
        _append(conn, gateway, row, verdict.entries, Sent(parcel.sent_at, received_at), now)
    if verdict.contradicted is not None and stream.cloned_at is None:
        conn.execute("UPDATE streams SET cloned_at = ? WHERE id = ?", (received_at, stream.id))
        _tell_cloned(conn, gateway, parcel, verdict.contradicted, received_at, now)
    return verdict


def _stream(conn: sqlite3.Connection, gateway: int, lane: str, name: str) -> _Stream:
    row = conn.execute(
        "SELECT id, through, cloned_at FROM streams WHERE gateway_id = ? AND lane = ? AND name = ?",
        (gateway, lane, name),
    ).fetchone()
    return _Stream(*row) if row else _Stream(None, 0, None)


def _begin_stream(conn: sqlite3.Connection, gateway: int, lane: str, name: str) -> int:
    new = conn.execute(
        "INSERT INTO streams (gateway_id, lane, name, through) VALUES (?, ?, ?, 0)", (gateway, lane, name)
    )
    return int(new.lastrowid or 0)


def _held(conn: sqlite3.Connection, stream: _Stream, first: int, last: int) -> tuple[Held, ...]:
    """What stands under the numbers `first` to `last`; a gap may begin before them."""
    if last < first:
        return ()
    rows = conn.execute(
        "SELECT seq, last, kind, digest FROM records WHERE stream_id = ?1 AND seq <= ?3 AND seq >="
        " coalesce((SELECT max(seq) FROM records WHERE stream_id = ?1 AND seq <= ?2), ?2) ORDER BY seq",
        (stream.id, first, last),
    )
    return tuple(Held(seq, end, Stored(kind), digest) for seq, end, kind, digest in rows)


def _origins(conn: sqlite3.Connection, gateway: int, parcel: Parcel) -> dict[int, bytes]:
    """Digests that are stored under the names a batch's records bore before (S16)."""
    former_first, former_last = parcel.former(parcel.first), parcel.former(parcel.last)
    if not former_first or not former_last:
        return {}
    rows = conn.execute(
        "SELECT seq, digest FROM records WHERE seq BETWEEN ? AND ? AND stream_id ="
        " (SELECT id FROM streams WHERE gateway_id = ? AND lane = ? AND name = ?)",
        (former_first[1], former_last[1], gateway, parcel.lane, former_first[0]),
    )
    return dict(rows.fetchall())


def _append(
    conn: sqlite3.Connection, gateway: int, stream: int, entries: Iterable[Entry], sent: Sent, now: Clock
) -> None:
    """Adds entries in their order and moves the stream's `through` on."""
    first_id = int(conn.execute("SELECT coalesce(max(id), 0) + 1 FROM records").fetchone()[0])
    numbered = tuple(enumerate(entries, first_id))
    units = parties.unit_ids(conn, gateway, (entry.unit for _, entry in numbered))
    anchors = anchors_for(conn, gateway, (entry.stamp for _, entry in numbered))
    stored_at = now()
    conn.executemany(
        f"INSERT INTO records VALUES ({', '.join('?' * 17)})",
        [
            (row, stream, *_record_row(entry, units.get(entry.unit), sent, stored_at, anchors))
            for row, entry in numbered
        ],
    )
    add_bodies(conn, gateway, numbered)
    conn.execute("UPDATE streams SET through = ? WHERE id = ?", (numbered[-1][1].last, stream))
    renew_latest(conn, numbered, units, sent.sent_at, sent.received_at)


def _record_row(entry: Entry, unit: int | None, sent: Sent, stored_at: int, anchors: Anchors) -> tuple[object, ...]:
    stamp = entry.stamp
    clocks = (stamp.at, stamp.boot, stamp.mono, stamp.clock) if stamp else (None, None, None, None)
    names = (entry.first, entry.last, entry.kind.value, unit)
    times = (entry.history, sent.sent_at, sent.received_at, stored_at)
    dated = dated_at(stamp, anchors.get(stamp.boot, ())) if stamp else None
    return (*names, *clocks, *times, entry.digest, entry.raw or None, dated)


def _tell_cloned(
    conn: sqlite3.Connection, gateway: int, parcel: Parcel, number: int, received_at: int, now: Clock
) -> None:
    """One event for each stream, in a lane of the cloud's own."""
    row = conn.execute(
        "SELECT id, through FROM streams WHERE gateway_id = ? AND lane = ?", (gateway, CLOUD_LANE)
    ).fetchone()
    stream, through = row or (_begin_stream(conn, gateway, CLOUD_LANE, secrets.token_hex(8)), 0)
    raw = cloned_record(parcel.lane, parcel.stream, number, received_at)
    _append(conn, gateway, stream, [read_record(raw, through + 1, through + 1)], Sent(None, received_at), now)
