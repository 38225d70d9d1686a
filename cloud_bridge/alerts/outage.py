"""How far an alert has come and how bad that is: stages, and severity by time and charge (S22). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cloud_bridge.alerts.change import milliseconds, span, words
from cloud_bridge.alerts.conditions import OUTAGE, STAGES
from cloud_bridge.alerts.model import Alert, Sighting
from cloud_bridge.alerts.ranks import RANK, worst_of
from cloud_bridge.alerts.terms import Terms
from drivers.ups import CATALOGUE, Severity

TIMED: Mapping[str, str] = MappingProxyType(
    {"on_battery": "on battery", "site_outage": "the site is on battery", "sites_outage": "the sites are on battery"}
)
"""Stages that become critical by lasting, each in words (S22)."""
CHARGED = "on_battery"
"""The stage that is critical with little charge (S22)."""
CHARGE = "charge_pct"

_OVER_WITH: Mapping[str, tuple[str, ...]] = MappingProxyType({"on_battery": ("low_battery",)})
"""A low battery is one that carries the load (S18): it is over with that, whatever the gateway's hold."""


def rank(stage: str) -> int:
    return STAGES.get(stage, 0)


def furthest(stages: Mapping[str, Severity]) -> str:
    """Of some stages; empty of none."""
    return max(stages, key=rank, default="")


def stages_with(alert: Alert, sighting: Sighting) -> dict[str, Severity]:
    """An alert's open stages with an onset; no watcher makes light of what an event said."""
    known = alert.open.get(sighting.stage)
    only_seen = alert.record and not sighting.record
    severity = worst_of((sighting.severity, known)) if known and only_seen else sighting.severity
    if alert.condition != OUTAGE:
        return {sighting.stage: severity}
    return {**alert.open, sighting.stage: severity}


def stages_without(alert: Alert, clearing: str) -> dict[str, Severity]:
    """What of an alert's open stages goes on after an event or a watcher said an end."""
    if alert.condition != OUTAGE:
        return {}
    kind = CATALOGUE.get(clearing)
    stage = (kind.clears if kind else None) or clearing
    over = {stage, *_OVER_WITH.get(stage, ())}
    return {name: severity for name, severity in alert.open.items() if name not in over}


def graded(alert: Alert, terms: Terms, now: int) -> dict[str, Any]:
    """Stage and severity by what is open now, and the furthest and worst so far."""
    stage = furthest(alert.open)
    severity = Severity.CRITICAL if why_critical(alert, terms, now) else worst_of(alert.open.values())
    return {
        "stage": stage,
        "severity": severity,
        "worst": worst_of((alert.worst, severity)),
        "peak": stage if rank(stage) > rank(alert.peak) else alert.peak,
    }


def graded_anew(alert: Alert, terms: Terms, now: int) -> dict[str, Any]:
    """The same of what is told for the first time: what it was before, nobody has heard of."""
    grade = graded(alert, terms, now)
    return {**grade, "worst": grade["severity"], "peak": grade["stage"]}


def why_critical(alert: Alert, terms: Terms, now: int) -> str:
    """The reason for being critical by charge or time; empty without one."""
    charge = alert.details.get(CHARGE)
    if CHARGED in alert.open and isinstance(charge, int | float) and charge < terms.critical_below_pct:
        return f"charge {charge:g} %, under {terms.critical_below_pct:g} %"
    timed = next((stage for stage in alert.open if stage in TIMED), None)
    if timed is not None and now >= alert.since + milliseconds(terms.critical_after_s):
        return f"{TIMED[timed]} for {span(terms.critical_after_s)}"
    return ""


def critical_at(alert: Alert, terms: Terms) -> int | None:
    """When an alert becomes critical by lasting; None if it never will, or is so already."""
    if alert.severity is Severity.CRITICAL or not any(stage in TIMED for stage in alert.open):
        return None
    return alert.since + milliseconds(terms.critical_after_s)


def is_further(alert: Alert, than: Alert) -> bool:
    """Whether it stands at a stage that the other never came to."""
    return rank(alert.stage) > rank(than.peak)


def has_grown(alert: Alert, than: Alert) -> bool:
    """Whether it is further or worse than the other ever was."""
    return is_further(alert, than) or RANK[alert.severity] > RANK[than.worst]


def why_grown(alert: Alert, than: Alert, terms: Terms, now: int) -> str:
    if is_further(alert, than):
        return f"{words(alert.stage)}, after {words(than.peak)}"
    return why_critical(alert, terms, now) or f"{alert.severity}, after {than.worst}"
