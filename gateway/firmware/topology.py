"""What only the owner of a gateway can say of an upgrade: where its power comes from, and what may happen to a load."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Supply(StrEnum):
    """Where something gets its power, seen from the unit that is upgraded.

    UPSTREAM: from the mains before it, or from another unit. OWN_BATTERY: it has one. DOWNSTREAM: from that unit's
    outlets, so it loses power with them.
    """

    UPSTREAM = "upstream"
    OWN_BATTERY = "own_battery"
    DOWNSTREAM = "downstream"
    UNKNOWN = "unknown"


class Topology(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one unit. `uplink`: whatever the gateway's way to the cloud runs through, as a switch and a modem."""

    gateway: Supply = Supply.UNKNOWN
    uplink: Supply = Supply.UNKNOWN


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gateway allows beside the order: an upgrade with the output off, or with a load that has no battery."""

    allow_output_off: bool = False
    allow_unprotected: bool = False
