"""The tables, step by step. A step that was released is never changed: a new one follows it.

Instants are UTC milliseconds. `records` is the ledger: every number of a stream stands there once, in the
order of storing. Rows are found by integers in local order, for speed (libraries.md, "SQLite on an SD card").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

MIGRATIONS = Migrations("ridethrough-telemetry")


@MIGRATIONS(name="0001_first")
def _first(db: Database) -> None:
    _create_parties(db)
    _create_records(db)
    _create_dead_letters(db)


def _create_parties(db: Database) -> None:
    """Who speaks. `hello` and `waiting` are JSON; `conn` is the connection that spoke last."""
    db.table("gateways").create(
        {
            "id": int,
            "name": str,
            "first_seen_at": int,
            "last_seen_at": int,
            "conn": str,
            "hello": bytes,
            "hello_at": int,
            "waiting": bytes,
            "offline_at": int,
            "offline_why": str,
            "letters_dropped": int,
        },
        pk="id",
        not_null={"name", "first_seen_at", "last_seen_at", "letters_dropped"},
        defaults={"letters_dropped": 0},
    ).create_index(["name"], unique=True)
    db.table("units").create(
        {"id": int, "gateway_id": int, "name": str},
        pk="id",
        not_null={"gateway_id", "name"},
        foreign_keys=[("gateway_id", "gateways", "id")],
    ).create_index(["gateway_id", "name"], unique=True)
    db.table("unit_latest").create(
        {
            "unit_id": int,
            "status": bytes,
            "at": int,
            "sent_at": int,
            "received_at": int,
            "history": int,
            "identity": bytes,
            "identity_at": int,
        },
        pk="unit_id",
        foreign_keys=[("unit_id", "units", "id")],
    )
    db.table("ingest").create(
        {"id": int, "started_at": int, "alive_at": int, "connected_at": int},
        pk="id",
        not_null={"started_at", "alive_at"},
    )


def _create_records(db: Database) -> None:
    """`kind` is cloud_bridge.entries.Stored; `last` differs from `seq` for a gap. `events` adds to it."""
    db.table("streams").create(
        {"id": int, "gateway_id": int, "lane": str, "name": str, "through": int, "cloned_at": int},
        pk="id",
        not_null={"gateway_id", "lane", "name", "through"},
        foreign_keys=[("gateway_id", "gateways", "id")],
    ).create_index(["gateway_id", "lane", "name"], unique=True)
    records = db.table("records").create(
        {
            "id": int,
            "stream_id": int,
            "seq": int,
            "last": int,
            "kind": str,
            "unit_id": int,
            "at": int,
            "boot": str,
            "mono": int,
            "clock": str,
            "history": int,
            "sent_at": int,
            "received_at": int,
            "stored_at": int,
            "digest": bytes,
            "raw": bytes,
        },
        pk="id",
        not_null={"stream_id", "seq", "last", "kind", "history", "received_at", "stored_at", "digest"},
        foreign_keys=[("stream_id", "streams", "id"), ("unit_id", "units", "id")],
    )
    records.create_index(["stream_id", "seq"], unique=True)
    records.create_index(["unit_id", "kind", "at"])
    db.table("events").create(
        {
            "record_id": int,
            "type": str,
            "severity": str,
            "after_at": int,
            "found_afterwards": int,
            "read_ms": float,
            "details": str,
        },
        pk="record_id",
        not_null={"type", "severity", "found_afterwards", "details"},
        foreign_keys=[("record_id", "records", "id")],
    )


def _create_dead_letters(db: Database) -> None:
    """`seq` 0 and empty `stream`: a message as a whole. The same letter again only counts `times`."""
    letters = db.table("dead_letters").create(
        {
            "id": int,
            "gateway_id": int,
            "lane": str,
            "stream": str,
            "seq": int,
            "reason": str,
            "digest": bytes,
            "raw": bytes,
            "bytes": int,
            "times": int,
            "received_at": int,
            "last_at": int,
        },
        pk="id",
        not_null={
            "gateway_id",
            "lane",
            "stream",
            "seq",
            "reason",
            "digest",
            "raw",
            "bytes",
            "times",
            "received_at",
            "last_at",
        },
        foreign_keys=[("gateway_id", "gateways", "id")],
    )
    letters.create_index(["gateway_id", "lane", "stream", "seq", "digest"], unique=True)
