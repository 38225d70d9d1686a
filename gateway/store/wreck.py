"""Reading the tables of a damaged SQLite file around what can't be read, by row ids: no index is needed for that."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

STEP_BY_STEP = 256
"""Row ids tried one by one behind an unreadable place, then in doubling steps up to LAST_TRY."""

LAST_TRY = 2**40

_UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)


def opened(damaged: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(damaged, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")  # else a file shorter than it says is refused as a whole
    return connection


def rows(source: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """Every row of a table that can be read, in the order of row ids."""
    low = 0
    while True:
        try:
            for rowid, row in _walk(source, table, low, 1):
                low = rowid
                yield row
        except _UNREADABLE:
            pass
        else:
            return
        spot = _next_readable(source, table, low)
        yield from reversed(_back_to(source, table, low, spot))
        if spot is None:
            return
        low = spot - 1


def _next_readable(source: sqlite3.Connection, table: str, low: int) -> int | None:
    """The first row id found behind the unreadable place; None if there is none."""
    for step in _steps():
        with suppress(*_UNREADABLE):
            return next((rowid for rowid, _ in _some(source, table, low + step, 1, limit=1)), None)
    return None


def _back_to(source: sqlite3.Connection, table: str, low: int, spot: int | None) -> list[dict[str, Any]]:
    """The readable rows between the unreadable place and `spot`."""
    found = []
    with suppress(*_UNREADABLE):
        for rowid, row in _walk(source, table, LAST_TRY * 2 if spot is None else spot, -1):
            if rowid <= low:
                break
            found.append(row)
    return found


def _steps() -> Iterator[int]:
    yield from range(1, STEP_BY_STEP)
    step = STEP_BY_STEP
    while step < LAST_TRY:
        yield step
        step *= 2


def _walk(source: sqlite3.Connection, table: str, low: int, direction: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows above `low`, or below it, with their ids. Raises sqlite3.DatabaseError once no further one can be read."""
    try:
        for low, row in _some(source, table, low, direction, limit=-1):  # noqa: B020  # goes on where it was
            yield low, row
    except _UNREADABLE:
        # sqlite3 reads one row ahead and loses the one before it with the error: singly, that one can be had too.
        while found := [*_some(source, table, low, direction, limit=1)]:
            low = found[0][0]
            yield found[0]


def _some(
    source: sqlite3.Connection, table: str, low: int, direction: int, limit: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    order, sign = ("ASC", ">") if direction > 0 else ("DESC", "<")
    cursor = source.execute(
        f"SELECT rowid, * FROM [{table}] WHERE rowid {sign} ? ORDER BY rowid {order} LIMIT ?", (low, limit)
    )
    names = [column[0] for column in cursor.description]
    for rowid, *values in cursor:
        if (rowid - low) * direction <= 0:
            raise sqlite3.DatabaseError("row ids are out of order")
        low = rowid
        yield rowid, dict(zip(names[1:], values, strict=True))
