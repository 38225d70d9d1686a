"""What the gateway shows of itself on the spot, without any cloud: one value, made afresh for each look."""

from __future__ import annotations

from datetime import datetime

import msgspec

from drivers.ups import Identity, Snapshot
from gateway.wire.health import Host, OutboxHealth
from gateway.wire.messages import Stamp
from gateway.wire.outage import OutageBody


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
