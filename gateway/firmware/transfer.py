"""What a transfer of an image by XMODEM may take, what became of it, and why it failed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.firmware.errors import FirmwareError


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one transfer; times in seconds.

    `max_s`: the whole of it. `quiet_s`: longest wait for the answer to a block or to the end; the release's facts name
    both. `start_s`: for the unit to ask for the first block. `lone_s`: a `C` with nothing behind it for so long is that
    request, any other is a letter of a banner. `settle_s`: wait for a second answer to a block that was sent more than
    once; longer than a block and its answer take on the line. `retries`: of one block. `banner_bytes`: most that come
    before the request. `checksum`: a unit that asks for blocks without CRC gets them.
    """

    max_s: float
    quiet_s: float
    start_s: float = 60.0
    lone_s: float = 0.1
    settle_s: float = 1.5
    retries: int = 10
    banner_bytes: int = 4096
    checksum: bool = False


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How far it came: `acknowledged` of `blocks`; `resent`: blocks that were sent once more.

    With all of them acknowledged the unit has the image, whether or not it answered to the end. The next transfer
    starts at block 1 all the same: XMODEM can't resume (gateway-ota.md A5).
    """

    blocks: int
    acknowledged: int = 0
    resent: int = 0


class Reason(StrEnum):
    """NO_START: the unit never asked for a block. CHECKSUM_ONLY: it asked for blocks without CRC, and that is not
    allowed. UNCONFIRMED: it has every block and did not answer to the end. TOO_SLOW: `max_s` went by. LINE: the port.
    """

    NO_START = "no_start"
    CHECKSUM_ONLY = "checksum_only"
    CANCELLED_BY_UNIT = "cancelled_by_unit"
    CANCELLED_BY_US = "cancelled_by_us"
    RETRIES = "retries"
    TOO_SLOW = "too_slow"
    UNCONFIRMED = "unconfirmed"
    LINE = "line"


class TransferFailed(FirmwareError):
    """`sent`: how far it came until then; what the unit makes of that, only asking it can tell."""

    def __init__(self, reason: Reason, sent: Sent, detail: str) -> None:
        super().__init__(f"{reason}: {detail} ({sent.acknowledged} of {sent.blocks} blocks acknowledged)")
        self.reason = reason
        self.sent = sent
        self.detail = detail
