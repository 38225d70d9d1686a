"""Who answers under a unit's name: its firmware, its groups' names, and whether it is the same unit (S3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from drivers.ups import CATALOGUE, Event, Identity, clean_text
from gateway.readings import Detail
from gateway.silence import answered
from gateway.unit_state import UnitState, unwatched


def identified(state: UnitState, identity: Identity, at: datetime) -> tuple[UnitState, tuple[Event, ...]]:
    """Remembers firmware and group names, tells firmware_changed. What the unit does not say stays."""
    firmware = identity.firmware or state.firmware
    names = {str(index): clean_text(name) for index, name in identity.outlet_groups}
    remembered = msgspec.structs.replace(
        state, firmware=firmware, group_names=names or state.group_names, stranger=None, twin=None
    )
    once = _seen_once(state, at)
    if state.firmware is None or firmware is None or firmware == state.firmware:
        return remembered, once
    details: dict[str, Detail] = {"from": clean_text(state.firmware), "to": clean_text(firmware)}
    return remembered, (*once, _event("firmware_changed", at, details, state.last_at, not state.watching))


def other_unit(
    state: UnitState, at: datetime, expected: str, found: str, more: Mapping[str, Detail] = MappingProxyType({})
) -> tuple[UnitState, tuple[Event, ...]]:
    """Another serial number than the pinned one answers: told once for each that is found.

    `more`: `known_as`, the name of the unit that was found, and `answers_at`, under which the expected one was seen.
    """
    if state.stranger == found:
        return state, ()
    details: dict[str, Detail] = {"expected": clean_text(expected), "found": clean_text(found), **more}
    event = _event("unit_identity_changed", at, details, state.last_at)
    return msgspec.structs.replace(state, stranger=found, twin=None), (*_seen_once(state, at), event)


def seen_twice(state: UnitState, at: datetime, serial: str, other: str) -> tuple[UnitState, tuple[Event, ...]]:
    """The unit that answers is read as `other` already: told once. Nothing is watched under this name meanwhile."""
    restored = answered(state, at)
    twin = unwatched(msgspec.structs.replace(state, stranger=None, twin=other, lost_at=None, failed_polls=0))
    if state.twin == other:
        return twin, restored
    details: dict[str, Detail] = {"serial": clean_text(serial), "other": other}
    return twin, (*restored, _event("unit_seen_twice", at, details, state.last_at))


def _seen_once(state: UnitState, at: datetime) -> tuple[Event, ...]:
    return () if state.twin is None else (_event("unit_seen_once", at, {"other": state.twin}),)


def accepted(state: UnitState, at: datetime, serial: str) -> tuple[UnitState, tuple[Event, ...]]:
    """The owner took the other unit: nothing of the old one is compared with it.

    Conditions that were told go on, so that each is ended by a reading of the new unit that does not show it.
    """
    fresh = UnitState(ongoing=state.ongoing, lost_at=state.lost_at, twin=state.twin)
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
