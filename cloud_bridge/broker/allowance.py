"""How much one gateway may send: token buckets, filled by the time that is handed in (S13).

Too many messages are slowed, which loses nothing: a gateway back from a day offline says all it has. Too many
bytes a day are cut, since a quiet thief of disk space is not slowed by pauses.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86400.0
SPENT = "its bytes of the day are used up: refused for {:.0f} s (limits: bytes_per_day)"


@dataclass(slots=True)
class Bucket:
    """Holds at most `capacity` tokens, gains `per_s`; it may be overdrawn once and then owes the rest."""

    capacity: float
    per_s: float
    filled_at: float
    level: float

    @classmethod
    def full(cls, capacity: float, per_s: float, now: float) -> Bucket:
        return cls(capacity, per_s, now, capacity)

    def take(self, tokens: float, now: float) -> None:
        self._fill(now)
        self.level -= tokens

    def debt_s(self, now: float) -> float:
        """Seconds until nothing is owed."""
        self._fill(now)
        return max(0.0, -self.level / self.per_s)

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self.filled_at) * self.per_s
        self.level = min(self.capacity, self.level + gained)
        self.filled_at = now


@dataclass(slots=True)
class Allowance:
    """What one gateway has left; it outlives the gateway's connections, or reconnecting would renew it."""

    messages: Bucket
    bytes: Bucket

    @classmethod
    def fresh(cls, per_s: float, burst: int, bytes_per_day: int, now: float) -> Allowance:
        return cls(Bucket.full(burst, per_s, now), Bucket.full(bytes_per_day, bytes_per_day / DAY_S, now))

    def use(self, size: int, now: float) -> None:
        """One packet of `size` bytes has been read."""
        self.messages.take(1, now)
        self.bytes.take(size, now)

    def pause_s(self, now: float) -> float:
        """How long to read no further packet."""
        return self.messages.debt_s(now)

    def spent_for_s(self, now: float) -> float:
        """Seconds for which the bytes of the day are used up; 0 while some are left."""
        return self.bytes.debt_s(now)
