"""What a gateway kept while it was not heard (S17). Pure.

An alert of a backlog waits for the backlog's end. What is still so then is told at once, however old; what began and
ended within it is told once, with how often. Only the record itself says that it is history, no timestamp does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloud_bridge.alerts.change import changed, fresh, joined, milliseconds, taken, words
from cloud_bridge.alerts.model import Alert, Change, Phase, Seen, Sighting, What, alert_id
from cloud_bridge.alerts.outage import graded, graded_anew, stages_with, stages_without, why_critical
from cloud_bridge.alerts.ranks import worst_of
from cloud_bridge.alerts.terms import Terms

OLDEST_S = 30 * 86400.0
"""What began longer ago by its own clock began by a clock that was not set; it counts from its receipt."""


def is_waiting(alert: Alert | None) -> bool:
    return alert is not None and alert.phase is Phase.PENDING and alert.fires_at is None


def kept(sighting: Sighting, before: Alert | None, terms: Terms, now: int) -> list[Change]:
    """The first that a backlog says of a condition."""
    if sighting.seen is Seen.ENDED:
        return []
    alert = msgspec.structs.replace(fresh(sighting, before, now), since=_since(sighting, now))
    reason = f"{words(sighting.stage)}, in the gateway's backlog: it is told at its end"
    fields = graded(alert, terms, now) if alert.open else {"times": 1}
    return [changed(alert, What.OPENED, now, reason, **fields)]


def added(alert: Alert, sighting: Sighting, terms: Terms, now: int) -> list[Change]:
    """What a backlog says next of the same condition."""
    fields = _fields(alert, sighting, now)
    if not fields:
        return []
    then = msgspec.structs.replace(alert, **taken(alert, sighting), **fields)
    grade = graded(then, terms, now) if then.open else {"severity": then.worst, "stage": then.peak}
    return [changed(then, What.UPDATED, now, f"{words(sighting.stage)}, in the gateway's backlog", **grade)]


def _fields(alert: Alert, sighting: Sighting, now: int) -> dict[str, Any]:
    """What it changes; nothing: it was so already."""
    if sighting.seen is Seen.MOMENT:
        return {"times": alert.times + 1, "worst": worst_of((alert.worst, sighting.severity))}
    if sighting.seen is Seen.BEGAN:
        stages = stages_with(alert, sighting)
        again = {"since": _since(sighting, now), "again_at": sighting.at, "again_mark": sighting.mark}
        return {} if stages == alert.open else {"open": stages, **({} if alert.open else again)}
    left = stages_without(alert, sighting.stage)
    return {} if left == alert.open else {"open": left, "times": alert.times + (not left)}


def _since(sighting: Sighting, now: int) -> int:
    return sighting.at if 0 <= now - sighting.at <= milliseconds(OLDEST_S) else now


AT_ITS_END = "and still so at the end of the gateway's backlog"


def settled(alert: Alert, terms: Terms, now: int, why: str = AT_ITS_END) -> list[Change]:
    """What is told of a waiting alert at the end of its backlog: what is so as an alert of its own, and first."""
    if not alert.open:
        return [_summary(alert, now)]
    if not alert.times:
        return [_still(alert, terms, now, why)]
    again = msgspec.structs.replace(
        alert,
        id=alert_id(alert.subject, alert.condition, alert.again_mark),
        mark=alert.again_mark,
        number=0,
        onset_at=alert.again_at,
        times=0,
    )
    return [_still(again, terms, now, why), _summary(alert, now)]


def _still(alert: Alert, terms: Terms, now: int, why: str) -> Change:
    critical = why_critical(alert, terms, now)
    reason = f"{words(alert.stage)}, {why}" + (f"; {critical}" if critical else "")
    grade = graded_anew(alert, terms, now)
    return changed(alert, What.FIRED, now, reason, phase=Phase.FIRING, fired_at=now, **grade)


def _summary(alert: Alert, now: int) -> Change:
    often = "" if alert.times == 1 else f" {alert.times} times"
    return changed(
        alert,
        What.SUMMARY,
        now,
        f"{words(alert.peak)}: it came and went{often} while the gateway was not heard",
        phase=Phase.RESOLVED,
        resolved_at=now,
        open={},
        stage=alert.peak,
        severity=alert.worst,
        details=joined(alert.details, {"times": alert.times}) if alert.times > 1 else alert.details,
    )
