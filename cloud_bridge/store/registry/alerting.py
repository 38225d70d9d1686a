"""Alerts, notifications, and what people ask for. Each function works inside its caller's transaction.

`reasons` has why, `heard` what was told to whom and how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_bridge.alerts.model import Alert, Phase
from cloud_bridge.alerts.notice import Notification, State
from cloud_bridge.store.registry import upsert
from cloud_bridge.store.registry.alert_tables import alerts, asked, notifications, positions

TEXT_AT_MOST = 1000
"""Of a note."""

_alert = msgspec.json.Decoder(Alert)
_notification = msgspec.json.Decoder(Notification)
_json = msgspec.json.Encoder()


class Verb(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    NOTE = "note"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for. `text`: to whom it is assigned, or the note."""

    id: int
    alert: str
    verb: Verb
    text: str
    by_name: str
    at: int


def keep_alerts(connection: Connection, changed: Iterable[Alert]) -> None:
    """As they are now."""
    rows = [
        {
            "id": alert.id,
            "subject": str(alert.subject),
            "condition": alert.condition,
            "phase": alert.phase.value,
            "severity": alert.severity.value,
            "onset_at": alert.onset_at,
            "changed_at": alert.changed_at,
            "body": _json.encode(alert).decode(),
        }
        for alert in changed
    ]
    upsert.keep(connection, alerts, rows)


def newest_alerts(connection: Connection) -> list[Alert]:
    """Of each condition of each subject the open one, else the last: by our clock, not by its gateway's."""
    place = func.row_number().over(
        partition_by=(alerts.c.subject, alerts.c.condition),
        order_by=((alerts.c.phase == Phase.RESOLVED.value), alerts.c.changed_at.desc(), alerts.c.onset_at.desc()),
    )
    ranked = select(alerts.c.body, place.label("place")).subquery()
    return [
        _alert.decode(body) for body in connection.execute(select(ranked.c.body).where(ranked.c.place == 1)).scalars()
    ]


def all_ids(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(select(alerts.c.id)).scalars())


def find_alert(connection: Connection, alert: str) -> Alert | None:
    body = connection.execute(select(alerts.c.body).where(alerts.c.id == alert)).scalar_one_or_none()
    return _alert.decode(body) if body else None


def find_alerts(connection: Connection, ids: Iterable[str]) -> dict[str, Alert]:
    rows = connection.execute(select(alerts.c.body).where(alerts.c.id.in_(set(ids)))).scalars()
    return {alert.id: alert for alert in map(_alert.decode, rows)}


def like(connection: Connection, start: str) -> list[Alert]:
    """Those whose id begins so; at most ten."""
    wanted = select(alerts.c.body).where(alerts.c.id.startswith(start, autoescape=True)).limit(10)
    return [_alert.decode(body) for body in connection.execute(wanted).scalars()]


def listed(
    connection: Connection,
    *,
    phases: Sequence[Phase] = (),
    subject: str = "",
    count: int = 100,
    before: int | None = None,
    past: tuple[int, str] | None = None,
) -> list[Alert]:
    """Those that changed last first. `before`: changed before that instant. `past`: `changed_at` and id of the last one
    that somebody has."""
    wanted = select(alerts.c.body).order_by(alerts.c.changed_at.desc(), alerts.c.id).limit(count)
    if phases:
        wanted = wanted.where(alerts.c.phase.in_([phase.value for phase in phases]))
    if subject:
        wanted = wanted.where(alerts.c.subject == subject)
    if before is not None:
        wanted = wanted.where(alerts.c.changed_at < before)
    if past is not None:
        same = (alerts.c.changed_at == past[0]) & (alerts.c.id > past[1])
        wanted = wanted.where((alerts.c.changed_at < past[0]) | same)
    return [_alert.decode(body) for body in connection.execute(wanted).scalars()]


def add_notification(connection: Connection, notification: Notification) -> None:
    """Once, however often it is worked out."""
    add_notifications(connection, [notification])


def add_notifications(connection: Connection, made: Sequence[Notification]) -> list[Notification]:
    """Those that were not there."""
    there = {one.id for one in find_notifications(connection, (one.id for one in made))} if made else set()
    new = [one for one in made if one.id not in there]
    upsert.add_new(connection, notifications, [_notification_row(one) for one in new])
    return new


def keep_notifications(connection: Connection, changed: Iterable[Notification]) -> None:
    """As they are now; one that is no longer there stays so."""
    for one in changed:
        values = _notification_row(one)
        connection.execute(update(notifications).where(notifications.c.id == one.id).values(values))


def waiting(connection: Connection) -> list[Notification]:
    """In the order of their time."""
    return _notifications(connection, notifications.c.state == State.WAITING.value)


def find_notifications(connection: Connection, ids: Iterable[str]) -> list[Notification]:
    return _notifications(connection, notifications.c.id.in_(set(ids)))


def about_alert(connection: Connection, alert: str) -> list[Notification]:
    """Those that tell of it."""
    return [
        one
        for one in _notifications(connection, notifications.c.body.contains(alert, autoescape=True))
        if any(each == alert for each, _ in one.alerts)
    ]


def of_channel(connection: Connection, channel: int, since: int) -> list[Notification]:
    """Those to it that were made since then."""
    return _notifications(connection, (notifications.c.channel == channel) & (notifications.c.created_at >= since))


def grouped(connection: Connection, since: int) -> dict[str, int]:
    """By group, when its last notice leaves or left; of notifications made since then."""
    found: dict[str, int] = {}
    for one in _notifications(connection, notifications.c.created_at >= since):
        if one.group:
            found[one.group] = max(found.get(one.group, 0), one.due_at)
    return found


def _notifications(connection: Connection, wanted: Any, count: int | None = None) -> list[Notification]:
    query = select(notifications.c.body).where(wanted)
    ordered = query.order_by(notifications.c.due_at, notifications.c.created_at, notifications.c.id).limit(count)
    return [_notification.decode(body) for body in connection.execute(ordered).scalars()]


def _notification_row(one: Notification) -> dict[str, object]:
    return {
        "id": one.id,
        "channel": one.channel,
        "policy": one.policy,
        "device": one.device,
        "state": one.state.value,
        "due_at": one.due_at,
        "created_at": one.created_at,
        "sent_at": one.sent_at,
        "body": _json.encode(one).decode(),
    }


def ask(connection: Connection, alert: str, verb: Verb, text: str, by: str, at: int) -> None:
    """The alerts role does it within a second, and at once if it is woken; the alert has to be there."""
    row = {"alert": alert, "verb": verb.value, "text": text[:TEXT_AT_MOST], "by_name": by[:64], "at": at}
    connection.execute(insert(asked).values(row))


def asked_count(connection: Connection, alert: str = "") -> int:
    """How much waits; of that alert, if one is named."""
    count = select(func.count()).select_from(asked)
    return int(connection.execute(count.where(asked.c.alert == alert) if alert else count).scalar_one())


def all_asked(connection: Connection) -> list[Asked]:
    """In their order."""
    rows = connection.execute(select(asked).order_by(asked.c.id))
    return [msgspec.convert({str(name): value for name, value in row._mapping.items()}, Asked) for row in rows]


def done(connection: Connection, ids: Iterable[int]) -> None:
    connection.execute(delete(asked).where(asked.c.id.in_(set(ids))))


def position(connection: Connection, reader: str) -> int:
    return connection.execute(select(positions.c.value).where(positions.c.reader == reader)).scalar_one_or_none() or 0


def keep_position(connection: Connection, reader: str, value: int) -> None:
    upsert.keep(connection, positions, [{"reader": reader, "value": value}])
