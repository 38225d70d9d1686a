"""Making a registry, and bringing one of an earlier version forward."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, inspect

from cloud_bridge.store.registry.engine import WRITING, connectable, parsed, place_of
from cloud_bridge.store.registry.errors import NewerRegistry, RegistryFailed
from cloud_bridge.store.registry.registry import told
from cloud_bridge.store.registry.schema import STEPS

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x7269646574687275  # "ridethru": the key of PostgreSQL's advisory lock for migrations


def migrate(registry: str | Path) -> None:
    """Makes the registry, or brings it forward, in one transaction. Raises NewerRegistry, RegistryFailed."""
    url = parsed(registry)
    if url.get_backend_name() == "sqlite" and url.database:
        with _made_alone(Path(url.database), place_of(url)):
            _migrate(url)
    else:
        _migrate(url)


def _migrate(url: URL) -> None:
    place, engine = place_of(url), connectable(url)
    try:
        with told(place):
            _upgrade(engine, place)
    finally:
        engine.dispose()


def _upgrade(engine: Engine, place: str) -> None:
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            # Two services that start together must not both make the tables.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        step = _step(connection)
        if step is not None and step not in STEPS:
            raise NewerRegistry(place, step)
        if step != STEPS[-1]:
            command.upgrade(_alembic(connection), "head")


def _step(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _alembic(connection: Connection) -> Config:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    # Alembic would take a % in a path for the beginning of a variable.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _made_alone(path: Path, place: str) -> Iterator[None]:
    """Only its owner may read it: it names who asked for what, and when.

    Nobody else makes or changes one in this folder meanwhile: of two that change a new file's journal mode at the same
    time SQLite fails one at once, however long it may wait for a lock.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise RegistryFailed(place, f"can't be made: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _make_file(path, place)
        yield
    finally:
        os.close(folder)


def _make_file(path: Path, place: str) -> None:
    try:
        # Not where it is there: whoever closes a file gives up all of this process's locks on it (fcntl(2)).
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise RegistryFailed(place, f"can't be made: {error.strerror}") from error
