"""Sites that went silent with their power, told apart from a gateway that is dead. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloud_bridge.alerts.model import Kind, Sighting, Subject, digest
from cloud_bridge.alerts.watch.gateways import CONDITION as LOST
from cloud_bridge.alerts.watch.gateways import silent_since, was_on_battery
from cloud_bridge.alerts.watch.incidents import ahead_s, listed
from cloud_bridge.alerts.watch.world import World, began, ended
from cloud_bridge.presence import LinkState

CONDITION = "site_dark"


def sightings(world: World, now: int) -> Iterator[Sighting]:
    for site in sorted(world.directory.sites):
        yield from _of_site(world, site, now)
    known = {str(site) for site in world.directory.sites}
    for alert in world.open_of.get(CONDITION, ()):
        if alert.subject.name not in known:
            yield ended(alert, now)


def _of_site(world: World, site: int, now: int) -> Iterator[Sighting]:
    """Its power ran out: no gateway of it is heard, and one at least spoke of its battery last."""
    subject = Subject(Kind.SITE, str(site))
    alert = world.open.get((subject, CONDITION))
    names = sorted({device.gateway for device in world.devices_at.get(site, ())} - world.revoked)
    links = {name: world.link(name, now) for name in names}
    silent = [name for name in names if _is_silent(world, name, links[name])]
    heard = {name for name, link in links.items() if link in (LinkState.ONLINE, LinkState.STOPPED)} - set(silent)
    if alert is not None and (heard or not names):
        yield ended(alert, now)
        return
    dark = silent == names and LinkState.LOST in links.values() and any(was_on_battery(world, name) for name in names)
    if dark and world.hears_for_long(now):
        yield _went_dark(world, subject, site, names, now)


def _is_silent(world: World, gateway: str, link: LinkState) -> bool:
    """One that stopped in good order while on battery stopped because the power ran out."""
    return link is LinkState.LOST or (link is LinkState.STOPPED and was_on_battery(world, gateway))


def _went_dark(world: World, subject: Subject, site: int, gateways: Sequence[str], now: int) -> Sighting:
    rows = [world.gateways[name] for name in gateways]
    lost = [each for each in world.open_of.get(LOST, ()) if each.subject.name in gateways]
    last_at = max(row.last_seen_at for row in rows)
    labels = [device.label for device in world.devices_at[site]]
    details = {"site": world.directory.sites[site].name, **listed(labels, "units", len(labels))}
    return began(
        subject,
        CONDITION,
        digest(str(subject), CONDITION, str(last_at)),
        max(silent_since(world, row) for row in rows),
        {**details, "gateways": len(gateways), "likely": "its power ran out"},
        hold_s=ahead_s(lost, world.terms.gateway_lost_on_battery_hold_s, now),
    )
