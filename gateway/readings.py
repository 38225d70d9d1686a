"""What may be read from a snapshot whose parts are of different age, and how its numbers are rounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import msgspec

from drivers.ups import READINGS, Snapshot

DIGITS: Mapping[str, int] = MappingProxyType({reading.name: reading.digits for reading in READINGS})

Detail = str | int | float | bool


def is_full(snapshot: Snapshot) -> bool:
    """Whether every part is as new as the state. In a fast reading what it does not renew is older."""
    return snapshot.full_at == snapshot.at


def rounded(name: str, value: float) -> int | float:
    """A reading with the digits that READINGS shows."""
    digits = DIGITS[name]
    return round(value, digits) if digits else round(value)


def details_of(snapshot: Snapshot, names: Iterable[str]) -> dict[str, Detail]:
    """The named readings that the unit reports, none of them older than the state."""
    if not is_full(snapshot):
        return {}
    values = {name: getattr(snapshot, name) for name in names}
    return {name: rounded(name, value) for name, value in values.items() if value is not None}


def moved(snapshot: Snapshot, by: timedelta) -> Snapshot:
    """The same by a clock that was set, by `by`."""
    full_at = None if snapshot.full_at is None else shifted(snapshot.full_at, by)
    return msgspec.structs.replace(snapshot, at=shifted(snapshot.at, by), full_at=full_at)


def shifted(at: datetime, by: timedelta) -> datetime:
    """What a calendar has no room for is held at its end."""
    try:
        return at + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if by > timedelta(0) else datetime.min.replace(tzinfo=UTC)
