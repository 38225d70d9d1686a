"""The outbox file's tables, made and migrated by sqlite-utils before the long-running process begins."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gateway.errors import NewerOutbox, OutboxDamaged
from gateway.wire.messages import Lane

logger = logging.getLogger("gateway.outbox")

FILE = "outbox.sqlite3"
STEPS = ("1 lanes, records, losses, units", "2 commands, audit, outages, notes")
"""Every step there ever was, oldest first. A file with another was written by a newer version."""

migrations = Migrations("outbox")


@migrations(name=STEPS[0])
def _first(db: Database) -> None:
    db.create_table(
        "lane",
        {"name": str, "stream": str, "acked": int, "next": int, "sent": int},
        pk="name",
        not_null=("stream", "acked", "next", "sent"),
    )
    db.create_table(
        "record",
        {
            "lane": str,
            "stream": str,
            "first": int,
            "last": int,
            "gap": int,
            "raw": bytes,
            "origin_stream": str,
            "origin_first": int,
            "kept_at": int,
        },
        pk=("lane", "stream", "first"),
        not_null=("last", "gap", "raw", "kept_at"),
    )
    db.create_table(
        "loss",
        {"lane": str, "stream": str, "first": int, "last": int, "why": str},
        pk=("lane", "stream", "first"),
        not_null=("last", "why"),
    )
    db.create_table("unit", {"name": str, "serial": str, "stranger": str, "state": bytes, "pace": bytes}, pk="name")


@migrations(name=STEPS[1])
def _second(db: Database) -> None:
    """`command`: each order's id for good, so that none is executed twice. `audit`: a chain of digests. `outage`: what
    the black box kept. `note`: small things that must outlive the process, by name."""
    db.create_table(
        "command",
        {"id": str, "unit": str, "stage": str, "body": bytes, "received_at": int},
        pk="id",
        not_null=("unit", "stage", "body", "received_at"),
    )
    db.create_table("audit", {"number": int, "line": str, "digest": str}, pk="number", not_null=("line", "digest"))
    db.create_table(
        "outage",
        {"id": str, "unit": str, "began_at": int, "open": int, "body": bytes},
        pk="id",
        not_null=("unit", "began_at", "open", "body"),
    ).create_index(["began_at"])
    db.create_table("note", {"name": str, "value": bytes}, pk="name", not_null=("value",))


def prepare(data: Path) -> Path:
    """The outbox file in the folder `data`, ready for this version; a damaged one is set aside. Raises
    NewerOutbox."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / FILE
    try:
        _migrate(path)
    except OutboxDamaged as error:
        aside = _set_aside(path)
        logger.error("%s; kept as %s, a new outbox begins", error, aside.name)
        _migrate(path)
    return path


def _migrate(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=5.0)) as connection:
            _check(path, connection)
            db = Database(connection)
            db.enable_wal()
            if unknown := sorted(each.name for each in migrations.applied(db) if each.name not in STEPS):
                raise NewerOutbox(path, unknown[0])
            migrations.apply(db)
            add_lanes(db)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise OutboxDamaged(path, str(error)) from error
    path.chmod(0o600)


def add_lanes(db: Database) -> None:
    """Give each lane that has none its stream: 64 random bits."""
    lanes = [{"name": lane.value, "stream": secrets.token_hex(8), "acked": 0, "next": 1, "sent": 0} for lane in Lane]
    db.table("lane").insert_all(lanes, pk="name", ignore=True)


def _check(path: Path, connection: sqlite3.Connection) -> None:
    row = connection.execute("PRAGMA quick_check(1)").fetchone()
    if row[0] != "ok":
        raise OutboxDamaged(path, str(row[0]).replace("\n", " "))


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"outbox-damaged-{stamp}-{secrets.token_hex(2)}.sqlite3")
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside
