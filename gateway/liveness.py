"""Which parts of the gateway no longer come round: the watchdog hears of life only while there is none."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Pulse(msgspec.Struct, frozen=True):
    """A part that came round last at `beat_s` (monotonic seconds) and is to do so again within `within_s`."""

    name: str
    beat_s: float
    within_s: float


def hanging(pulses: Iterable[Pulse], now_s: float) -> tuple[str, ...]:
    """The names of the parts whose time is over, in their order."""
    return tuple(pulse.name for pulse in pulses if now_s - pulse.beat_s > pulse.within_s)
