"""What is looked at before an upgrade may go on, how new it has to be, and which readings are in a row."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from drivers.ups import Identity
from gateway.firmware.hindrance import Hindrance, failing
from gateway.firmware.topology import Rules, Topology
from gateway.preconditions import Track
from gateway.readings import is_full
from gateway.wire.firmware import Facts, FirmwareOrder
from gateway.wire.health import Host
from gateway.wire.messages import Clock, Instant, Stamp

READ_WITHIN_S = 1.0
IDENTITY_WITHIN_S = 2.0
"""S3: the serial number is read again within so long before any command."""

POLLS, POLLS_OVER_S = 3, 60.0
"""So many readings in a row, the last so long after the first, before a unit is reserved."""
POLL_GAP_S = 60.0
"""Readings further apart are not in a row."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The last frames of the line to the unit, FRAMES at most: how many, and how many of them were bad or missing."""

    frames: int
    bad: int


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read at one moment. Times ending in `_s` are of the stamps' monotonic clock in the boot `boot`.

    `track.seen_s` is when the reading was asked for, not when it was answered. `identity`: as read at `identity_s`.
    `counter`: the highest release counter that any unit of its hardware id was brought to by this gateway. `floor`: the
    lowest that the repository allows it.
    """

    boot: str
    track: Track | None = None
    identity: Identity | None = None
    identity_s: float | None = None
    peers: Mapping[str, Track | None] = MappingProxyType({})
    link: Link | None = None
    host: Host = Host()
    counter: int = 0
    floor: int = 0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a check may look at. `built_at`: no right clock shows less."""

    order: FirmwareOrder
    facts: Facts
    readings: Readings
    now: Stamp
    topology: Topology = Topology()
    rules: Rules = Rules()
    built_at: Instant = 0

    @property
    def now_s(self) -> float:
        return self.now.mono / 1000


def clock_is_trusted(now: Stamp, order: FirmwareOrder, facts: Facts, built_at: Instant) -> bool:
    """Kept right, and not before what is known to have been signed or built (A3)."""
    return now.clock == Clock.SYNCHRONISED and now.at >= max(order.issued_at, facts.issued_at, built_at)


def in_a_row(polls: tuple[float, ...], seen_s: float) -> tuple[float, ...]:
    """The times of readings in a row, with one more; the same reading twice counts once."""
    if polls and seen_s <= polls[-1]:
        return polls
    return (*polls, seen_s) if polls and seen_s - polls[-1] <= POLL_GAP_S else (seen_s,)


def enough(polls: tuple[float, ...]) -> bool:
    return len(polls) >= POLLS and polls[-1] - polls[0] >= POLLS_OVER_S


def fresh(readings: Readings, now: Stamp) -> Track | None:
    """The reading, if it is of this boot, whole and new enough."""
    track = readings.track
    if track is None or readings.boot != now.boot or not is_full(track.snapshot):
        return None
    return track if 0 <= now.mono / 1000 - track.seen_s <= READ_WITHIN_S else None


def said_now(readings: Readings, now: Stamp) -> Identity | None:
    """Who the unit says it is, if it said so just now."""
    if readings.identity_s is None or readings.boot != now.boot:
        return None
    return readings.identity if 0 <= now.mono / 1000 - readings.identity_s <= IDENTITY_WITHIN_S else None


def unread(look: Look) -> Hindrance:
    track = look.readings.track
    if track is None or look.readings.boot != look.now.boot:
        value = "never in this boot"
    elif not is_full(track.snapshot):
        value = "in part only"
    else:
        value = f"{look.now_s - track.seen_s:.3f} s ago"
    return failing("unit_not_read", "the unit was read", value, f"all of it, at most {READ_WITHIN_S:g} s ago")
