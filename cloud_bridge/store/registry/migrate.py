"""Making a registry, and bringing one of an earlier version forward."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect

from cloud_bridge.store.registry.engine import WRITING, connectable, parsed, place_of
from cloud_bridge.store.registry.errors import NewerRegistry, RegistryFailed
from cloud_bridge.store.registry.registry import told
from cloud_bridge.store.registry.schema import STEPS

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x7269646574687275  # "ridethru": the key of PostgreSQL's advisory lock for migrations


def migrate(registry: str | Path) -> None:
    """Makes the registry, or brings it forward, in one transaction. Raises NewerRegistry, RegistryFailed."""
    url = parsed(registry)
    place = place_of(url)
    if url.get_backend_name() == "sqlite" and url.database:
        _make_file(Path(url.database), place)
    engine = connectable(url)
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


def _make_file(path: Path, place: str) -> None:
    """Only its owner may read it: it names who asked for what, and when."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise RegistryFailed(place, f"can't be made: {error.strerror}") from error
