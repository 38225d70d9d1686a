"""What incidents are about, and how they list it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cloud_bridge.alerts.inhibition import INCIDENTS
from cloud_bridge.alerts.model import Alert, Kind
from cloud_bridge.alerts.terms import Directory
from gateway.wire.messages import Scalar

LISTED = 25
"""Labels in an incident's details at most; `count` says how many there are."""

SEPARATOR = "; "
JOINS_WITHIN_MS = 600_000
"""What begins longer than this after an incident of many sites, or before it, is no part of it."""

AHEAD_S = 1.0
"""An incident fires so long before the first of its members would, to be there when they are routed."""


def members(incident: Alert, alerts: Mapping[str, Alert], directory: Directory) -> frozenset[str]:
    """Ids of the open alerts that an incident is about; empty for what is no incident."""
    causes = INCIDENTS.get(incident.condition, frozenset())
    sites = _sites(directory)
    return frozenset(
        alert.id
        for alert in alerts.values()
        if alert.condition in causes and alert.id != incident.id and _has(incident, alert, sites)
    )


def listed(labels: Iterable[str], kind: str, of: int) -> dict[str, Scalar]:
    """For an incident's details: `units_listed`, or `sites_listed`, how many they are, and of how many."""
    ordered = sorted(labels)
    return {f"{kind}_listed": SEPARATOR.join(ordered[:LISTED]), "count": len(ordered), "of": of}


def labels_listed(details: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The labels that `listed` put there."""
    text = details.get("units_listed") or details.get("sites_listed")
    return tuple(text.split(SEPARATOR)) if isinstance(text, str) else ()


def ahead_s(alerts: Iterable[Alert], most_s: float, now: int) -> float:
    """How long an incident has to last: until just before the first of these fires, and before `most_s` is over."""
    pending = [(alert.fires_at - now) / 1000 for alert in alerts if alert.fires_at is not None]
    return max(0.0, min([most_s, *pending]) - AHEAD_S)


def joins(incident_at: int, onset_at: int) -> bool:
    """Whether what began then belongs to an incident of many sites."""
    return abs(onset_at - incident_at) <= JOINS_WITHIN_MS


def _sites(directory: Directory) -> Mapping[str, set[int | None]]:
    """By GATEWAY/UNIT and by gateway."""
    found: defaultdict[str, set[int | None]] = defaultdict(set)
    for device in directory.devices.values():
        found[f"{device.gateway}/{device.unit}"].add(device.site)
        found[device.gateway].add(device.site)
    return found


def _has(incident: Alert, alert: Alert, sites: Mapping[str, set[int | None]]) -> bool:
    """A gateway with units at two sites is not one site's."""
    about, subject = incident.subject, alert.subject
    if about.kind is Kind.GATEWAY:
        return subject.gateway == about.name
    its_sites = {subject.name} if subject.kind is Kind.SITE else {str(site) for site in sites.get(subject.name, ())}
    if about.kind is Kind.SITE:
        return its_sites == {about.name}
    return bool(its_sites - {"None"}) and joins(incident.onset_at, alert.onset_at)
