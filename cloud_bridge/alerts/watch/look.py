"""All watchers over one world. Pure."""

from __future__ import annotations

from itertools import chain

from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.watch import (
    charge,
    concerns,
    dark,
    dates,
    depletion,
    gateways,
    shortfall,
    sites,
    tests,
    thresholds,
)
from cloud_bridge.alerts.watch.world import World

WATCHERS = (
    dark.sightings,
    sites.sightings,
    gateways.sightings,
    charge.sightings,
    thresholds.sightings,
    depletion.sightings,
    shortfall.sightings,
    concerns.sightings,
    dates.sightings,
    tests.sightings,
)
"""Incidents first: what they cover finds them there."""


def look(world: World, now: int) -> list[Sighting]:
    return list(chain.from_iterable(watcher(world, now) for watcher in WATCHERS))
