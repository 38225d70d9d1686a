"""Many units of one site, or many sites, without mains at once: one incident that lists them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil

import msgspec

from cloud_bridge.alerts.conditions import OUTAGE
from cloud_bridge.alerts.model import Alert, Kind, Phase, Sighting, Subject
from cloud_bridge.alerts.ranks import worst_of
from cloud_bridge.alerts.watch.incidents import ahead_s, joins, listed
from cloud_bridge.alerts.watch.world import World, began, ended, marked
from drivers.ups import CATALOGUE
from gateway.wire.messages import Scalar

SITE, SITES = "site_outage", "sites_outage"
CLOUD = Subject(Kind.CLOUD)


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A site with units in an outage now: their alerts, of `of` units.

    `many`: whether enough of them began at once to be an incident of the site, for which it takes two; `at`: when
    enough did for the site to count among others, for which one can do; None: not yet.
    """

    site: int
    outages: tuple[Alert, ...]
    of: int
    many: bool
    at: int | None


def sightings(world: World, now: int) -> Iterator[Sighting]:
    hits = {hit.site: hit for hit in _hits(world)}
    for site in sorted(world.directory.sites):
        yield from _of_site(world, site, hits.get(site), now)
    yield from _of_sites(world, list(hits.values()), now)
    yield from _left(world, now)


def _hits(world: World) -> Iterator[Hit]:
    outages = {
        alert.subject.name: alert
        for alert in world.open_of.get(OUTAGE, ())
        if not (alert.history and alert.phase is Phase.PENDING)
    }
    for site, devices in world.devices_at.items():
        units = (f"{device.gateway}/{device.unit}" for device in devices)
        found = tuple(outages[unit] for unit in units if unit in outages)
        if found and site in world.directory.sites:
            need, window_s = max(1, ceil(world.terms.site_share * len(devices))), world.terms.site_window_s
            onsets = [_onset(world, alert) for alert in found]
            many, at = _many_at(onsets, max(2, need), window_s), _many_at(onsets, need, window_s)
            yield Hit(site=site, outages=found, of=len(devices), many=many is not None, at=at)


def _onset(world: World, alert: Alert) -> int:
    """By our clock where the event is known, so that two gateways' clocks need not agree."""
    noted = world.past(alert.subject.name).on_battery
    return alert.onset_at if noted is None else noted.at


def _many_at(instants: Iterable[int], need: int, window_s: float) -> int | None:
    """When `need` of them had come within the window; None if they never did."""
    ordered = sorted(instants)
    pairs = zip(ordered, ordered[need - 1 :], strict=False)
    return next((last for first, last in pairs if last - first <= window_s * 1000), None)


def _of_site(world: World, site: int, hit: Hit | None, now: int) -> Iterator[Sighting]:
    subject = Subject(Kind.SITE, str(site))
    alert = world.open.get((subject, SITE))
    if hit is None:
        if alert is not None:
            yield ended(alert, now)
    elif alert is not None or hit.many:
        details = {"site": world.directory.sites[site].name, **listed(_labels(world, hit.outages), "units", hit.of)}
        yield _incident(world, subject, SITE, hit.outages, details, now)


def _of_sites(world: World, hits: Sequence[Hit], now: int) -> Iterator[Sighting]:
    """An incident of many sites goes on until no outage that belongs to it does."""
    alert, terms = world.open.get((CLOUD, SITES)), world.terms
    instants = [hit.at for hit in hits if hit.at is not None]
    at = alert.onset_at if alert else _many_at(instants, terms.sites_at_least, terms.site_window_s)
    if at is None:
        return
    own = [(hit, tuple(each for each in hit.outages if joins(at, _onset(world, each)))) for hit in hits]
    struck = [msgspec.structs.replace(hit, outages=outages) for hit, outages in own if outages]
    if struck:
        yield _listing(world, struck, now)
    elif alert is not None:
        yield ended(alert, now)


def _listing(world: World, struck: Sequence[Hit], now: int) -> Sighting:
    sites = world.directory.sites
    outages = [outage for hit in struck for outage in hit.outages]
    details = {**listed([sites[hit.site].name for hit in struck], "sites", len(sites)), "units": len(outages)}
    return _incident(world, CLOUD, SITES, outages, details, now)


def _incident(
    world: World, subject: Subject, condition: str, outages: Sequence[Alert], details: Mapping[str, Scalar], now: int
) -> Sighting:
    """As bad as the worst that it lists."""
    first_at = min(_onset(world, alert) for alert in outages)
    severity = worst_of([CATALOGUE[condition].severity, *(alert.severity for alert in outages)])
    mark = marked(world, subject, condition, first_at)
    told = any(alert.phase is Phase.FIRING for alert in outages)
    hold_s = 0.0 if told else ahead_s(outages, world.terms.on_battery_hold_s, now)
    return began(subject, condition, mark, first_at, details, severity=severity, hold_s=hold_s)


def _left(world: World, now: int) -> Iterator[Sighting]:
    """Alerts of sites that the registry no longer has."""
    known = {str(site) for site in world.directory.sites}
    for alert in world.open_of.get(SITE, ()):
        if alert.subject.name not in known:
            yield ended(alert, now)


def _labels(world: World, outages: Iterable[Alert]) -> list[str]:
    return [world.devices[alert.subject.name].label for alert in outages]
