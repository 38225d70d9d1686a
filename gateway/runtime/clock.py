"""The clocks of this machine, as records carry them."""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path

from gateway.actions import Moment
from gateway.wire.messages import Clock, Stamp

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

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def moment(self) -> Moment:
        return Moment(time.monotonic(), self.stamp())

    def stamp(self) -> Stamp:
        since_boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        at_ms = max(0, time.time_ns() // 1_000_000)
        return Stamp(at=at_ms, boot=self.boot, mono=since_boot_ms, clock=self.quality().value)

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
