"""The clock of a simulated unit: real time, held or made faster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

MAX_DRIFT_S = 0.001
"""How far the wall clock, which NTP steers, may move against the monotonic one before instants are dated anew."""
LOOKS = 3


def wall_offset_s() -> float:
    """Wall clock minus monotonic clock, from the quickest of a few looks: a process is preempted between two."""
    looks = []
    for _ in range(LOOKS):
        before_s, wall_s, after_s = time.monotonic(), time.time(), time.monotonic()
        looks.append((after_s - before_s, wall_s - (before_s + after_s) / 2))
    return min(looks)[1]


class Clock:
    """Simulated seconds since the start, and the real instant at which each of them is."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._held = False
        self._sim_s = 0.0
        self._real_s = time.monotonic()
        self._wall_s = wall_offset_s()

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def held(self) -> bool:
        return self._held

    def now_s(self) -> float:
        return self._sim_s if self._held else self._sim_s + (time.monotonic() - self._real_s) * self._speed

    def change(self, *, speed: float | None = None, held: bool | None = None) -> None:
        """Another pace from this instant on; simulated time makes no jump."""
        self._sim_s, self._real_s = self.now_s(), time.monotonic()
        self._speed = self._speed if speed is None else speed
        self._held = self._held if held is None else held

    def utc(self, sim_s: float) -> datetime:
        """The real instant of a simulated second at the present pace; now, while held."""
        if self._held:
            return datetime.fromtimestamp(time.time(), UTC)
        wall_s = wall_offset_s()
        if abs(wall_s - self._wall_s) > MAX_DRIFT_S:
            self._wall_s = wall_s
        real_s = self._real_s + (sim_s - self._sim_s) / self._speed
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=real_s + self._wall_s)
