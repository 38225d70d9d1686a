"""What strangers may: how often ask, how often fail (token buckets, filled by the time handed in), how many be in."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address

from cloud_bridge.addresses import ip_of
from cloud_bridge.broker.allowance import Bucket

MOST_KEPT = 10_000
"""Of names; a stranger may choose them. Above it the one that was quiet for longest is forgotten."""
_SITE_BITS = 64


class Attempts:
    """So many at once, and so many a second over time, for each name."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._buckets: dict[str, Bucket] = {}

    def wait_s(self, name: str, now: float) -> float:
        """Seconds until one more is allowed; 0: now."""
        bucket = self._buckets.get(name)
        return bucket.debt_s(now) if bucket else 0.0

    def count(self, name: str, now: float) -> None:
        """One was made. The bucket holds one less than `burst`: the one that overdraws it is the last of them."""
        bucket = self._buckets.pop(name, None) or Bucket.full(self._burst - 1, self._per_s, now)
        bucket.take(1, now)
        self._buckets[name] = bucket
        if len(self._buckets) > MOST_KEPT:
            del self._buckets[next(iter(self._buckets))]


class Guard:
    """What one endpoint bears: of all together, of one address, and of failures of one address or one token."""

    def __init__(self) -> None:
        self._all = Attempts(burst=200, per_s=20)
        self._each = Attempts(burst=60, per_s=1)
        self._failures = Attempts(burst=10, per_s=1 / 60)

    def refusal_s(self, address: str, now: float) -> float:
        """Counts a request; seconds for which it and others like it are refused, 0 if it is heard."""
        site = site_of(address)
        waits = max(self._all.wait_s("", now), self._each.wait_s(site, now), self.failing_s(site, now))
        if not waits:
            self._all.count("", now)
            self._each.count(site, now)
        return waits

    def failing_s(self, name: str, now: float) -> float:
        """Seconds for which nothing more with this token, or of this site, is tried."""
        return self._failures.wait_s(name, now)

    def failed(self, address: str, now: float, token: str = "") -> None:
        """A request was refused. `token`: its digest, so that guesses at one from many addresses count together."""
        for name in filter(None, (site_of(address), token)):
            self._failures.count(name, now)


class Room:
    """Who is inside: `most` in all, `each` of one site."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._inside: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Whether there is room for one more; then it is inside until `leave`."""
        site = site_of(address)
        if self._inside.total() >= self._most or self._inside[site] >= self._each:
            return False
        self._inside[site] += 1
        return True

    def leave(self, address: str) -> None:
        self._inside -= Counter((site_of(address),))  # which forgets sites of which nobody is inside


def site_of(address: str) -> str:
    """Whoever has one IPv6 address has the 2**64 beside it, too."""
    ip = ip_of(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is None:
        return f"{IPv6Address(int(ip) >> _SITE_BITS << _SITE_BITS)}/{_SITE_BITS}"
    return str(ip.ipv4_mapped) if isinstance(ip, IPv6Address) else address
