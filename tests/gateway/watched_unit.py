"""A unit as a script of readings: words of registers 0-1 and 18 as apc-modbus.md 7 and 8.5 print them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from drivers.smartups.bits import FLAG_BITS, STATES
from drivers.ups import Cause, Event, Flag, OutletGroup, Snapshot
from gateway.detect import Limits, step
from gateway.silence import failed
from gateway.unit_state import UnitState, encode, resume

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

ONLINE, ON_BATTERY, OFF = 0x0002, 0x0244, 0x0110
ACCEPTABLE = frozenset({Flag.INPUT_ACCEPTABLE})


def moment(second: float) -> datetime:
    return START + timedelta(seconds=second)


def flags_of(register: str, word: int) -> frozenset[Flag]:
    return frozenset(flag for bit, flag in FLAG_BITS[register].items() if word >> bit & 1)


def outlets(**on: bool) -> tuple[OutletGroup, ...]:
    """`outlets(g1=True, g2=False)`"""
    return tuple(OutletGroup(index=int(name[1:]), on=is_on) for name, is_on in on.items())


def reading(
    second: float,
    word: int,
    cause: Cause | None = None,
    *,
    signals: int = 0,
    flags: frozenset[Flag] = frozenset(),
    **values: Any,
) -> Snapshot:
    """A full reading."""
    states = [state for bit, state in STATES.items() if word >> bit & 1]
    at = moment(second)
    return Snapshot(
        at=at,
        full_at=at,
        state=states[0] if len(states) == 1 else None,
        cause=cause,
        flags=flags | flags_of("ups_status", word) | flags_of("simple_signaling", signals),
        **values,
    )


class WatchedUnit:
    """Feeds readings to the rules and keeps what they tell."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = UnitState()
        self.last: Snapshot | None = None
        self.events: list[Event] = []

    def reads(self, second: float, word: int, cause: Cause | None = None, **more: Any) -> list[str]:
        """A full reading; gives the types of the events it led to."""
        return self.takes(reading(second, word, cause, **more))

    def glances(self, second: float, word: int, cause: Cause | None = None) -> list[str]:
        """A fast reading of registers 0 to 2: every other part stays as the last full reading left it."""
        fresh = reading(second, word, cause)
        if self.last is None:
            return self.takes(msgspec.structs.replace(fresh, full_at=None))
        kept = self.last.flags - frozenset(FLAG_BITS["ups_status"].values())
        return self.takes(
            msgspec.structs.replace(
                self.last, at=fresh.at, state=fresh.state, cause=fresh.cause, flags=fresh.flags | kept
            )
        )

    def takes(self, snapshot: Snapshot) -> list[str]:
        self.state, events = step(self.state, snapshot, self.limits)
        self.last = snapshot
        return self._told(events)

    def is_silent(self, second: float, silent_s: float) -> list[str]:
        self.state, events = failed(self.state, moment(second), silent_s)
        return self._told(events)

    def restarts(self) -> None:
        self.state = resume(encode(self.state))

    @property
    def told(self) -> list[str]:
        return [event.type for event in self.events]

    def _told(self, events: tuple[Event, ...]) -> list[str]:
        self.events += events
        return [event.type for event in events]
