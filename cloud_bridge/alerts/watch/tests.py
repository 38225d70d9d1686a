"""Self-tests that the owner expects and that did not happen. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.alerts.model import Sighting, digest
from cloud_bridge.alerts.watch.world import World, began, ended, unit_subject
from cloud_bridge.views import iso

CONDITION = "self_test_overdue"
DAY_MS = 86_400_000


def sightings(world: World, now: int) -> Iterator[Sighting]:
    for unit in sorted(world.heard.changed):
        subject = unit_subject(unit)
        alert = world.open.get((subject, CONDITION))
        due_at = due(world, unit)
        if due_at is None or now < due_at:
            if alert is not None:
                yield ended(alert, now)
            continue
        tested = world.past(unit).tested
        since = f"tested {tested.id}" if tested else "never tested"
        last_at = iso(tested.at) if tested else None
        details = {"last_test_at": last_at, "every_days": world.devices[unit].test_every_days}
        yield began(subject, CONDITION, digest(str(subject), CONDITION, since, str(due_at)), due_at, details)


def due(world: World, unit: str) -> int | None:
    """When the next test is due: after the last one, or the first sight of the unit; None: nobody expects any."""
    device, tested = world.devices.get(unit), world.past(unit).tested
    since = tested.at if tested else world.heard.first_seen.get(unit)
    if device is None or device.test_every_days == 0 or since is None:
        return None
    return since + device.test_every_days * DAY_MS
