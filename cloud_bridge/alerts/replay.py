"""When the telemetry database was restored, everything in it is read once more. Pure.

A board of its own reads it; alerts that the registry has already bear the same ids, and nothing is said of them again.
What both know then goes into one: the registry knows who was told what, the replay which records were taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from cloud_bridge.alerts.change import changed
from cloud_bridge.alerts.model import Alert, Change, Phase, Subject, What

Condition = tuple[Subject, str]


class Merged(msgspec.Struct, frozen=True):
    """`newest`: of each condition, for a board to begin with. `changes`: ends that the registry had not heard of."""

    newest: tuple[Alert, ...]
    changes: tuple[Change, ...]


def by_condition(alerts: Iterable[Alert]) -> dict[Condition, Alert]:
    return {(alert.subject, alert.condition): alert for alert in alerts}


def merged(
    registry: Mapping[Condition, Alert], replayed: Mapping[Condition, Alert], known: Collection[str], now: int
) -> Merged:
    """Of the newest alert of each condition by the registry and by the replay. `known`: ids that the registry had
    before it."""
    newest: dict[Condition, Alert] = {}
    changes: list[Change] = []
    for condition in {**registry, **replayed}:
        ours, read = registry.get(condition), replayed.get(condition)
        if ours is None or (read is not None and read.id not in known and read.id != ours.id):
            assert read is not None, "it is in one of the two"
            newest[condition] = read
            if ours is not None and ours.phase is not Phase.RESOLVED:
                changes.append(_ended(ours, now))
            continue
        kept = msgspec.structs.replace(ours, record=read.record if read else 0)
        if read is not None and read.id == ours.id and read.ends_at is not None and ours.phase is not Phase.RESOLVED:
            # Its end was read, and is held: the board tells it when it has lasted.
            kept = msgspec.structs.replace(kept, open={}, stage=read.stage, ends_at=read.ends_at)
        if read is not None and read.id == ours.id and _is_over(read, ours):
            changes.append(_ended(kept, now))
            kept = changes[-1].alert
        newest[condition] = kept
    return Merged(tuple(newest.values()), tuple(changes))


def _is_over(read: Alert, ours: Alert) -> bool:
    return read.phase is Phase.RESOLVED and ours.phase is not Phase.RESOLVED


def _ended(alert: Alert, now: int) -> Change:
    what = What.RESOLVED if alert.phase is Phase.FIRING else What.DROPPED
    reason = "over, by the restored database"
    return changed(alert, what, now, reason, phase=Phase.RESOLVED, resolved_at=now, ends_at=None, open={})
