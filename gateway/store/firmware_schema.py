"""The tables of fw.db, the journal of upgrades, made and migrated by sqlite-utils before the gateway's long run.

It is apart from the outbox: SYNCHRONOUS is FULL here, and no backlog of telemetry can fill it (gateway-ota.md A5).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from gateway.firmware.errors import JournalDamaged, NewerJournal
from gateway.store.firmware import FILE, as_ours

STEPS = ("1 job, log, counter",)
"""Steps that a version must know to use the file, oldest first: a file with another is refused."""

migrations = Migrations("firmware")

_KEPT = """
CREATE TRIGGER log_is_never_changed BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_is_never_cut BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER counter_never_falls BEFORE UPDATE ON counter WHEN new.highest < old.highest
BEGIN SELECT RAISE(ABORT, 'a counter never falls'); END;
CREATE TRIGGER counter_is_never_forgotten BEFORE DELETE ON counter
BEGIN SELECT RAISE(ABORT, 'a counter never falls'); END;
"""


@migrations(name=STEPS[0])
def _first(db: Database) -> None:
    """`job.reported`: the cloud's outbox has the log up to this rev. `checksum`: CRC-32 of `body`."""
    db.create_table(
        "job",
        {
            "id": str,
            "serial": str,
            "state": str,
            "rev": int,
            "reported": int,
            "open": int,
            "body": bytes,
            "checksum": int,
        },
        pk="id",
        not_null=("serial", "state", "rev", "reported", "open", "body", "checksum"),
    )
    db.create_table(
        "log",
        {
            "job": str,
            "rev": int,
            "at": int,
            "mono": int,
            "boot": str,
            "before": str,
            "after": str,
            "cause": str,
            "body": bytes,
        },
        pk=("job", "rev"),
        not_null=("at", "mono", "boot", "before", "after", "cause", "body"),
    )
    db.create_table("counter", {"hardware_id": str, "highest": int}, pk="hardware_id", not_null=("highest",))
    for statement in _KEPT.split("END;")[:-1]:
        db.execute(f"{statement}END")


def prepare_journal(data: Path) -> Path:
    """fw.db in the folder `data`, ready for this version. Raises NewerJournal, JournalDamaged or NotKept."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / FILE
    try:
        _refuse_remnant(path)
        with closing(sqlite3.connect(path, timeout=5.0)) as connection:
            row = connection.execute("PRAGMA quick_check(1)").fetchone()
            if row[0] != "ok":
                raise JournalDamaged(path, str(row[0]).replace("\n", " "))
            migrate(path, connection)
    except UnicodeDecodeError as error:  # SQLite's own words, where they cite what is damaged
        raise JournalDamaged(path, "its schema is no text") from error
    except sqlite3.Error as error:
        raise as_ours(path, error) from error
    path.chmod(0o600)
    return path


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Every step that is missing. Raises NewerJournal or JournalDamaged."""
    db = Database(connection)
    db.enable_wal()
    if unknown := sorted(each.name for each in migrations.applied(db) if each.name not in STEPS):
        raise NewerJournal(path, unknown[0])
    migrations.apply(db)
    there = _columns(db)
    for name, columns in tables().items():
        if missing := columns - there.get(name, frozenset()):
            raise JournalDamaged(path, f"table {name} has no column {min(missing)}")


@cache
def tables() -> dict[str, frozenset[str]]:
    """Each table of this version with its columns."""
    db = Database(memory=True)
    migrations.apply(db)
    found = _columns(db)
    db.close()
    return found


def _columns(db: Database) -> dict[str, frozenset[str]]:
    return {table.name: frozenset(column.name for column in table.columns) for table in db.tables}


def _refuse_remnant(path: Path) -> None:
    """SQLite takes a file without a byte for a new one, and throws away the journal of the one that was there."""
    wal = Path(f"{path}-wal")
    if path.exists() and not path.stat().st_size and wal.exists() and wal.stat().st_size:
        raise JournalDamaged(path, "the file is empty, its journal is not")
