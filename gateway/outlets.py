"""Which switched outlet groups went off or came on by themselves, not with the whole output.

Source: apc-modbus.md 7.3 and 8.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from drivers.ups import OutletGroup, Snapshot, State
from gateway.conditions import OUTLET_GROUP_OFF
from gateway.readings import Detail, is_full
from gateway.sighting import Sighting
from gateway.unit_state import UnitState

RETURN_TIME = timedelta(seconds=60)
"""After the output came back, groups follow some 15 s apart; one whose countdown runs may take longer."""


def sightings(
    state: UnitState, snapshot: Snapshot, returning: tuple[int, ...], output_on_at: datetime | None
) -> Iterator[Sighting]:
    """What a snapshot shows of its switched outlet groups."""
    for group in snapshot.switched_outlets:
        details: dict[str, Detail] = {"group": group.index}
        name = state.group_names.get(str(group.index))
        if name:
            details["name"] = name
        patient = group.index in returning and _is_on_its_way(group, snapshot.at, output_on_at)
        yield Sighting(
            condition=OUTLET_GROUP_OFF,
            which=str(group.index),
            seen=None if patient else _is_off(group, snapshot),
            details=details,
            end_details=details,
        )


def output_return(state: UnitState, snapshot: Snapshot) -> tuple[tuple[int, ...], datetime | None]:
    """(groups that went off with the whole output and were not seen on since, when the output came back)."""
    if snapshot.state is None:
        return state.returning, state.output_on_at
    if snapshot.state is State.OFF:
        return tuple(group.index for group in snapshot.switched_outlets), None
    came_back_at = min(state.output_on_at or snapshot.at, snapshot.at)
    back = {group.index for group in snapshot.switched_outlets if group.on and is_full(snapshot)}
    returning = tuple(index for index in state.returning if index not in back)
    return returning, came_back_at if returning else None


def _is_off(group: OutletGroup, snapshot: Snapshot) -> bool | None:
    """Off is told at once; on only by a reading that is as new as the state."""
    if group.on is None or snapshot.state is None or snapshot.state is State.OFF:
        return None
    if not group.on:
        return True
    return False if is_full(snapshot) else None


def _is_on_its_way(group: OutletGroup, at: datetime, output_on_at: datetime | None) -> bool:
    if group.on:
        return False
    counting = bool(group.turn_on_s) or bool(group.stay_off_s)
    return counting or output_on_at is None or at - output_on_at < RETURN_TIME
