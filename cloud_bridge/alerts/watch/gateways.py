"""Gateways that fell silent. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.alerts.model import Kind, Sighting, Subject, digest
from cloud_bridge.alerts.watch.readings import state
from cloud_bridge.alerts.watch.world import World, began, ended
from cloud_bridge.presence import LinkState
from cloud_bridge.rows import GatewayRow
from cloud_bridge.views import iso
from drivers.ups import Severity, State

CONDITION = "gateway_lost"


def sightings(world: World, now: int) -> Iterator[Sighting]:
    """Silence begins one only while the bridge has heard the broker long enough; a word ends it at once."""
    counts = world.hears_for_long(now)
    for row in world.heard.gateways:
        subject = Subject(Kind.GATEWAY, row.name)
        link, alert = world.link(row.name, now), world.open.get((subject, CONDITION))
        if link is LinkState.LOST:
            if counts:
                yield _lost(world, row, subject)
        elif link is not LinkState.UNKNOWN and alert is not None:
            yield ended(alert, now)


def silent_since(world: World, row: GatewayRow) -> int:
    """Its last word, or since when the bridge can hear it."""
    ingest = world.heard.ingest
    return max(row.last_seen_at, ingest.connected_at or 0 if ingest else 0)


def was_on_battery(world: World, gateway: str) -> bool:
    """Whether its last words were that a unit ran from battery, or that such an outage has no end."""
    units = world.units_of.get(gateway, ())
    return any(world.past(unit).on_battery or state(world.heard.units[unit]) is State.ON_BATTERY for unit in units)


def _lost(world: World, row: GatewayRow, subject: Subject) -> Sighting:
    """S22: told after ten minutes; after 90 s, and as critical (S20), if its last word was on battery."""
    on_battery, terms = was_on_battery(world, row.name), world.terms
    return began(
        subject,
        CONDITION,
        digest(str(subject), CONDITION, str(row.last_seen_at)),
        silent_since(world, row),
        {
            "last_word_at": iso(row.last_seen_at),
            "last_state": "on_battery" if on_battery else "on_mains",
            "likely": "its power ran out" if on_battery else "network or gateway",
            "units": len(world.units_of.get(row.name, ())),
        },
        severity=Severity.CRITICAL if on_battery else None,
        hold_s=terms.gateway_lost_on_battery_hold_s if on_battery else terms.gateway_lost_hold_s,
    )
