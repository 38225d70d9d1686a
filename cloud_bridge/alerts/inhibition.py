"""What withholds an alert for a while: silences, work on its unit, an incident that tells of it already. Pure.

A critical is withheld by nothing but a silence or maintenance that names it, or an incident that was sent as critical.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from cloud_bridge.alerts.conditions import UNSTABLE
from cloud_bridge.alerts.matching import CRITICAL, Case, covers, matter_of, names
from cloud_bridge.alerts.model import Alert, Kind
from cloud_bridge.alerts.terms import Silence
from drivers.ups import Severity

INCIDENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "site_outage": frozenset({"outage"}),
        "sites_outage": frozenset({"outage", "site_outage"}),
        "site_dark": frozenset({"outage", "gateway_lost", "communication_lost"}),
        "gateway_lost": frozenset({"communication_lost"}),
    }
)
"""Conditions of incidents, and those that each causes in what it is about (gateway-ota.md C4)."""
_CAUSED = frozenset[str]().union(*INCIDENTS.values())


class Held(msgspec.Struct, frozen=True):
    """Why nothing is sent: a Decision's code and reason."""

    code: str
    reason: str


def held(case: Case, owner: int | None, channel: int, severity: Severity) -> Held | None:
    """What withholds it from that owner's (None: the operator's) channel now, if anything does."""
    return _silenced(case, owner, severity) or _planned(case, severity) or _covered(case, channel, severity)


def _silenced(case: Case, owner: int | None, severity: Severity) -> Held | None:
    for silence in case.directory.silences.values():
        if silence.starts_at <= case.now < silence.ends_at and _silences(silence, case, owner, severity):
            word = "maintenance" if silence.kind == "maintenance" else "silenced"
            by = f" by {silence.by}" if silence.by else ""
            why = f" ({silence.why})" if silence.why else ""
            minutes = -(-(silence.ends_at - case.now) // 60_000)
            return Held(word, f"{silence.kind} {silence.id}{by}{why} holds for another {minutes} min")
    return None


def _silences(silence: Silence, case: Case, owner: int | None, severity: Severity) -> bool:
    """The operator's silences hold for everybody; an owner's for that owner, and for the operator where nobody else
    owns a part of what it is about."""
    owners = case.matter.owners
    theirs = silence.owner in owners and (owner == silence.owner or (owner is None and len(owners) == 1))
    if silence.owner is not None and not theirs:
        return False
    named = names(silence.conditions, case.alert)
    of_devices = case.matter.subject.kind not in (Kind.CHANNEL, Kind.CLOUD)
    meant = named or (not silence.conditions and of_devices)
    if not meant or not covers(silence.scope, case.matter, silence.owner):
        return False
    # Whoever has enough of what comes and goes has not named what it is when it becomes critical.
    by_itself = names([each for each in silence.conditions if each != UNSTABLE], case.alert)
    return severity is not CRITICAL or by_itself or silence.critical


def _planned(case: Case, severity: Severity) -> Held | None:
    if severity is CRITICAL or case.matter.subject.kind is not Kind.UNIT:
        return None
    planned = case.standing.planned.get(case.matter.subject.name)
    if planned is None or planned.until <= case.now or not names(planned.conditions, case.alert):
        return None
    return Held("planned", f"expected during {planned.why}")


def _covered(case: Case, channel: int, severity: Severity) -> Held | None:
    for incident in _incidents(case):
        told = case.standing.told.get((incident.id, channel))
        if told is not None and (severity is not CRITICAL or told.worst is CRITICAL):
            label = matter_of(incident.subject, case.directory).label
            return Held("covered", f"{incident.condition} of {label} was told to this channel, and lists it")
    return None


def _incidents(case: Case) -> Iterator[Alert]:
    """Open incidents that tell of this alert: those that list it, and those of its site or gateway that cause it."""
    if case.alert.condition not in _CAUSED:
        return
    for incident in case.others:
        if case.alert.condition in INCIDENTS.get(incident.condition, ()) and _has(incident, case):
            yield incident


def _has(incident: Alert, case: Case) -> bool:
    """A gateway with units at two sites is not one site's; what many sites are about is listed."""
    about = incident.subject
    if incident.id == case.alert.covered_by:
        return True
    if about.kind is Kind.GATEWAY:
        return case.alert.subject.gateway == about.name
    return about.kind is Kind.SITE and {str(site) for site in case.matter.sites} == {about.name}
