"""The registry's database: SQLite in a file, or PostgreSQL by URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from cloud_bridge.store.registry.errors import RegistryError, RegistryFailed

BUSY_S = 5.0
"""How long a statement waits for another process's lock."""
STATEMENT_S = 15.0
POOL = 4
WRITING = "registry_writing"
"""Execution option of a connection whose transaction will write."""


def place_of(url: URL) -> str:
    """For people: the file, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    return url.render_as_string(hide_password=True)


def parsed(registry: str | Path) -> URL:
    """A file's path, or `postgresql+psycopg://…`. Raises RegistryError."""
    if isinstance(registry, Path) or "://" not in registry:
        return URL.create("sqlite", database=str(registry))
    try:
        url = make_url(registry)
    except (ArgumentError, ValueError):
        raise RegistryError("registry: expected a file or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE") from None
    if url.drivername != "postgresql+psycopg":
        raise RegistryError(f"registry: {url.drivername}: expected a file or postgresql+psycopg://HOST/DATABASE")
    return url


def connectable(url: URL) -> Engine:
    """Nothing is connected yet. Raises RegistryError if PostgreSQL's library is not installed."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_S, "isolation_level": None}, pool_size=POOL)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    limits = f"-c statement_timeout={STATEMENT_S * 1000:.0f} -c lock_timeout={BUSY_S * 1000:.0f}"
    given: dict[str, Any] = {"connect_timeout": 5, "options": limits}
    try:
        return create_engine(url, connect_args=given | dict(url.query), pool_pre_ping=True, pool_size=POOL)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise RegistryFailed(place_of(url), f"{error}: pip install 'ridethrough[postgres]'") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Who will write takes the lock at once: a transaction that began by reading may be refused half-way."""
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
