"""Words of a firmware upgrade (gateway-ota.md A3): what is signed offline of an image, and the orders that start it.

`Facts` are the `custom` part of a TUF target. The vendor's files are encrypted, so they say no more than this: somebody
got exactly these bytes from the vendor and approved them for these hardware ids.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from gateway.wire import limits
from gateway.wire.messages import Instant, Message, ShortText
from gateway.wire.orders import By, Nonce

ORDER = "ridethrough-firmware-order/1"
GO = "ridethrough-firmware-go/1"
"""Type strings of the envelopes."""

SCHEMA = 1

GO_S = 300
"""A go is good for so long at most: what a halt promises (A3)."""

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SHA-256 in hexadecimal digits."""

HardwareId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,32}\Z")]
"""As `firmware_versions.hardware_id` says it of a unit: `18` (product id, register 512), `upslink-50` (UPS-Link)."""

TargetPath = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,32}/[A-Za-z0-9._-]{1,96}\Z")]
"""Of a target in the repository: HARDWARE_ID/FILE, or reissue/FILE."""

VersionText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){0,3}\Z")]
"""A version without its family's prefix: `15.5`."""

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=86_400)]


class OutputMode(StrEnum):
    """What becomes of the load while the unit is being upgraded (smartconnect.md "Firmware").

    OFF: the output is off. ON_UNPROTECTED: mains go straight to the load, without regulation or battery; if they fail,
    the load loses power at once. ON_PROTECTED: the unit protects the load all the while.
    """

    OFF = "off"
    ON_UNPROTECTED = "on_unprotected"
    ON_PROTECTED = "on_protected"


class Method(StrEnum):
    XMODEM_1K = "xmodem-1k"
    XMODEM_CRC = "xmodem-crc"


class Image(Message, frozen=True, kw_only=True):
    """`chunk`: bytes of each chunk but the last; `chunks`: their digests, in order."""

    size: Annotated[int, msgspec.Meta(ge=1, le=limits.FIRMWARE_BYTES)]
    sha256: Digest
    chunk: Annotated[int, msgspec.Meta(ge=limits.CHUNK_LEAST, le=limits.CHUNK_MOST)]
    chunks: Annotated[tuple[Digest, ...], msgspec.Meta(min_length=1, max_length=limits.CHUNKS)]


class Transfer(Message, frozen=True, kw_only=True):
    """`max_s`: the whole of it. `quiet_s`: longest silence of the unit, as while it erases."""

    method: Method = Method.XMODEM_1K
    max_s: Annotated[int, msgspec.Meta(ge=1, le=14_400)] = 1800
    quiet_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60


class VersionRange(Message, frozen=True, kw_only=True):
    """Both ends are in it."""

    lowest: VersionText
    highest: VersionText


class Before(Message, frozen=True, kw_only=True):
    """What has to hold before the unit is told to enter its boot loader (A5); mains and freshness are no settings."""

    charge_pct: Percent = 90
    runtime_s: Seconds = 900
    load_pct: Percent = 80
    mains_stable_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 900


class After(Message, frozen=True, kw_only=True):
    """`boot_s`: longest start of the new version. `settle_s`: how long it has to read sane."""

    boot_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 120
    settle_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60


class Recover(Message, frozen=True, kw_only=True):
    """`same_image`: how often a transfer that broke is begun again. `fallback`: target sent after that, if any."""

    same_image: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    fallback: TargetPath | None = None


class Facts(Message, frozen=True, kw_only=True):
    """What a release is and where it may go.

    `release_counter`: never lower than what a unit was brought to before (A3, anti-rollback). `from_versions`: those it
    may be put on; `step_before`: the target that any other has to get first. `output`: modes that the model allows.
    `reissues`: digest of the older image that this is anew; such a target is under `reissue/`, whose role has a
    threshold of 2. `source_sha256`: of the vendor's file, as it was got.
    """

    schema: Annotated[int, msgspec.Meta(ge=1, le=SCHEMA)] = SCHEMA
    hardware_ids: Annotated[tuple[HardwareId, ...], msgspec.Meta(min_length=1, max_length=16)]
    version: VersionText
    release_counter: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    from_versions: Annotated[tuple[VersionRange, ...], msgspec.Meta(min_length=1, max_length=16)]
    step_before: TargetPath | None = None
    image: Image
    transfer: Transfer = Transfer()
    output: Annotated[tuple[OutputMode, ...], msgspec.Meta(min_length=1, max_length=3)]
    before: Before = Before()
    after: After = After()
    recover: Recover = Recover()
    reissues: Digest | None = None
    notes: Annotated[str, msgspec.Meta(max_length=2048)] = ""
    source_sha256: Digest | None = None
    issued_at: Instant


class FirmwareOrder(Message, frozen=True, kw_only=True):
    """One target for one unit, signed by the cloud and by an operator (S9: it cuts output).

    `accept_unprotected`: whoever asked for it knows that the load has no battery meanwhile. `load_is_down`: says so.
    `begin_at`, `end_at`: the window in which the unit may enter its boot loader.
    """

    id: Nonce
    gateway: ShortText
    unit: ShortText
    serial: ShortText
    target: TargetPath
    sha256: Digest
    output: OutputMode
    accept_unprotected: bool = False
    load_is_down: bool = False
    by: By
    campaign: ShortText = ""
    issued_at: Instant
    begin_at: Instant
    end_at: Instant
    challenge: Nonce | None = None


class Go(Message, frozen=True, kw_only=True):
    """Leave to enter now, signed by the cloud. `order`: id of the order; `challenge`: one of this gateway's, for it.

    Good from the challenge for `lease_s` by the gateway's monotonic clock.
    """

    id: Nonce
    order: Nonce
    gateway: ShortText
    serial: ShortText
    target: TargetPath
    sha256: Digest
    challenge: Nonce
    issued_at: Instant
    lease_s: Annotated[int, msgspec.Meta(ge=1, le=GO_S)] = GO_S
