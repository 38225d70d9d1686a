"""Commands in the registry. Each function works inside its caller's transaction."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from cloud_bridge.commands import OPEN_AT_MOST, Command, State
from cloud_bridge.store.registry.errors import TooManyCommands
from cloud_bridge.store.registry.schema import commands, gateways

_OPEN = commands.c.state != State.ENDED.value


def add(connection: Connection, command: Command) -> None:
    """A new one. Raises TooManyCommands."""
    # Who locks the gateway's row is the only one who counts.
    connection.execute(select(gateways.c.name).where(gateways.c.name == command.gateway).with_for_update())
    counted = select(func.count()).select_from(commands).where(_OPEN, commands.c.gateway == command.gateway)
    if int(connection.execute(counted).scalar_one()) >= OPEN_AT_MOST:
        raise TooManyCommands(command.gateway, OPEN_AT_MOST)
    connection.execute(insert(commands).values(**_values(command)))


def find(connection: Connection, command: str) -> Command | None:
    return next(iter(_select(connection, commands.c.id == command)), None)


def all_open(connection: Connection) -> list[Command]:
    """Those that have not ended, in the order in which they were made."""
    return _select(connection, _OPEN)


def newest(connection: Connection, count: int | None) -> list[Command]:
    """In the order in which they were made; at most `count` of the end."""
    query = select(commands).order_by(commands.c.created_at.desc(), commands.c.id.desc()).limit(count)
    return [_command(row) for row in reversed(connection.execute(query).all())]


def challenged(connection: Connection, gateway: str, command: str, challenge: str) -> bool:
    """Takes in the challenge that the command's own gateway gave; False if it does not wait for one."""
    wanted = (commands.c.id == command) & (commands.c.gateway == gateway) & (commands.c.state == State.WANTED.value)
    changes = {"state": State.CHALLENGED.value, "challenge": challenge}
    return connection.execute(update(commands).where(wanted).values(changes)).rowcount > 0


def signed(connection: Connection, command: str, envelope: bytes) -> bool:
    """Takes in the envelope, once; False if it ended before."""
    wanted = (commands.c.id == command) & (commands.c.state == State.CHALLENGED.value)
    changes = {"state": State.SIGNED.value, "envelope": envelope}
    return connection.execute(update(commands).where(wanted).values(changes)).rowcount > 0


def settle(connection: Connection, before: Command, after: Command) -> bool:
    """Changes a row to `after`; False if it is no longer as it was `before`."""
    unchanged = (commands.c.id == before.id) & (commands.c.state == before.state.value)
    stage = commands.c.stage.is_(None) if before.stage is None else commands.c.stage == before.stage.value
    return connection.execute(update(commands).where(unchanged, stage).values(**_values(after))).rowcount > 0


def _select(connection: Connection, wanted: ColumnElement[bool]) -> list[Command]:
    query = select(commands).where(wanted).order_by(commands.c.created_at, commands.c.id)
    return [_command(row) for row in connection.execute(query)]


def _command(row: Row[Any]) -> Command:
    # SQLAlchemy's names are a kind of str that msgspec does not take for one.
    return msgspec.convert({str(name): value for name, value in row._mapping.items()}, Command)


def _values(command: Command) -> dict[str, object]:
    values = msgspec.structs.asdict(command)
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
