"""What is over for long is forgotten, inside the caller's transaction. Instants are UTC milliseconds.

Of an alert its reasons and who was told of it go along. What is open, what is on its way and the newest of each
condition of each subject, by which a repeated sighting is known, stay whatever their age.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Select, delete, or_, select, tuple_

from cloud_bridge.alerts.model import Phase
from cloud_bridge.alerts.notice import Notification, State
from cloud_bridge.store.registry import alerting
from cloud_bridge.store.registry.alert_tables import alerts, asked, counted, notifications

_notification = msgspec.json.Decoder(Notification)

AT_ONCE = 500
"""Alerts, and notifications, of one transaction: others want to write, too."""


def prune(connection: Connection, *, resolved_before: int, counted_before: int, count: int = AT_ONCE) -> bool:
    """Whether more may be left."""
    connection.execute(delete(counted).where(counted.c.at < counted_before))
    more = _prune_alerts(connection, resolved_before, count)
    return _prune_notifications(connection, resolved_before, count) or more


def _prune_alerts(connection: Connection, before: int, count: int) -> bool:
    found = list(connection.execute(_old_alerts(before).limit(count)).scalars())
    if found:
        kept = {alert for one in alerting.waiting(connection) for alert, _ in one.alerts}
        connection.execute(delete(alerts).where(alerts.c.id.in_(set(found) - kept)))
        return len(found) == count and not kept.issuperset(found)
    return False


def _old_alerts(before: int) -> Select[tuple[str]]:
    """Those that nobody asks anything of, and that have a newer one."""
    newer = alerts.alias()
    is_newer = or_(
        newer.c.phase != Phase.RESOLVED.value,
        tuple_(newer.c.changed_at, newer.c.onset_at) > tuple_(alerts.c.changed_at, alerts.c.onset_at),
    )
    same = (newer.c.subject == alerts.c.subject) & (newer.c.condition == alerts.c.condition)
    return (
        select(alerts.c.id)
        .where(alerts.c.phase == Phase.RESOLVED.value, alerts.c.changed_at < before)
        .where(select(newer.c.id).where(same, is_newer).exists())
        .where(~select(asked.c.id).where(asked.c.alert == alerts.c.id).exists())
        .order_by(alerts.c.changed_at)
    )


def _prune_notifications(connection: Connection, before: int, count: int) -> bool:
    """Of those that left, or never will, the ones that tell of no alert that is open."""
    done = (notifications.c.state != State.WAITING.value) & (notifications.c.due_at < before)
    query = select(notifications.c.id, notifications.c.body).where(done).order_by(notifications.c.due_at)
    rows = connection.execute(query.limit(count)).all()
    told = {row.id: {alert for alert, _ in _notification.decode(row.body).alerts} for row in rows}
    is_open = select(alerts.c.id).where(alerts.c.phase != Phase.RESOLVED.value)
    still = set(connection.execute(is_open).scalars())
    gone = {id_ for id_, about in told.items() if about.isdisjoint(still)}
    connection.execute(delete(notifications).where(notifications.c.id.in_(gone)))
    return len(rows) == count and bool(gone)
