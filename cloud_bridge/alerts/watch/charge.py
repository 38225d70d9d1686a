"""An outage whose battery falls under the owner's limit between two events (S22). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.alerts.conditions import OUTAGE
from cloud_bridge.alerts.model import Seen, Sighting
from cloud_bridge.alerts.outage import CHARGE, CHARGED
from cloud_bridge.alerts.watch.readings import fresh_at, number
from cloud_bridge.alerts.watch.world import World, is_on
from drivers.ups import CATALOGUE, Severity


def sightings(world: World, now: int) -> Iterator[Sighting]:
    """The outage again, with the charge that makes it critical."""
    for alert in world.open_of.get(OUTAGE, ()):
        row = world.heard.units.get(alert.subject.name)
        if row is None or CHARGED not in alert.open or not is_on(alert) or alert.severity is Severity.CRITICAL:
            continue
        at, charge_pct = fresh_at(world, row, now), number(row, CHARGE)
        if at is None or charge_pct is None or charge_pct >= world.terms.critical_below_pct:
            continue
        yield Sighting(
            subject=alert.subject,
            condition=OUTAGE,
            seen=Seen.BEGAN,
            stage=CHARGED,
            severity=CATALOGUE[CHARGED].severity,
            at=at,
            mark=alert.mark,
            details={CHARGE: charge_pct},
        )
