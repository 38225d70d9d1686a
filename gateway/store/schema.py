"""The outbox file's tables, made and migrated by sqlite-utils before the long-running process begins."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import msgspec
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gateway.errors import NewerOutbox, NotKept, OutboxDamaged
from gateway.wire.messages import Count, Lane, Sequence, StreamName

logger = logging.getLogger("gateway.outbox")

FILE = "outbox.sqlite3"
STEPS = ("1 lanes, records, losses, units",)
"""Steps that a version must know to use the file, oldest first: a file with another is refused."""

ADDITIONS = ("2 commands, audit, outages, notes", "3 checksums")
"""Steps that only add tables, or columns that may be empty: a version that does not know one goes on without it, so
that the version before can take the file back."""

MOSTLY_EMPTY = 0.5
SHRINK_FROM_BYTES = 32 * 1024 * 1024
"""A file of this size whose pages are mostly free is written anew at the start."""

migrations = Migrations("outbox")
additions = Migrations("outbox additions")


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


@additions(name=ADDITIONS[0])
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


@additions(name=ADDITIONS[1])
def _third(db: Database) -> None:
    """CRC-32 of a record's bytes: SQLite's own checks see a page that is torn, but no bit that rots inside a value."""
    db.table("record").add_column("checksum", int)


def open_outbox(path: Path) -> None:
    """Make the file, or make it this version's. Raises NewerOutbox, OutboxDamaged or NotKept."""
    try:
        _refuse_remnant(path)
        with closing(sqlite3.connect(path, timeout=5.0)) as connection:
            _check(path, connection)
            db = Database(connection)
            db.enable_wal()
            migrate(path, db)
            _check_tables(path, db)
            _shrink(connection)
    except UnicodeDecodeError as error:  # SQLite's own words, where they cite what is damaged
        raise OutboxDamaged(path, "its schema is no text") from error
    except sqlite3.Error as error:
        raise _as_ours(path, error) from error
    path.chmod(0o600)


def migrate(path: Path, db: Database) -> None:
    """Every step that is missing, and in a new file a stream for each lane. Raises NewerOutbox or OutboxDamaged."""
    _file_under_additions(db)
    if unknown := sorted(each.name for each in migrations.applied(db) if each.name not in STEPS):
        raise NewerOutbox(path, unknown[0])
    migrations.apply(db)
    additions.apply(db)
    if not db.table("lane").count:
        if db.table("record").count:
            raise OutboxDamaged(path, "there are records, but no lanes")
        add_lanes(db)


def _file_under_additions(db: Database) -> None:
    """What came first as a step that has to be known is an addition: a file that says otherwise is put right."""
    if db.table(migrations.migrations_table).exists():
        db.execute(
            f"UPDATE {migrations.migrations_table} SET migration_set = ? WHERE migration_set = ? AND name = ?",
            (additions.name, migrations.name, ADDITIONS[0]),
        )


def add_lanes(db: Database) -> None:
    """Give each lane its stream: 64 random bits."""
    lanes = [{"name": lane.value, "stream": secrets.token_hex(8), "acked": 0, "next": 1, "sent": 0} for lane in Lane]
    db.table("lane").insert_all(lanes, pk="name")


class LaneRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of the table `lane`, if nothing is wrong with it."""

    name: Lane
    stream: StreamName
    acked: Count
    next: Sequence
    sent: Count


@cache
def tables() -> dict[str, frozenset[str]]:
    """Each table of this version with its columns."""
    db = Database(memory=True)
    migrate(Path(":memory:"), db)
    found = {table.name: frozenset(column.name for column in table.columns) for table in db.tables}
    db.close()
    return found


def _refuse_remnant(path: Path) -> None:
    """SQLite takes a file without a byte for a new one, and throws away the journal of the one that was there."""
    wal = Path(f"{path}-wal")
    if path.exists() and not path.stat().st_size and wal.exists() and wal.stat().st_size:
        raise OutboxDamaged(path, "the file is empty, its journal is not")


def _check(path: Path, connection: sqlite3.Connection) -> None:
    row = connection.execute("PRAGMA quick_check(1)").fetchone()
    if row[0] != "ok":
        raise OutboxDamaged(path, str(row[0]).replace("\n", " "))


def _check_tables(path: Path, db: Database) -> None:
    """A schema can be readable and wrong."""
    for name, columns in tables().items():
        missing = columns - {column.name for column in db.table(name).columns}
        if missing:
            raise OutboxDamaged(path, f"table {name} has no column {min(missing)}")
    rows = db.execute("SELECT name, stream, acked, next, sent FROM lane").fetchall()
    try:
        lanes = {row.name: row for row in msgspec.convert(rows, list[LaneRow])}
    except msgspec.ValidationError as error:
        raise OutboxDamaged(path, f"table lane: {error}") from None
    if lanes.keys() != set(Lane) or any(row.acked >= row.next for row in lanes.values()):
        raise OutboxDamaged(path, f"table lane holds {rows}")


def _shrink(connection: sqlite3.Connection) -> None:
    """Give the room of a backlog long gone back to the disk."""
    pages, free, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    if pages * page_bytes < SHRINK_FROM_BYTES or free < pages * MOSTLY_EMPTY:
        return
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        logger.warning("the outbox keeps %d bytes that it could give back: %s", free * page_bytes, error)


def _as_ours(path: Path, error: sqlite3.Error) -> Exception:
    """A disk that fails, is full or locked is not a damaged file."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF in _NOT_THE_FILES_FAULT and code != sqlite3.SQLITE_IOERR_SHORT_READ:
        return NotKept(f"{path}: {error}", full=code == sqlite3.SQLITE_FULL)
    return OutboxDamaged(path, str(error))


_NOT_THE_FILES_FAULT = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    )
)
