"""Rows that may be there already, in the words that both databases share. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Rows = Sequence[Mapping[str, object]]


def add_new(connection: Connection, table: Table, rows: Rows) -> None:
    """Adds those that are not there."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def keep(connection: Connection, table: Table, rows: Rows) -> None:
    """Adds rows, or changes those that are there, by primary key."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    new = _insert(connection, table)
    changes = {column.name: new.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(new.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def _insert(connection: Connection, table: Table) -> Any:
    """SQLAlchemy's common insert has no words for it."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
