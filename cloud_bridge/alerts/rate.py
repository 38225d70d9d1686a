"""How many notices a minute one channel gets: a token bucket, filled by the time that is handed in. Pure.

Seconds are monotonic.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloud_bridge.broker.allowance import Bucket

MINUTE_S = 60.0


@dataclass(slots=True)
class Rate:
    """Never more than `per_minute` within a minute: a third of them at once, the rest one by one."""

    _bucket: Bucket

    @classmethod
    def of(cls, per_minute: int, now: float) -> Rate:
        burst = max(1, per_minute // 3)
        # The bucket lets one through whenever it owes nothing, so that one is not kept in it.
        return cls(Bucket.full(burst - 1, (per_minute - burst + 1) / MINUTE_S, now))

    def wait_s(self, now: float) -> float:
        """Seconds until the next one may leave; 0: now."""
        return self._bucket.debt_s(now)

    def take(self, now: float) -> None:
        """One leaves."""
        self._bucket.take(1, now)
