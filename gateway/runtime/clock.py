"""The clocks of this machine, as records carry them, and who watches them."""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path

from gateway import clock
from gateway.actions import Moment
from gateway.wire.messages import Clock, ClockBody, Stamp

QUALITY_EVERY_S = 10.0
"""How long an answer of the kernel about its clock's quality is believed."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right."""


class SystemClock:
    def __init__(self) -> None:
        self.boot = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._quality = Clock.UNSYNCHRONISED
        self._asked_at = -QUALITY_EVERY_S
        self._offset_ms = 0

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def moment(self) -> Moment:
        return Moment(time.monotonic(), self.stamp())

    def stamp(self) -> Stamp:
        since_boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        at_ms = max(0, time.time_ns() // 1_000_000)
        quality = self._quality_at(at_ms - since_boot_ms)
        return Stamp(at=at_ms, boot=self.boot, mono=since_boot_ms, clock=quality.value)

    def quality(self) -> Clock:
        """Whether NTP or PTP keeps the clock: what the kernel was told by whoever does it."""
        now_s = time.monotonic()
        if now_s - self._asked_at >= QUALITY_EVERY_S:
            self._asked_at = now_s
            # struct timex is 208 bytes on 64-bit Linux, less on 32-bit; all zero asks and changes nothing.
            buffer = ctypes.create_string_buffer(256)
            state = self._adjtimex(buffer)
            self._quality = Clock.SYNCHRONISED if 0 <= state < _TIME_ERROR else Clock.UNSYNCHRONISED
        return self._quality

    def is_right(self) -> bool:
        return self.quality() is Clock.SYNCHRONISED

    def believed_utc(self) -> datetime | None:
        """None while nothing keeps the clock right: it may say any year."""
        return self.utc() if self.is_right() else None

    def _quality_at(self, offset_ms: int) -> Clock:
        """A clock that was stepped is asked about anew: what was known of it was known of another time."""
        if clock.is_step(offset_ms - self._offset_ms):
            self._asked_at = -QUALITY_EVERY_S
        self._offset_ms = offset_ms
        return self.quality()


class ClockWatch:
    """Notices that the clock was set. `kept`: what `kept()` of an earlier process left behind.

    Look at the start and every QUALITY_EVERY_S; what comes out is a record of Kind.CLOCK with that very stamp, and the
    state is kept in the same transaction.
    """

    def __init__(self, clock_: SystemClock, kept: bytes | None = None) -> None:
        self._clock = clock_
        self._state = clock.resume(kept)

    def look(self) -> tuple[Stamp, ClockBody] | None:
        stamp = self._clock.stamp()
        self._state, body = clock.step(self._state, stamp)
        return None if body is None else (stamp, body)

    def kept(self) -> bytes:
        return b"" if self._state is None else clock.encode(self._state)
