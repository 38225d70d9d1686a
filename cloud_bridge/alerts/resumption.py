"""What was withheld for a while, and is still so when nothing withholds it any more: then it is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.alerts.change import span, words
from cloud_bridge.alerts.flood import breaks_through, muted
from cloud_bridge.alerts.model import Alert, Change, Kind, Phase, What
from cloud_bridge.alerts.routing import route
from cloud_bridge.alerts.standing import Standing


def resumed(standing: Standing, now: int) -> list[Change]:
    """Changes to route once more, of alerts that fire and that a silence, planned work, an incident or a mute kept
    from somebody who can be told now. One whose end was seen already is left to end."""
    return [change for change in _withheld(standing, now) if _tells(change, standing, now)]


def due_at(standing: Standing, now: int) -> int | None:
    """When one of those things ends next that end by themselves; None: nothing waits for that."""
    if not standing.withheld:
        return None
    ends = [silence.ends_at for silence in standing.directory.silences.values()]
    ends += [planned.until for planned in standing.planned.values()]
    ends += [mute.until for mute in standing.mutes.values()]
    return min((at for at in ends if at > now), default=None)


def _withheld(standing: Standing, now: int) -> Iterator[Change]:
    for alert_id in dict.fromkeys(alert_id for alert_id, _ in standing.withheld):
        alert = standing.alerts.get(alert_id)
        if alert is None or alert.phase is not Phase.FIRING or alert.ends_at is not None:
            continue
        if not _is_mute(alert, standing, now):
            yield Change(alert=alert, what=What.FIRED, at=now, reason=_what_happened(alert, now))


def _what_happened(alert: Alert, now: int) -> str:
    said = f"{words(alert.peak or alert.stage)}, coming and going" if alert.unstable else words(alert.stage)
    began = f"it began {span((now - alert.since) / 1000)} ago and is still so"
    return f"{said}: {began}. It is told now, since nothing withholds it any more"


def _is_mute(alert: Alert, standing: Standing, now: int) -> bool:
    """Whether the flood rule keeps it whatever else is over: most of what is withheld in a storm, so not routed."""
    device = standing.directory.units.get(alert.subject.name)
    if device is None or alert.subject.kind is not Kind.UNIT or breaks_through(alert.severity, standing.terms):
        return False
    return muted(device.id, standing, now) is not None


def _tells(change: Change, standing: Standing, now: int) -> bool:
    return any(decision.notification is not None for decision in route(change, standing, now).decisions)
