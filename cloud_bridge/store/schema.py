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


@MIGRATIONS(name="0002_commands_outages_clocks")
def _second(db: Database) -> None:
    _add_dates(db)
    _create_outages(db)
    _create_commands(db)
    gateways = db.table("gateways")
    for name, type_ in (("health", bytes), ("health_at", int), ("audit_head", str), ("audit_length", int)):
        gateways.add_column(name, type_)
    gateways.add_column("audit_broken_at", int)


def _add_dates(db: Database) -> None:
    """`dated_at`: when a record was made whose gateway's clock was not set; `at` stays as it came."""
    db.table("records").add_column("dated_at", int)
    # A record of a clock that was right is not in it, and costs nothing.
    db.execute("CREATE INDEX records_undated ON records (stream_id, boot, mono) WHERE clock <> 'synchronised'")
    db.table("unit_latest").add_column("record_id", int)
    db.table("clock_anchors").create(
        {"record_id": int, "gateway_id": int, "boot": str, "mono": int, "at": int},
        pk="record_id",
        not_null={"gateway_id", "boot", "mono", "at"},
        foreign_keys=[("record_id", "records", "id"), ("gateway_id", "gateways", "id")],
    ).create_index(["gateway_id", "boot", "mono"], unique=True)


def _create_outages(db: Database) -> None:
    """`body` is the whole outage as JSON (gateway.wire.outage), its trace too."""
    db.table("outages").create(
        {
            "record_id": int,
            "outage": str,
            "began_at": int,
            "ended_at": int,
            "ended": str,
            "cause": str,
            "test": int,
            "delivered_s": float,
            "energy_wh": float,
            "lowest_charge_pct": float,
            "body": bytes,
        },
        pk="record_id",
        not_null={"outage", "began_at", "ended_at", "ended", "cause", "test", "delivered_s", "body"},
        foreign_keys=[("record_id", "records", "id")],
    )


def _create_commands(db: Database) -> None:
    """Steps of commands, as gateways said them; the registry has the commands themselves."""
    db.table("commands").create(
        {
            "record_id": int,
            "command": str,
            "stage": str,
            "reason": str,
            "detail": str,
            "verb": str,
            "serial": str,
            "by_role": str,
            "by_name": str,
            "outcome": str,
            "audit": str,
        },
        pk="record_id",
        not_null={"command", "stage", "reason"},
        foreign_keys=[("record_id", "records", "id")],
    ).create_index(["command"])


@MIGRATIONS(name="0003_alert_queue")
def _third(db: Database) -> None:
    """What the alerts role has to hear of, in the order of storing; ids grow, whatever a record's own is."""
    db.table("alert_queue").create(
        {"id": int, "record_id": int},
        pk="id",
        not_null={"record_id"},
        foreign_keys=[("record_id", "records", "id")],
    )
