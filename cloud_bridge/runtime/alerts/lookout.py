"""When it is looked at what units and gateways say, and what was seen: all of it each minute, what changed sooner."""

from __future__ import annotations

import logging
from enum import Enum, auto

from cloud_bridge.alerts.watch.world import Heard
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import people
from cloud_bridge.store.registry.registry import Registry
from cloud_bridge.store.watching import looked

QUICK_S = 2.0
"""How often it is looked at what changed: within the hold, so that an incident is found before its parts are told."""
FULL_S = 60.0
"""How often it is looked at everything."""

log = logging.getLogger(__name__)


class Extent(Enum):
    CHANGES = auto()
    EVERYTHING = auto()


class Lookout:
    """For one thread; instants are monotonic seconds."""

    def __init__(self, registry: Registry, reader: Reader) -> None:
        self._registry, self._reader = registry, reader
        self._heard: Heard | None = None
        self._units: dict[tuple[str, str], tuple[str, str]] = {}
        self._quick_at = self._full_at = 0.0

    def hurry(self) -> None:
        """The next look is due now."""
        self._quick_at = 0.0

    def due(self, at_s: float) -> Extent | None:
        """What to look at now; it counts as looked at."""
        extent = Extent.EVERYTHING if at_s >= self._full_at else Extent.CHANGES
        if extent is Extent.CHANGES and at_s < self._quick_at:
            return None
        self._quick_at = at_s + QUICK_S
        if extent is Extent.EVERYTHING:
            self._full_at = at_s + FULL_S
        return extent

    def look(self, extent: Extent) -> Heard:
        """How things are now. Raises RegistryError, StoreError, sqlite3.Error."""
        self._heard = looked(self._reader, self._heard, everything=extent is Extent.EVERYTHING)
        self._meet(self._heard)
        return self._heard

    def _meet(self, seen: Heard) -> None:
        """Units that the registry has not, or knows otherwise; the directory has them at the next look."""
        spoken = {
            (row.gateway, row.name): (row.identity.identity.serial or "", row.identity.identity.model or "")
            if row.identity
            else ("", "")
            for row in seen.units.values()
        }
        new = [(*name, *said) for name, said in spoken.items() if self._units.get(name) != said]
        if new:
            with self._registry.writing(noticed=True) as connection:
                for device in people.seen(connection, new):
                    log.warning("device %s is another unit than before: it has no owner any more", device.label)
            self._units = spoken
