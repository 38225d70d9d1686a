"""Taking another unit under an old name, by writing the outbox file beside a gateway that may be running
(S3)."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from gateway.errors import NotKept, UnknownUnit
from gateway.settings import GatewaySettings
from gateway.store.outbox import OutboxFile, UnitRow
from gateway.store.schema import FILE

PATIENCE_S = 10.0


def accept_unit(settings: GatewaySettings, unit: str, serial: str | None) -> str:
    """Pin `serial`, or the one that was seen; it is what is returned. Raises UnknownUnit or NotKept."""
    path = settings.data / FILE
    if not path.exists():
        raise UnknownUnit(unit, f"there is no outbox in {settings.data} yet: the first unit to answer is taken anyway")
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            file = OutboxFile(connection)
            taken = serial or _seen(unit, file.units().get(unit), settings)
            file.pin(unit, taken)
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise NotKept(str(error), full=False) from error
    return taken


def _seen(unit: str, row: UnitRow | None, settings: GatewaySettings) -> str:
    if row is None:
        known = ", ".join(each.name for each in settings.units) or "none"
        raise UnknownUnit(unit, f"no unit of this name was met yet; units in the settings: {known}")
    if row.stranger is None:
        raise UnknownUnit(
            unit,
            f"no other unit answers in its place (pinned: {row.serial}); to change it, give a serial number",
        )
    return row.stranger
