"""The steps of an alert's life while its gateway is heard: onset, growth, return, end. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from cloud_bridge.alerts.change import changed, fresh, milliseconds, span, taken, words
from cloud_bridge.alerts.conditions import kind_of
from cloud_bridge.alerts.flapping import flips_with, is_flapping, why_unstable
from cloud_bridge.alerts.holds import hold_s
from cloud_bridge.alerts.marks import is_new
from cloud_bridge.alerts.model import Alert, Change, Phase, Sighting, What
from cloud_bridge.alerts.outage import (
    TIMED,
    graded,
    graded_anew,
    has_grown,
    is_further,
    stages_with,
    stages_without,
    why_critical,
    why_grown,
)
from cloud_bridge.alerts.ranks import RANK
from cloud_bridge.alerts.terms import Terms

STEPPED = frozenset({"battery_replacement_due", "warranty_expires", "plan_expires"})
"""Conditions that are told again at each limit that they reach; each limit has a mark of its own."""
INCIDENTS = frozenset({"site_outage", "sites_outage", "site_dark"})
"""Conditions whose details list what they are made of, which grows and shrinks meanwhile."""


def happened(sighting: Sighting, before: Alert | None, now: int) -> list[Change]:
    """A moment: it is told and over."""
    alert, said = fresh(sighting, before, now), words(sighting.stage)
    return [changed(alert, What.FIRED, now, said, phase=Phase.RESOLVED, fired_at=now, resolved_at=now)]


def began(sighting: Sighting, before: Alert | None, terms: Terms, now: int) -> list[Change]:
    """An onset of what is not open."""
    alert = fresh(sighting, before, now)
    flips = flips_with(alert.flips, now, terms)
    alert = msgspec.structs.replace(alert, flips=flips, **graded(alert, terms, now))
    if is_flapping(flips, terms):
        return [_unstable(alert, terms, now)]
    held_s = hold_s(sighting, terms)
    if held_s <= 0:
        return [fired(alert, words(alert.stage), terms, now)]
    reason = f"{words(alert.stage)}; it is told if it lasts {span(held_s)}"
    return [changed(alert, What.OPENED, now, reason, fires_at=now + milliseconds(held_s))]


def went_on(alert: Alert, sighting: Sighting, terms: Terms, now: int) -> list[Change]:
    """An onset of what is open: it grew, or came back before its end was one, or is as it was."""
    then = _with_onset(alert, sighting, terms, now)
    returned, anew = not alert.open, is_anew(alert, sighting)
    if (returned or anew) and not alert.unstable and is_flapping(then.flips, terms):
        return [_unstable(then, terms, now)]
    if has_grown(then, alert):
        return [_grown(then, alert, terms, now)]
    if anew and not alert.unstable and alert.phase is Phase.FIRING:
        return [changed(then, What.GREW, now, f"{words(sighting.stage)} anew: the last one's end was never heard of")]
    if kind_of(alert.condition) in STEPPED and is_new(alert, sighting):
        return [changed(then, What.GREW, now, f"{words(then.stage)}: it is nearer than it was")]
    listed = kind_of(alert.condition) in INCIDENTS and then.details != alert.details
    if not (returned or anew or listed or then.open != alert.open):
        return []
    if anew and alert.phase is Phase.PENDING:
        then = msgspec.structs.replace(then, fires_at=now + milliseconds(hold_s(sighting, terms)))
    return [_quietly(then, alert, now, words(sighting.stage) + (" again" if returned or anew else ""))]


def is_anew(alert: Alert, sighting: Sighting) -> bool:
    """Whether an event begins what is taken for going on: the event of its end was lost with the gateway's store."""
    another = bool(sighting.record) and not sighting.history and sighting.mark != alert.mark
    return another and sighting.stage in alert.open


def _with_onset(alert: Alert, sighting: Sighting, terms: Terms, now: int) -> Alert:
    started = not alert.open or is_anew(alert, sighting)
    fields: dict[str, Any] = {"open": stages_with(alert, sighting), "ends_at": None, **taken(alert, sighting)}
    if started or (sighting.stage in TIMED and sighting.stage not in alert.open):
        fields["since"] = now
    if started and not sighting.history:
        fields["flips"] = flips_with(alert.flips, now, terms)
    then = msgspec.structs.replace(alert, **fields)
    return msgspec.structs.replace(then, **graded(then, terms, now))


def _grown(then: Alert, alert: Alert, terms: Terms, now: int) -> Change:
    why = why_grown(then, alert, terms, now)
    if alert.phase is Phase.FIRING:
        return changed(then, What.GREW, now, why)
    if is_further(then, alert):
        return fired(then, why, terms, now)
    return changed(then, What.UPDATED, now, why)


def _quietly(then: Alert, alert: Alert, now: int, reason: str) -> Change:
    """What nobody needs to hear."""
    eased = RANK[then.severity] < RANK[alert.severity]
    return changed(then, What.EASED if eased else What.UPDATED, now, reason)


def _unstable(then: Alert, terms: Terms, now: int) -> Change:
    why = why_unstable(then.stage, terms)
    fired_at = now if then.fired_at is None else then.fired_at
    firing: dict[str, Any] = {"phase": Phase.FIRING, "fires_at": None, "fired_at": fired_at}
    return changed(then, What.UNSTABLE, now, why, unstable=True, **firing)


def fired(alert: Alert, why: str, terms: Terms, now: int) -> Change:
    """What was pending is told."""
    critical = why_critical(alert, terms, now)
    reason = f"{why}; {critical}" if critical and critical not in why else why
    grade = graded_anew(alert, terms, now)
    return changed(alert, What.FIRED, now, reason, phase=Phase.FIRING, fires_at=None, fired_at=now, **grade)


def ended(alert: Alert, sighting: Sighting, terms: Terms, now: int) -> list[Change]:
    """An end of what is open, or of a part of it."""
    left = stages_without(alert, sighting.stage)
    if left == alert.open:
        return []
    then = msgspec.structs.replace(alert, open=left, **taken(alert, sighting))
    said = words(sighting.stage)
    if left:
        then = msgspec.structs.replace(then, **graded(then, terms, now))
        return [_quietly(then, alert, now, f"{said}, but {words(then.stage)}")]
    then = msgspec.structs.replace(then, stage=sighting.stage)
    if alert.unstable:
        return [changed(then, What.UPDATED, now, said)]
    if sighting.history and alert.phase is not Phase.PENDING:
        return [over(then, What.RESOLVED, now, f"{said} while the gateway was not heard")]
    lasted = span((now - alert.since) / 1000)
    if alert.phase is Phase.PENDING:
        return [over(then, What.DROPPED, now, f"{said} after {lasted}, before anybody was told")]
    if terms.end_hold_s <= 0:
        return [over(then, What.RESOLVED, now, f"{said} after {lasted}")]
    reason = f"{said} after {lasted}; it is told if it lasts {span(terms.end_hold_s)}"
    return [changed(then, What.UPDATED, now, reason, ends_at=now + milliseconds(terms.end_hold_s))]


def over(alert: Alert, what: What, now: int, reason: str) -> Change:
    return changed(
        alert, what, now, reason, phase=Phase.RESOLVED, open={}, fires_at=None, ends_at=None, resolved_at=now
    )
