"""What a batch of changes comes to, written down as one. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.settling import Outcome
from cloud_bridge.store.registry import alerting, heard, reasons
from cloud_bridge.store.registry.alerting import Asked
from cloud_bridge.store.registry.reasons import Reason


def keep(connection: Connection, outcome: Outcome, now: int) -> list[Notification]:
    """Everything of it; the notifications that were not there."""
    alerting.keep_alerts(connection, outcome.alerts.values())
    reasons.add_steps(connection, outcome.steps, now)
    heard.keep_told(connection, outcome.told)
    heard.add_counted(connection, outcome.counted)
    heard.keep_mutes(connection, [mute for mute in outcome.mutes.values() if mute], outcome.begun)
    for device in [device for device, mute in outcome.mutes.items() if mute is None]:
        heard.end_mutes(connection, device)
    return alerting.add_notifications(connection, list(outcome.notifications.values()))


def note_late(connection: Connection, asked: Iterable[Asked]) -> None:
    """What people asked of alerts that are over: it is written down, and changes nothing."""
    for one in asked:
        said = f"{one.verb}, after its end" + (f": {one.text}" if one.text else "")
        late = Reason(id=0, alert=one.alert, number=0, at=one.at, code=one.verb, reason=said, by_name=one.by_name)
        reasons.add_reason(connection, [(one.alert, 0)], late)
