"""What comes of looking at a firmware repository's metadata: facts that are proven, or why they are not."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from gateway.wire.errors import WireError
from gateway.wire.firmware import Facts


class Distrust(StrEnum):
    ROOT = "root"  # the pinned root itself can't be used
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_FILE = "unknown_file"
    MISSING = "missing"
    SIGNATURE = "signature"
    VERSION = "version"  # it goes back, or is not the one that was announced
    EXPIRED = "expired"
    DIGEST = "digest"
    NO_SUCH_TARGET = "no_such_target"
    FACTS = "facts"
    STORE = "store"  # what was trusted before can't be read
    NOT_LOOKED_AT = "not_looked_at"


class NotTrusted(WireError):
    """`what` says why in a sentence."""

    def __init__(self, reason: Distrust, what: str) -> None:
        super().__init__(what)
        self.reason = reason


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A release as the repository's keys signed it.

    `versions`: of each role's metadata that it stands on. `floors`: lowest release counter, by hardware id.
    `clock_trusted`: whether expiry was judged by the clock; if not, by `judged_at` (UTC milliseconds), the newest of
    when this program was built and when the newest release was issued.
    """

    path: str
    facts: Facts
    versions: Mapping[str, int]
    floors: Mapping[str, int]
    clock_trusted: bool
    judged_at: int
