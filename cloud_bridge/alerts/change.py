"""An alert's first state, its next one, and the words for a step. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloud_bridge.alerts.marks import remembered
from cloud_bridge.alerts.model import Alert, Change, Phase, Seen, Sighting, What, alert_id
from gateway.wire.messages import Scalar

DETAILS_KEPT = 64
"""Of the names in an alert's details, the newest: a gateway chooses them."""

CAUSE, LASTED = "cause", "lasted_s"
"""Names of a gateway's details of a transfer and of whatever ended."""

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def fresh(sighting: Sighting, before: Alert | None, now: int) -> Alert:
    """The alert of an onset, before its first change. `before`: the last of the same condition."""
    lasts = sighting.seen is Seen.BEGAN
    return Alert(
        id=alert_id(sighting.subject, sighting.condition, sighting.mark),
        subject=sighting.subject,
        condition=sighting.condition,
        mark=sighting.mark,
        number=0,
        phase=Phase.PENDING,
        stage=sighting.stage,
        severity=sighting.severity,
        worst=sighting.severity,
        onset_at=sighting.at,
        changed_at=now,
        history=sighting.history,
        flips=before.flips if before else (),
        details=sighting.details,
        open={sighting.stage: sighting.severity} if lasts else {},
        peak=sighting.stage,
        since=now,
        record=max(sighting.record, before.record if before else 0),
        marks=remembered(before, sighting),
    )


def changed(alert: Alert, what: What, at: int, reason: str, *, by: str = "", **fields: Any) -> Change:
    """The alert with its next number and these fields."""
    step = {"number": alert.number + 1, "changed_at": at, **fields}
    return Change(alert=msgspec.structs.replace(alert, **step), what=what, at=at, reason=reason, by=by)


def taken(alert: Alert, sighting: Sighting) -> dict[str, Any]:
    """What every sighting that changes an alert leaves in it."""
    return {
        "details": joined(*_apart(alert.details, sighting)),
        "record": max(alert.record, sighting.record),
        "marks": remembered(alert, sighting),
    }


def _apart(older: Mapping[str, Scalar], sighting: Sighting) -> tuple[Mapping[str, Scalar], Mapping[str, Scalar]]:
    """What an alert knew and what it hears, without what is another's: how long the time before an onset lasted, and
    why something ended (of a transfer back: the input is acceptable), which is not why it began."""
    newer = sighting.details
    if sighting.seen is Seen.ENDED:
        return older, {name: value for name, value in newer.items() if name != CAUSE or CAUSE not in older}
    return {name: value for name, value in older.items() if name != LASTED}, newer


def joined(older: Mapping[str, Scalar], newer: Mapping[str, Scalar]) -> dict[str, Scalar]:
    kept = [(name, value) for name, value in older.items() if name not in newer] + list(newer.items())
    return dict(kept[-DETAILS_KEPT:])


def words(event_type: str) -> str:
    return event_type.replace("_", " ")


def span(seconds: float) -> str:
    """A length of time in its largest two units: 10 s, 5 min, 1 h 30 min, 2 d."""
    if seconds < 1:
        return f"{max(0.0, seconds):g} s"
    whole = round(seconds)
    parts = []
    for size, name in _UNITS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
