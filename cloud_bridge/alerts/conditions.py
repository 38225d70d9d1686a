"""From a stored event to what it shows of which condition. Pure.

A condition is named by the event type that begins it, the catalogue's `clears` says what ends it. Running on battery,
a battery that is low, a countdown and an output that is off are one condition, `outage`, with stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cloud_bridge.alerts.model import Alert, Phase, Seen, Sighting, unit_of
from cloud_bridge.alerts.ranks import worst_of
from cloud_bridge.rows import EventRow
from drivers.ups import CATALOGUE, FROM_THE_CLOUD, Severity

OUTAGE = "outage"
STAGES: Mapping[str, int] = MappingProxyType(
    {"on_battery": 1, "shutdown_imminent": 2, "low_battery": 3, "output_off": 4}
)
"""Of an outage, by how far it has come."""

RESULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "self_test_passed": ("self_test_failed", "self_test_refused"),
        "self_test_failed": ("self_test_refused",),
        "calibration_passed": ("calibration_failed", "calibration_refused"),
        "calibration_failed": ("calibration_refused",),
    }
)
"""Event types that are no clears, and what they end beside: the next result replaces the last."""

UNSTABLE, STABLE = "unit_unstable", "unit_unstable_cleared"
"""What an alert of any condition is, besides, while it comes and goes, and when that is over."""

GROUP_LENGTH = 8


def _ends() -> dict[str, tuple[str, ...]]:
    cleared = {kind.name: (kind.clears,) for kind in CATALOGUE.values() if kind.clears}
    return {**cleared, **RESULTS}


ENDS: Mapping[str, tuple[str, ...]] = MappingProxyType(_ends())
"""By event type, the onsets whose conditions it ends."""
LASTING = frozenset(onset for onsets in ENDS.values() for onset in onsets)
"""Event types that begin what lasts until its end is told; every other happens and is over."""


def _name(onset: str) -> str:
    return OUTAGE if onset in STAGES else onset


def condition_of(event_type: str) -> str | None:
    """The condition that an event type begins, ends, or is as a moment; None of a type that is not in the catalogue."""
    kind = CATALOGUE.get(event_type)
    return None if kind is None else _name(kind.clears or kind.name)


CONDITIONS = frozenset(name for kind in CATALOGUE if (name := condition_of(kind)) is not None)
"""Every name that a policy or a silence can use. One condition of several of its kind has its own after a colon."""


OURS = FROM_THE_CLOUD | {"gateway_lost", "gateway_returned", "notifications_disabled"}
"""Types that watchers alone find, never stored by ingest. From a gateway one would be an incident that covers other
people's alerts."""


def kind_of(condition: str) -> str:
    """Without what tells it from others of its kind: `outlet_group_off` of `outlet_group_off:2`."""
    return condition.partition(":")[0]


def meant_by(alert: Alert) -> str:
    """The event type that has its meaning and advice, as it stands now."""
    if not alert.unstable:
        return alert.stage
    return STABLE if alert.phase is Phase.RESOLVED else UNSTABLE


def is_a_gateways(event_type: str) -> bool:
    """Whether a gateway may begin or end a condition by it: not by a type of ours, nor by the bare name of one."""
    kind = kind_of(event_type)
    return kind not in OURS and (event_type in CATALOGUE or kind not in CONDITIONS)


def sightings(row: EventRow) -> list[Sighting]:
    """What an event shows: ends before the onset or moment. Nothing, if no gateway can know it."""
    if not is_a_gateways(row.type):
        return []
    shown = [_sighting(row, onset, Seen.ENDED) for onset in ENDS.get(row.type, ())]
    if row.type in LASTING:
        shown.append(_sighting(row, row.type, Seen.BEGAN))
    elif row.type not in ENDS or row.type in RESULTS:
        shown.append(_sighting(row, row.type, Seen.MOMENT))
    return shown


def _sighting(row: EventRow, onset: str, seen: Seen) -> Sighting:
    known = CATALOGUE.get(row.type)
    return Sighting(
        subject=unit_of(row.gateway, row.unit),
        condition=_name(onset) + _which(row),
        seen=seen,
        stage=row.type,
        severity=worst_of((row.severity, known.severity if known else Severity.INFORMATIONAL)),
        at=row.at if row.dated_at is None else row.dated_at,
        mark=f"{row.gateway}/{row.lane}/{row.stream}/{row.seq}",
        record=row.id,
        history=row.history,
        details=row.details,
    )


def _which(row: EventRow) -> str:
    """Each outlet group is off by itself."""
    if row.type not in ("outlet_group_off", "outlet_group_on") or "group" not in row.details:
        return ""
    return f":{str(row.details['group'])[:GROUP_LENGTH]}"
