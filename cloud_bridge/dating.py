"""When a record was made whose gateway's clock was not set yet. Pure.

A CLOCK record says what time it was, and how long the machine had been running: whatever the same boot wrote before it
is as much older as its `mono` is smaller. What the record itself said stays beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway.wire.messages import Clock, Stamp

MAX_ANCHORS = 256
"""Most that are remembered of one boot: how often a clock is set is its gateway's choice, and each dates records."""


class Anchor(msgspec.Struct, frozen=True):
    """At `mono` milliseconds after the boot it was `at`, UTC milliseconds."""

    at: int
    mono: int


def anchor_of(stamp: Stamp) -> Anchor | None:
    """What a CLOCK record's stamp is good for: nothing, unless its clock was right and it names its boot."""
    return Anchor(stamp.at, stamp.mono) if stamp.clock == Clock.SYNCHRONISED and stamp.boot else None


def needs_dating(stamp: Stamp) -> bool:
    return stamp.clock != Clock.SYNCHRONISED


def dated_at(stamp: Stamp, anchors: Iterable[Anchor]) -> int | None:
    """When it was, by the first of its boot's anchors that is not older; None if there is none, or no such time."""
    after = [anchor for anchor in anchors if anchor.mono >= stamp.mono]
    if not after or not needs_dating(stamp):
        return None
    anchor = min(after, key=lambda each: each.mono)
    at = anchor.at - (anchor.mono - stamp.mono)
    return at if at >= 0 else None


def reach(anchor: Anchor, others: Sequence[Anchor]) -> int:
    """The anchor dates what its boot wrote after this `mono`; what is older is an earlier anchor's. -1: all."""
    return max((other.mono for other in others if other.mono < anchor.mono), default=-1)
