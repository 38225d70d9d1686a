"""Values of a unit's newest status, where they tell what is. Pure."""

from __future__ import annotations

from datetime import date
from typing import TypeVar

import msgspec

from cloud_bridge.alerts.watch.past import heard_at
from cloud_bridge.alerts.watch.world import World
from cloud_bridge.presence import LinkState
from cloud_bridge.rows import UnitRow
from drivers.ups import State
from gateway.wire.limits import LOST_AFTER_S
from gateway.wire.messages import Clock

T = TypeVar("T")


def read_at(row: UnitRow) -> int | None:
    """When its status was read, by our clock."""
    if row.at is None or row.received_at is None:
        return None
    return heard_at(row.at, row.dated_at, Clock.SYNCHRONISED, row.sent_at, row.received_at)


def fresh_at(world: World, row: UnitRow, now: int) -> int | None:
    """When it was read; None where it says what was, not what is."""
    at = read_at(row)
    if at is None or now - at > LOST_AFTER_S * 1000 or world.link(row.gateway, now) is not LinkState.ONLINE:
        return None
    return at


def number(row: UnitRow, name: str) -> float | None:
    return value(row, name, float)


def state(row: UnitRow) -> State | None:
    return value(row, "state", State)


def day(row: UnitRow, name: str) -> date | None:
    return value(row, name, date)


def value(row: UnitRow, name: str, type_: type[T]) -> T | None:
    """None where it is missing or not what it should be."""
    try:
        return msgspec.json.decode(row.status.get(name, b"null"), type=type_ | None)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
