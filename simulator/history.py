"""The record of truth: every change of a simulated unit, numbered, with the instant the physics changed."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from enum import StrEnum

import msgspec

HISTORY_LIMIT = 100_000
"""Changes kept, about 30 MB; a day of outages at one a minute stays well under it."""

Value = str | int | float | bool | None | dict[str, str | float | bool | list[str] | None]


class Kind(StrEnum):
    """What changed: the input as it was set, or what the unit shows of itself."""

    MAINS = "mains"
    LOAD = "load"
    STATE = "state"
    CAUSE = "cause"
    FLAG = "flag"
    SELF_TEST = "self_test"
    CALIBRATION = "calibration"
    OUTLET = "outlet"
    FIRMWARE = "firmware"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `number` rises by one each; `name` is the flag, the outlet group's index, or the kind.

    `cause` stands at changes of state.
    """

    number: int
    at: datetime
    kind: Kind
    name: str
    old: Value
    new: Value
    cause: str | None = None


class History:
    """The newest `limit` changes; `dropped` counts those that fell off the end."""

    def __init__(self, limit: int = HISTORY_LIMIT) -> None:
        self._changes: deque[Change] = deque(maxlen=limit)
        self._last = 0

    @property
    def last_number(self) -> int:
        return self._last

    @property
    def dropped(self) -> int:
        return self._last - len(self._changes)

    def add(self, at: datetime, kind: Kind, name: str, old: Value, new: Value, *, cause: str | None = None) -> None:
        self._last += 1
        self._changes.append(Change(number=self._last, at=at, kind=kind, name=name, old=old, new=new, cause=cause))

    def since(self, number: int = 0) -> tuple[Change, ...]:
        """The kept changes whose number is above `number`, oldest first."""
        skip = max(0, number - self.dropped)
        return tuple(self._changes)[skip:]
