"""Opening the telemetry database, to write or to read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlite_utils import Database

from cloud_bridge.store.bodies import read_again
from cloud_bridge.store.errors import NewerDatabase, NoDatabase, NotOurs, OlderDatabase
from cloud_bridge.store.schema import MIGRATIONS

BUSY_S = 5.0
"""How long a statement waits for another process's lock before it says "locked"."""

FILE_NAME = "telemetry.db"


def open_writer(path: Path, busy_s: float = BUSY_S) -> Database:
    """The database for its one writer, made or brought forward first. Raises StoreError, sqlite3.Error.

    A commit is on the disk when it returns (synchronous FULL), which is what an acknowledgement stands for.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):  # SQLite says why it can't
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = _open(str(path), busy_s)
    try:
        _refuse_foreign(db, path)
        _make_private(path)
        db.enable_wal()
        db.conn.execute("PRAGMA synchronous = FULL")
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _make_private(path: Path) -> None:
    """What stands beside it gets its mode only when it is made."""
    for name in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + name).chmod(0o600)


def open_reader(path: Path) -> Database:
    """The database for reading only; works while the writer writes. Raises StoreError, sqlite3.Error."""
    if not path.is_file():
        raise NoDatabase(path)
    db = _open(f"{path.absolute().as_uri()}?mode=ro", BUSY_S)
    try:
        _refuse_foreign(db, path)
        _refuse_newer(db, path)
        if MIGRATIONS.pending(db):
            raise OlderDatabase(path)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """One transaction, holding the write lock from its start: it never fails half-way for another's sake."""
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException:
        # A full disk ends the transaction by itself.
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


def _open(name: str, busy_s: float) -> Database:
    return Database(sqlite3.connect(name, timeout=busy_s, uri=name.startswith("file:"), isolation_level=None))


def _migrate(db: Database, path: Path) -> None:
    _refuse_newer(db, path)
    if MIGRATIONS.pending(db):
        with transaction(db):
            MIGRATIONS.apply(db)
            read_again(db.conn)


def _refuse_foreign(db: Database, path: Path) -> None:
    """A file with tables, but none of our steps, is somebody else's."""
    try:
        strange = bool(db.table_names()) and not MIGRATIONS.applied(db)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise NotOurs(path, f"not a database: {error}") from error
    if strange and db.table_names() != [MIGRATIONS.migrations_table]:
        raise NotOurs(path, "another program's database: it has tables, but none of ours")


def _refuse_newer(db: Database, path: Path) -> None:
    known = {step.name for step in MIGRATIONS.pending(Database(memory=True))}
    if unknown := [step.name for step in MIGRATIONS.applied(db) if step.name not in known]:
        raise NewerDatabase(path, unknown)
