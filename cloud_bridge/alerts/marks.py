"""What an alert remembers of what it was told, so that a repeat changes nothing. Pure.

What comes from a record goes by the record's id: of one subject they come in its order. What a watcher says has none
and goes by its mark.
"""

from __future__ import annotations

from cloud_bridge.alerts.model import Alert, Phase, Seen, Sighting

KEPT = 8
"""Marks; a watcher that went back further than this would begin anew."""


def is_repeat(alert: Alert, sighting: Sighting) -> bool:
    """Whether the newest alert of its condition has it behind itself. What goes on may be said again and again, since
    it may have grown worse."""
    if sighting.record:
        is_over = sighting.seen is not Seen.ENDED and sighting.mark == alert.mark and alert.phase is Phase.RESOLVED
        return is_over or sighting.record <= alert.record
    if _sign(sighting) not in alert.marks:
        return False
    is_latest = sighting.seen is Seen.BEGAN and bool(alert.open) and _latest_onset(alert) == _sign(sighting)
    return not is_latest


def is_new(alert: Alert, sighting: Sighting) -> bool:
    """Whether its mark was not seen before."""
    return _sign(sighting) not in alert.marks


def remembered(alert: Alert | None, sighting: Sighting) -> tuple[str, ...]:
    """The marks of an alert, or of the one before it, and this sighting's."""
    marks = alert.marks if alert else ()
    if sighting.record:
        return marks
    sign = _sign(sighting)
    return (*(mark for mark in marks if mark != sign), sign)[-KEPT:]


def _latest_onset(alert: Alert) -> str:
    onsets = [mark for mark in alert.marks if mark.startswith(f"{Seen.BEGAN}:")]
    return onsets[-1] if onsets else ""


def _sign(sighting: Sighting) -> str:
    return f"{sighting.seen}:{sighting.mark}"
