"""Report by exception: which parts of a snapshot are worth sending, by what was reported last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from drivers.ups import READINGS, OutletGroup, Snapshot
from gateway.readings import rounded, shifted
from gateway.wire.messages import StatusBody

FULL_EVERY = timedelta(seconds=60)
"""A full status at least this often heals whatever a lost one left behind."""

FULL_EVERY_UNHEARD = timedelta(minutes=5)
"""While what is reported goes to disk, unheard: fulls are two thirds of what is written then, and the next connection
begins with one."""

DEADBANDS: Mapping[str, float] = MappingProxyType({reading.name: reading.deadband for reading in READINGS})

_NUMBERS = frozenset(DEADBANDS)
_TIMES = ("at", "full_at")
_FLOAT_DUST = 1e-9
"""20.1 - 18.1 is a hair under 2: differences of rounded numbers are compared with this much patience."""

_encoder = msgspec.json.Encoder(order="deterministic")


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What the cloud was told: each field as last sent, and when all of them were. Not for disk."""

    values: dict[str, Any]
    full_at: datetime


def moved(reported: Reported, by: timedelta) -> Reported:
    """The same by a clock that was set, by `by`."""
    return msgspec.structs.replace(reported, full_at=shifted(reported.full_at, by))


def due(
    last: Reported | None,
    snapshot: Snapshot,
    now_at: datetime,
    deadbands: Mapping[str, float] = DEADBANDS,
    full: bool = False,
    full_every: timedelta = FULL_EVERY,
) -> tuple[StatusBody | None, Reported]:
    """(what to send, if anything, and what counts as reported then).

    Everything at first, when `full` asks for it (after a reconnect), and each `full_every`; else what changed:
    numbers by their deadband, from `deadbands` or their default, everything else at once. A number is
    compared with the one that was sent last, so that one at the edge of its deadband does not chatter.
    """
    values = _values(snapshot)
    if last is None or full or not timedelta(0) <= now_at - last.full_at < full_every:
        body = StatusBody(full=True, values=_raw(values | _times(snapshot)))
        return body, Reported(values=values, full_at=now_at)
    changed = {
        name: value
        for name, value in values.items()
        if name not in last.values or _differs(name, last.values[name], value, deadbands)
    }
    gone = sorted(last.values.keys() - values.keys())
    if not changed and not gone:
        return None, last
    body = StatusBody(values=_raw(changed | _times(snapshot)), gone=gone)
    kept = {name: value for name, value in last.values.items() if name in values}
    return body, Reported(values=kept | changed, full_at=last.full_at)


def _values(snapshot: Snapshot) -> dict[str, Any]:
    """The fields that the unit reports, numbers rounded. That no flag is set is a reading too."""
    values: dict[str, Any] = {}
    for name in snapshot.__struct_fields__:
        value = getattr(snapshot, name)
        if name in _TIMES or value is None or value == ():
            continue
        values[name] = rounded(name, value) if name in _NUMBERS else value
    return values


def _times(snapshot: Snapshot) -> dict[str, Any]:
    """When it was read: goes with what is sent, and is no reason to send."""
    times = {name: getattr(snapshot, name) for name in _TIMES}
    return {name: value for name, value in times.items() if value is not None}


def _raw(values: Mapping[str, Any]) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(_encoder.encode(value)) for name, value in values.items()}


def _differs(name: str, old: Any, new: Any, deadbands: Mapping[str, float]) -> bool:
    if name == "main_outlet":
        return _outlet_differs(old, new)
    if name == "switched_outlets":
        return len(old) != len(new) or any(map(_outlet_differs, old, new))
    if name not in _NUMBERS:
        return bool(old != new)
    deadband = deadbands.get(name, DEADBANDS[name])
    return bool(old != new) and abs(new - old) + _FLOAT_DUST >= deadband


def _outlet_differs(old: OutletGroup, new: OutletGroup) -> bool:
    """A countdown that counts is no change; one that starts, ends or is set anew is."""
    return _without_countdowns(old) != _without_countdowns(new) or any(
        _countdown_differs(before, after)
        for before, after in (
            (old.turn_off_s, new.turn_off_s),
            (old.turn_on_s, new.turn_on_s),
            (old.stay_off_s, new.stay_off_s),
        )
    )


def _without_countdowns(group: OutletGroup) -> OutletGroup:
    return msgspec.structs.replace(group, turn_off_s=None, turn_on_s=None, stay_off_s=None)


def _countdown_differs(before: int | None, after: int | None) -> bool:
    if before is None or after is None:
        return before is not after
    return after > before or (after == 0) != (before == 0)
