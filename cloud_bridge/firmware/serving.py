"""Which chunks a gateway gets for a request (gateway-ota.md A4). Pure.

Nothing is kept of a transfer: a request says all. What is kept is how much each gateway and all of them had, since the
acknowledgements of their events share the line.
"""

from __future__ import annotations

import math
from itertools import islice

import msgspec

from cloud_bridge.broker.allowance import Bucket
from gateway.wire import chunks
from gateway.wire.chunks import ChunksRefused, ChunksWanted, Why, ones

GATEWAYS = 4096
"""Most buckets that are kept; a full one says nothing that a new one does not."""


class Rate(msgspec.Struct, frozen=True):
    """Bytes a second, and how many at once."""

    per_s: float
    burst: float


GATEWAY = Rate(512 * 1024, 2 * 1024 * 1024)
BRIDGE = Rate(4 * 1024 * 1024, 16 * 1024 * 1024)
"""Of one gateway, and of all. One request, which is at most 2 MiB, may overdraw either; who comes then is put off."""


class Send(msgspec.Struct, frozen=True):
    """Chunks to be sent, in this order; none if the gateway asks for what the image does not have."""

    indexes: tuple[int, ...]


class Rates:
    """What gateways may have, filled by the time that is handed in (monotonic seconds)."""

    def __init__(self, now: float, gateway: Rate = GATEWAY, bridge: Rate = BRIDGE) -> None:
        self._rate = gateway
        self._bridge = Bucket.full(bridge.burst, bridge.per_s, now)
        self._gateways: dict[str, Bucket] = {}

    def debt_s(self, gateway: str, now: float) -> float:
        """Seconds until this gateway may have anything; 0: now."""
        bucket = self._gateways.get(gateway)
        own_s = bucket.debt_s(now) if bucket else 0.0
        return max(own_s, self._bridge.debt_s(now))

    def take(self, gateway: str, count: int, now: float) -> None:
        if gateway not in self._gateways and len(self._gateways) >= GATEWAYS:
            self._forget(now)
        bucket = self._gateways.setdefault(gateway, Bucket.full(self._rate.burst, self._rate.per_s, now))
        bucket.take(count, now)
        self._bridge.take(count, now)

    def _forget(self, now: float) -> None:
        """Buckets that have filled up again, or all but those in debt."""
        kept = {name: bucket for name, bucket in self._gateways.items() if bucket.debt_s(now) > 0}
        self._gateways = dict(islice(kept.items(), GATEWAYS // 2))


def judge(rates: Rates, gateway: str, wanted: ChunksWanted, size: int | None, now: float) -> Send | ChunksRefused:
    """What becomes of a request for an image of `size` bytes; None if there is none of this digest."""
    if size is None:
        return ChunksRefused(transfer=wanted.transfer, why=Why.GONE)
    debt_s = rates.debt_s(gateway, now)
    if debt_s > 0:
        after_s = min(chunks.BUSY_S, math.ceil(debt_s))
        return ChunksRefused(transfer=wanted.transfer, why=Why.BUSY, after_s=after_s)
    indexes = chosen(wanted, size)
    rates.take(gateway, sum(_length(wanted.chunk, index, size) for index in indexes), now)
    return Send(indexes)


def chosen(wanted: ChunksWanted, size: int) -> tuple[int, ...]:
    """The first of those missing that the image has."""
    there = (index for index in ones(chunks.unpacked(wanted.missing)) if index * wanted.chunk < size)
    return tuple(islice(there, wanted.window))


def _length(chunk: int, index: int, size: int) -> int:
    return min(chunk, size - index * chunk) + chunks.HEAD_BYTES
