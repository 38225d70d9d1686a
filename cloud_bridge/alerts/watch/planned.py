"""Work that goes on at a unit and causes alarms of its own: tests and calibrations. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_bridge.alerts.standing import Planned
from cloud_bridge.alerts.watch.depletion import CONDITION as DEPLETING
from cloud_bridge.alerts.watch.past import UnitPast
from cloud_bridge.alerts.watch.thresholds import condition_of
from cloud_bridge.alerts.watch.world import World

SELF_TEST_MS = 10 * 60_000
CALIBRATION_MS = 6 * 3_600_000
"""Without a result for longer, its end was missed, and it covers nothing any more."""

MOVED_BY_A_TEST = frozenset(
    {
        *("charge_pct", "runtime_s", "battery_v", "battery_negative_v", "battery_temp_c"),
        *("output_v", "output_2_v", "output_hz", "efficiency_pct"),
    }
)
"""Readings that running from battery changes."""


def planned(world: World, now: int) -> Mapping[str, Planned]:
    """By unit, GATEWAY/UNIT. An outage is never among the conditions: the gateway tells one from a test (S19)."""
    rules = world.directory.rules.values()
    moved = frozenset(condition_of(rule) for rule in rules if rule.reading in MOVED_BY_A_TEST)
    going = ((unit, _going(past, now)) for unit, past in world.heard.past.items())
    return {unit: Planned(why=work[0], until=work[1], conditions=moved | {DEPLETING}) for unit, work in going if work}


def _going(past: UnitPast, now: int) -> tuple[str, int] | None:
    """What, and until when at the latest; a calibration outlasts the test that it begins with."""
    for why, begun, most_ms in (
        ("a runtime calibration", past.calibration, CALIBRATION_MS),
        ("a self-test", past.self_test, SELF_TEST_MS),
    ):
        if begun is not None and now < begun.at + most_ms:
            return why, begun.at + most_ms
    return None
