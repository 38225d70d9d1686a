"""How long an onset has to last before it is told (S22). Pure."""

from __future__ import annotations

from cloud_bridge.alerts.conditions import kind_of
from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.terms import Terms


def hold_s(sighting: Sighting, terms: Terms) -> float:
    """The sighting's own, else its condition's."""
    if sighting.hold_s is not None:
        return sighting.hold_s
    if sighting.stage == "on_battery":
        return terms.on_battery_hold_s
    return terms.gateway_lost_hold_s if kind_of(sighting.condition) == "gateway_lost" else 0.0
