"""What the gateway shows of itself on the spot, without any cloud: one value, made afresh for each look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from drivers.ups import Identity, Snapshot, clean_text
from gateway.wire.health import Host, OutboxHealth
from gateway.wire.messages import Stamp
from gateway.wire.outage import OutageBody

STALE_S = 60.0
"""A reading this old is shown as such, whatever the unit's pace."""


class UnitSight(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit as it was read last; `answered_at` says how old that is. None: not known (yet).

    `conditions`: types of the events whose condition goes on. `trouble`: why the last poll failed. `stranger`: serial
    number of another unit that answers in its place (S3). `fast_s`: seconds between two polls now.
    """

    name: str
    url: str
    fast_s: float
    snapshot: Snapshot | None = None
    identity: Identity | None = None
    answered_at: datetime | None = None
    trouble: str = ""
    stranger: str | None = None
    conditions: tuple[str, ...] = ()


class CloudLink(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The uplink: `url`, whether the cloud answers, since when (UTC), and what was in the way last."""

    url: str
    connected: bool
    since_at: datetime | None = None
    trouble: str = ""


class UnitOutage(msgspec.Struct, frozen=True, kw_only=True):
    """An outage that the black box kept, and whose."""

    unit: str
    outage: OutageBody


class GatewayView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it. `warnings`: sentences about what is wrong with the gateway itself."""

    gateway: str
    version: str
    stamp: Stamp
    running_s: float
    cloud: CloudLink
    outbox: OutboxHealth
    host: Host
    units: tuple[UnitSight, ...] = ()
    outages: tuple[UnitOutage, ...] = ()
    certificate_days_left: float | None = None
    warnings: tuple[str, ...] = ()


def note(unit: UnitSight) -> str:
    """What is wrong with a unit, in one line."""
    said = [each.replace("_", " ") for each in unit.conditions]
    if unit.stranger is not None:
        said.append(f"another unit answers here: {clean_text(unit.stranger)}")
    if unit.trouble:
        said.append(clean_text(unit.trouble, 200))
    return "; ".join(said)


def span(seconds: float) -> str:
    """A duration in the two largest units it has: `1 d 3 h`, `5 min 20 s`, `3 s`."""
    said: list[str] = []
    left = round(max(0.0, seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or said:
            said.append(f"{count} {unit}")
    return " ".join(said[:2]) or "0 s"


def instant(ms: int) -> datetime:
    """UTC milliseconds as an aware instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def age_s(at: datetime, now: datetime) -> float:
    return (now - at).total_seconds()
