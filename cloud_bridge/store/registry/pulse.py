"""How much is open and on its way. Inside the caller's transaction."""

from __future__ import annotations

import msgspec
from sqlalchemy import Column, Connection, func, select

from cloud_bridge.alerts.model import Phase
from cloud_bridge.alerts.notice import State
from cloud_bridge.store.registry.alert_tables import alerts, mutes, notifications


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting`: notifications that did not leave yet; `oldest_due_at`: UTC milliseconds, of those whose time has
    come. `failed`: those that were given up, as long as they are remembered."""

    pending: int
    firing: int
    muted: int
    waiting: int
    failed: int
    oldest_due_at: int | None


def pulse(connection: Connection, now: int) -> Pulse:
    phases = _counted(connection, alerts.c.phase)
    states = _counted(connection, notifications.c.state)
    waits = (notifications.c.state == State.WAITING.value) & (notifications.c.due_at <= now)
    return Pulse(
        pending=phases.get(Phase.PENDING.value, 0),
        firing=phases.get(Phase.FIRING.value, 0),
        muted=connection.execute(select(func.count()).select_from(mutes)).scalar_one(),
        waiting=states.get(State.WAITING.value, 0),
        failed=states.get(State.FAILED.value, 0),
        oldest_due_at=connection.execute(select(func.min(notifications.c.due_at)).where(waits)).scalar_one(),
    )


def _counted(connection: Connection, by: Column[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(select(by, func.count()).group_by(by))}
