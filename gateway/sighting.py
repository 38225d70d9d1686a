"""From what readings show of a condition to the events of its beginning and its end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from drivers.ups import CATALOGUE, Event, Severity, Snapshot
from gateway.conditions import Condition
from gateway.readings import Detail, details_of
from gateway.unit_state import Ongoing, UnitState


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot shows of one condition.

    `seen`: True, False, or None where this reading does not decide it. `by_state`: the status word alone
    decides it, so that a fast reading counts as a look at it. `onset`: event type where it is not the
    condition's own. `which` tells conditions of one kind apart.
    """

    condition: Condition
    seen: bool | None
    by_state: bool = False
    onset: str = ""
    which: str = ""
    details: dict[str, Detail] = {}
    end_details: dict[str, Detail] = {}

    @property
    def key(self) -> str:
        return f"{self.condition.onset}:{self.which}" if self.which else self.condition.onset


def happening(
    state: UnitState,
    kind: str,
    at: datetime,
    *,
    by_state: bool = False,
    severity: Severity | None = None,
    details: dict[str, Detail] | None = None,
) -> Event:
    """An event seen at `at`, with what the state knows about when it may have happened."""
    return Event(
        type=kind,
        severity=severity or CATALOGUE[kind].severity,
        at=at,
        after=state.last_at if by_state else state.last_full_at,
        found_afterwards=not (state.watching if by_state else state.watching_all),
        details=details or {},
    )


def follow(
    state: UnitState, sightings: Iterable[Sighting], snapshot: Snapshot
) -> tuple[dict[str, Ongoing], list[Event]]:
    """The conditions that go on after this snapshot, and what began and ended."""
    ongoing = dict(state.ongoing)
    events: list[Event] = []
    for sighting in sightings:
        if sighting.seen is None:
            continue
        known = ongoing.get(sighting.key)
        if sighting.seen:
            if known is None:
                events.append(_onset(state, sighting, snapshot))
            ongoing[sighting.key] = Ongoing(since_at=known.since_at if known else snapshot.at)
        elif known is not None:
            known = _absent(state, sighting, known, snapshot.at)
            if _held_long_enough(known, sighting.condition, snapshot.at):
                del ongoing[sighting.key]
                events.append(_end(sighting, known, snapshot.at))
            else:
                ongoing[sighting.key] = known
    return ongoing, events


def _onset(state: UnitState, sighting: Sighting, snapshot: Snapshot) -> Event:
    details = sighting.details | details_of(snapshot, sighting.condition.readings)
    kind = sighting.onset or sighting.condition.onset
    return happening(state, kind, snapshot.at, by_state=sighting.by_state, details=details)


def _absent(state: UnitState, sighting: Sighting, known: Ongoing, at: datetime) -> Ongoing:
    """The condition as no longer seen; a clock that was set back begins the hold anew."""
    if known.absent_at is not None:
        return msgspec.structs.replace(known, absent_at=min(known.absent_at, at))
    seen = happening(state, sighting.condition.clear, at, by_state=sighting.by_state)
    return msgspec.structs.replace(known, absent_at=at, absent_after=seen.after, absent_found=seen.found_afterwards)


def _held_long_enough(known: Ongoing, condition: Condition, at: datetime) -> bool:
    return known.absent_at is not None and at - known.absent_at >= timedelta(seconds=condition.hold_s)


def _end(sighting: Sighting, known: Ongoing, at: datetime) -> Event:
    kind = sighting.condition.clear
    lasted_s = max(0, round((at - known.since_at).total_seconds()))
    return Event(
        type=kind,
        severity=CATALOGUE[kind].severity,
        at=at,
        after=known.absent_after,
        found_afterwards=known.absent_found,
        details={"lasted_s": lasted_s, **sighting.end_details},
    )
