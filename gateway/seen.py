"""A believed reading, as it is handed to whoever watches a unit beside its poller."""

from __future__ import annotations

import msgspec

from drivers.ups import Identity, Snapshot
from gateway.wire.messages import Stamp


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """`full`: measurements are as new as the state. `stamp`: when it was read, by all clocks."""

    unit: str
    snapshot: Snapshot
    full: bool
    identity: Identity | None
    stamp: Stamp
