"""What people do with an alert. Pure."""

from __future__ import annotations

from cloud_bridge.alerts.change import changed
from cloud_bridge.alerts.model import Alert, Change, What
from drivers.ups import clean_text

NOTE_LENGTH = 500


def acknowledged(alert: Alert, by: str, now: int) -> list[Change]:
    if alert.acknowledged_at is not None:
        return []
    who = clean_text(by)
    fields = {"acknowledged_at": now, "acknowledged_by": who}
    return [changed(alert, What.ACKNOWLEDGED, now, f"acknowledged by {who}", by=who, **fields)]


def assigned(alert: Alert, to: str, by: str, now: int) -> list[Change]:
    who, whom = clean_text(by), clean_text(to)
    if whom == alert.assigned_to:
        return []
    reason = f"assigned to {whom} by {who}" if whom else f"assigned to nobody by {who}"
    return [changed(alert, What.ASSIGNED, now, reason, by=who, assigned_to=whom)]


def noted(alert: Alert, text: str, by: str, now: int) -> list[Change]:
    note = clean_text(text, NOTE_LENGTH)
    return [changed(alert, What.NOTED, now, note, by=clean_text(by))] if note else []
