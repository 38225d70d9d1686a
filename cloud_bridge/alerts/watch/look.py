"""All watchers over one world; one that fails stops no other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from cloud_bridge.alerts.attempt import Failure, attempt_all
from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.watch import (
    charge,
    concerns,
    dark,
    dates,
    depletion,
    gateways,
    lost_ends,
    shortfall,
    sites,
    tests,
    thresholds,
)
from cloud_bridge.alerts.watch.world import World

Watcher = Callable[[World, int], Iterable[Sighting | Failure]]

WATCHERS: Mapping[str, Watcher] = MappingProxyType(
    {
        "dark": dark.sightings,
        "sites": sites.sightings,
        "gateways": gateways.sightings,
        "charge": charge.sightings,
        "thresholds": thresholds.sightings,
        "depletion": depletion.sightings,
        "shortfall": shortfall.sightings,
        "concerns": concerns.sightings,
        "dates": dates.sightings,
        "tests": tests.sightings,
    }
)
"""Incidents first: what they cover finds them there. One of several parts says itself which of them failed."""


class Found(NamedTuple):
    """`failures`: of watchers that say nothing this time, and of rules."""

    sightings: list[Sighting]
    failures: list[Failure]


def look(world: World, now: int) -> Found:
    return _found(WATCHERS, world, now)


def look_for_lost_ends(world: World, now: int) -> Found:
    """First of all: what is over must not be looked at as if it went on. For `at` see lost_ends.sightings."""
    return _found({"lost ends": lost_ends.sightings}, world, now)


def _found(watchers: Mapping[str, Watcher], world: World, now: int) -> Found:
    found = Found([], [])
    for name, watch in watchers.items():
        for said in attempt_all(f"watcher {name}", partial(watch, world, now)):
            if isinstance(said, Failure):
                found.failures.append(said)
            else:
                found.sightings.append(said)
    return found
