"""Rows of the registry as values: a field with a column of its name is kept there, the others as JSON in `body`.

Each function works inside its caller's transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from cloud_bridge.alerts.terms import Channel, Device, Owner, Policy, Rule, Silence, Site
from cloud_bridge.store.registry import alert_tables as tables

Value = TypeVar("Value", Owner, Site, Device, Channel, Policy, Rule, Silence)
Struct = TypeVar("Struct", bound=msgspec.Struct)

_TABLES: Mapping[type[msgspec.Struct], Table] = {
    Owner: tables.owners,
    Site: tables.sites,
    Device: tables.devices,
    Channel: tables.channels,
    Policy: tables.policies,
    Rule: tables.rules,
    Silence: tables.silences,
}
_ROWS_OF_THEIR_OWN = frozenset({"tags"})

log = logging.getLogger(__name__)


def added(connection: Connection, value: Value, **given: object) -> Value:
    """The value with its id. `given`: columns as they are to be kept. Raises IntegrityError if its name is taken."""
    table = _TABLES[type(value)]
    row = columns(value, table, **given)
    del row["id"]
    made = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
    return msgspec.structs.replace(value, id=int(made))


def saved(connection: Connection, value: Value, **given: object) -> None:
    table = _TABLES[type(value)]
    connection.execute(update(table).where(table.c.id == value.id).values(columns(value, table, **given)))


def removed(connection: Connection, value: Value) -> None:
    table = _TABLES[type(value)]
    connection.execute(delete(table).where(table.c.id == value.id))


def every(
    connection: Connection, type_: type[Value], more: Callable[[Row[Any]], Mapping[str, object]] | None = None
) -> list[Value]:
    """In the order of their making. `more`: fields that no column and no body has. One that can't be read is told and
    left out: it must not keep the others from working."""
    table = _TABLES[type_]
    return list(_readable(connection, table, type_, more or (lambda _row: {})))


def _readable(
    connection: Connection, table: Table, type_: type[Value], more: Callable[[Row[Any]], Mapping[str, object]]
) -> Iterator[Value]:
    for row in connection.execute(select(table).order_by(table.c.id)):
        try:
            yield value_of(row, type_, **more(row))
        except msgspec.MsgspecError as error:
            log.error("registry: %s %s can't be read and is left out: %s", table.name, row.id, error)


def columns(value: msgspec.Struct, table: Table, **given: object) -> dict[str, object]:
    """A row's values."""
    fields = msgspec.to_builtins(value)
    rest = {name: each for name, each in fields.items() if name not in table.c and name not in _ROWS_OF_THEIR_OWN}
    kept = {name: each for name, each in fields.items() if name in table.c}
    body = {"body": msgspec.json.encode(rest).decode()} if "body" in table.c else {}
    return kept | body | given


def value_of(row: Row[Any], type_: type[Struct], **more: object) -> Struct:
    """Raises MsgspecError."""
    # SQLAlchemy's names are a kind of str that msgspec does not take for one.
    kept = {str(name): value for name, value in row._mapping.items()}
    body = msgspec.json.decode(kept.pop("body", "{}"), type=dict[str, object])
    return msgspec.convert(body | kept | more, type_)
