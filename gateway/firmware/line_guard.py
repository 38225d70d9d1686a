"""What a byte from an XMODEM receiver means, and when it is told to stop; the xmodem package alone takes a second `C`
in mid-transfer for a refusal, ignores CAN CAN there and begins without CRC at a NAK.
"""

from __future__ import annotations

from enum import Enum, auto

from gateway.firmware.transfer import Reason

EOT, ACK, NAK, CAN, CRC = b"\x04", b"\x06", b"\x15", b"\x18", b"C"

PAD = b"\x1a"
"""Fills the last block."""

CANCEL = CAN + CAN

EOT_RETRIES = 2
"""A receiver may answer the first EOT with a NAK, and one may be lost on the line. Not more: the unit that has the
image may be starting it by now, and what it would read then is not an EOT.
"""


class Phase(Enum):
    """START: no block was sent. BLOCKS: one was. END: EOT was."""

    START = auto()
    BLOCKS = auto()
    END = auto()


class Meaning(Enum):
    BEGIN = auto()
    BEGIN_CHECKSUM = auto()
    TAKEN = auto()
    AGAIN = auto()
    CANCELLED = auto()
    NOISE = auto()


REQUESTS = (Meaning.BEGIN, Meaning.BEGIN_CHECKSUM)
ANSWERS = (Meaning.TAKEN, Meaning.AGAIN)

_TO_WRITES = {ACK: Meaning.TAKEN, NAK: Meaning.AGAIN}
_MEANINGS = {
    Phase.START: {CRC: Meaning.BEGIN, NAK: Meaning.BEGIN_CHECKSUM},
    Phase.BLOCKS: _TO_WRITES,
    Phase.END: _TO_WRITES,
}


def meaning(byte: bytes, before: bytes, phase: Phase) -> Meaning:
    """Of `byte`, which came right after the byte `before`. One CAN alone is noise on the line."""
    if byte == before == CAN:
        return Meaning.CANCELLED
    return _MEANINGS[phase].get(byte, Meaning.NOISE)


def tells_unit(reason: Reason, phase: Phase, has_begun: bool) -> bool:
    """Whether CAN CAN is written when we give up for this reason.

    `has_begun`: the unit asked for a block; before that, only our own wish to stop is told to whatever is there. After
    EOT there is nothing left to cancel.
    """
    if phase is Phase.END or reason in (Reason.CANCELLED_BY_UNIT, Reason.LINE):
        return False
    return has_begun or reason is Reason.CANCELLED_BY_US
