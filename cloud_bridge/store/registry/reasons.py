"""Why: what happened to an alert and what was decided about it. Each function works inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from cloud_bridge.alerts.model import Change
from cloud_bridge.alerts.standing import Decision
from cloud_bridge.store.registry.alert_tables import alerts, reasons
from drivers.ups import Severity


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an alert's way, as `cloud why` prints it. `stage`, `severity`: of the alert, after a change."""

    id: int
    alert: str
    number: int
    at: int
    code: str
    policy: int | None = None
    channel: int | None = None
    reason: str
    by_name: str = ""
    stage: str | None = None
    severity: Severity | None = None


def add_steps(connection: Connection, steps: Iterable[Change | Decision], at: int) -> None:
    """Changes, each followed by what was decided about it at `at`."""
    rows = [_of_change(one) if isinstance(one, Change) else _of_decision(one, at) for one in steps]
    if rows:
        connection.execute(insert(reasons), rows)


def _of_change(change: Change) -> dict[str, object]:
    alert = change.alert
    return {
        "alert": alert.id,
        "number": alert.number,
        "at": change.at,
        "code": change.what.value,
        "policy": None,
        "channel": None,
        "reason": change.reason,
        "by_name": change.by,
        "stage": alert.stage,
        "severity": alert.severity.value,
    }


def _of_decision(one: Decision, at: int) -> dict[str, object]:
    return {
        "alert": one.alert,
        "number": one.number,
        "at": at,
        "code": one.code,
        "policy": one.policy,
        "channel": one.channel,
        "reason": one.reason,
        "by_name": "",
        "stage": None,
        "severity": None,
    }


def add_reason(connection: Connection, steps: Iterable[tuple[str, int]], reason: Reason) -> None:
    """The same reason for several steps, (alert id, number); `reason`'s own are not looked at."""
    values = {
        name: value for name, value in msgspec.structs.asdict(reason).items() if name not in ("id", "alert", "number")
    }
    known = set(connection.execute(select(alerts.c.id).where(alerts.c.id.in_({alert for alert, _ in steps}))).scalars())
    rows = [{**values, "alert": alert, "number": number} for alert, number in steps if alert in known]
    if rows:
        connection.execute(insert(reasons), rows)


def why(connection: Connection, alert: str) -> list[Reason]:
    """Everything that happened to it and was decided about it, in order."""
    rows = connection.execute(select(reasons).where(reasons.c.alert == alert).order_by(reasons.c.id))
    return [_reason(row._mapping) for row in rows]


def said_count(connection: Connection, alert: str) -> int:
    """How many of an alert's are somebody's doing."""
    theirs = (reasons.c.alert == alert) & (reasons.c.by_name != "")
    return int(connection.execute(select(func.count()).where(theirs)).scalar_one())


def steps_of(connection: Connection, steps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], list[Reason]]:
    """The changes that these steps, (alert id, number), were, in order: an escalation bears its step's number too."""
    wanted = set(steps)
    of_these = reasons.c.alert.in_({alert for alert, _ in wanted})
    rows = connection.execute(select(reasons).where(of_these, reasons.c.stage.is_not(None)).order_by(reasons.c.id))
    found: dict[tuple[str, int], list[Reason]] = {}
    for one in (_reason(row._mapping) for row in rows):
        if (one.alert, one.number) in wanted:
            found.setdefault((one.alert, one.number), []).append(one)
    return found


def _reason(row: Mapping[Any, Any]) -> Reason:
    return msgspec.convert({str(name): value for name, value in row.items()}, Reason)
