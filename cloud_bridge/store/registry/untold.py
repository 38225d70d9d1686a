"""Who was to hear of an alert and never did: its notices were given up. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete

from cloud_bridge.alerts.delivery import heard_of
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.store.registry import alerting, heard
from cloud_bridge.store.registry.alert_tables import told


def renew_told(connection: Connection, failed: Sequence[Notification]) -> None:
    """What these channels heard of these alerts, by what was sent or still waits: no end of what nobody told them, and
    no incident that covers others for one that never heard of it."""
    channels: dict[int, set[str]] = {}
    for one in failed:
        channels.setdefault(one.channel, set()).update(alert for alert, _ in one.alerts)
    for channel, alerts in channels.items():
        _renew(connection, channel, alerts)


def _renew(connection: Connection, channel: int, alerts: set[str]) -> None:
    known = alerting.find_alerts(connection, alerts)
    if not known:
        return
    # None was made before its alert was first told; the board's clock is never ahead.
    made = alerting.of_channel(connection, channel, min(alert.fired_at or 0 for alert in known.values()))
    for alert in sorted(known):
        found = heard_of(alert, made)
        if found is not None:
            heard.keep_told(connection, {(alert, channel): found})
        else:
            connection.execute(delete(told).where(told.c.alert == alert, told.c.channel == channel))
