"""Who answers under a unit's name: its firmware, its groups' names, and whether it is the same unit (S3)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from drivers.ups import CATALOGUE, Event, Identity, clean_text
from gateway.readings import Detail
from gateway.unit_state import UnitState


def identified(state: UnitState, identity: Identity, at: datetime) -> tuple[UnitState, tuple[Event, ...]]:
    """Remembers firmware and group names, tells firmware_changed. What the unit does not say stays."""
    firmware = identity.firmware or state.firmware
    names = {str(index): clean_text(name) for index, name in identity.outlet_groups}
    remembered = msgspec.structs.replace(
        state, firmware=firmware, group_names=names or state.group_names, stranger=None
    )
    if state.firmware is None or firmware is None or firmware == state.firmware:
        return remembered, ()
    details: dict[str, Detail] = {"from": clean_text(state.firmware), "to": clean_text(firmware)}
    return remembered, (_event("firmware_changed", at, details, state.last_at, not state.watching),)


def other_unit(state: UnitState, at: datetime, expected: str, found: str) -> tuple[UnitState, tuple[Event, ...]]:
    """Another serial number than the pinned one answers: told once for each that is found."""
    if state.stranger == found:
        return state, ()
    details: dict[str, Detail] = {"expected": clean_text(expected), "found": clean_text(found)}
    event = _event("unit_identity_changed", at, details, state.last_at)
    return msgspec.structs.replace(state, stranger=found), (event,)


def accepted(state: UnitState, at: datetime, serial: str) -> tuple[UnitState, tuple[Event, ...]]:
    """The owner took the other unit: nothing of the old one is compared with it.

    Conditions that were told go on, so that each is ended by a reading of the new unit that does not show it.
    """
    fresh = UnitState(ongoing=state.ongoing, lost_at=state.lost_at)
    return fresh, (_event("unit_accepted", at, {"serial": clean_text(serial)}),)


def _event(
    kind: str, at: datetime, details: dict[str, Detail], after: datetime | None = None, found: bool = False
) -> Event:
    return Event(
        type=kind,
        severity=CATALOGUE[kind].severity,
        at=at,
        after=after,
        found_afterwards=found,
        details=details,
    )
