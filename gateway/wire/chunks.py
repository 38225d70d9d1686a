"""An image on MQTT, chunk by chunk (gateway-ota.md A4): what a gateway asks for, and the frame each chunk comes in.

    up/firmware           QoS 1   ChunksWanted
    down/firmware         QoS 1   ChunksRefused
    down/firmware/chunk   QoS 0   a frame: transfer u32, index u32, length u32, CRC-32 u32 (big-endian), then the data

The length has 32 bits because 64 KiB, a chunk's most, is one more than 16 hold. The CRC is zlib's CRC-32 over the
twelve bytes before it and the data: it is in Python itself, as CRC-32C is not, and it has only to tell damage from a
lie; what a chunk may be is decided by its signed SHA-256.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec

from gateway.wire import limits
from gateway.wire.errors import Malformed, TooLarge
from gateway.wire.firmware import Digest
from gateway.wire.messages import Message

WINDOW_MOST = 32
"""Most chunks that one request may bring."""

BITMAP_BYTES = limits.CHUNKS // 8

BUSY_S = 3600
"""Longest that a bridge may put a gateway off."""

_HEAD = struct.Struct(">III")
_CRC = struct.Struct(">I")
HEAD_BYTES = _HEAD.size + _CRC.size
FRAME_BYTES = HEAD_BYTES + limits.CHUNK_MOST

TRANSFERS = 2**32
"""So many transfer ids there are."""

TransferId = Annotated[int, msgspec.Meta(ge=0, lt=TRANSFERS)]


class ChunksWanted(Message, frozen=True, kw_only=True):
    """Send the first `window` chunks of those missing, each `chunk` bytes of the image `sha256` but the last.

    `transfer` comes back with each. `missing`: a bitmap as `packed` makes it, chunks that are under way left out.
    """

    transfer: TransferId
    sha256: Digest
    chunk: Annotated[int, msgspec.Meta(ge=limits.CHUNK_LEAST, le=limits.CHUNK_MOST)]
    missing: Annotated[bytes, msgspec.Meta(min_length=1, max_length=BITMAP_BYTES)]
    window: Annotated[int, msgspec.Meta(ge=1, le=WINDOW_MOST)]


class Why(StrEnum):
    """GONE: there is no such image (any more). CANCELLED: it is no longer meant for this gateway. BUSY: later."""

    GONE = "gone"
    CANCELLED = "cancelled"
    BUSY = "busy"


class ChunksRefused(Message, frozen=True, kw_only=True):
    """Nothing comes of a request. `after_s`: when to ask again, if BUSY."""

    transfer: TransferId
    why: Why
    after_s: Annotated[int, msgspec.Meta(ge=0, le=BUSY_S)] = 0


class Frame(msgspec.Struct, frozen=True):
    """One chunk as it travels."""

    transfer: int
    index: int
    data: bytes


def pack(frame: Frame) -> bytes:
    head = _HEAD.pack(frame.transfer, frame.index, len(frame.data))
    return head + _CRC.pack(_crc(head, frame.data)) + frame.data


def unpack(payload: bytes) -> Frame:
    """Raises TooLarge or Malformed, nothing else, whatever the bytes."""
    if len(payload) > FRAME_BYTES:
        raise TooLarge(f"chunk frame of {len(payload)} bytes, {FRAME_BYTES} are allowed")
    if len(payload) <= HEAD_BYTES:
        raise Malformed(f"chunk frame of {len(payload)} bytes; the shortest has {HEAD_BYTES + 1}")
    head, data = payload[: _HEAD.size], payload[HEAD_BYTES:]
    transfer, index, length = _HEAD.unpack(head)
    if length != len(data):
        raise Malformed(f"chunk frame says {length} bytes of data and has {len(data)}")
    if index >= limits.CHUNKS:
        raise Malformed(f"chunk {index}: an image has at most {limits.CHUNKS}")
    if _CRC.unpack_from(payload, _HEAD.size)[0] != _crc(head, data):
        raise Malformed("chunk frame is damaged: its CRC-32 is another")
    return Frame(transfer, index, data)


def packed(bits: int) -> bytes:
    """A bitmap's bytes: chunk i is bit i % 8, the lowest first, of byte i // 8; zeros at the end are left off."""
    return bits.to_bytes(max(1, (bits.bit_length() + 7) // 8), "little")


def unpacked(bitmap: bytes) -> int:
    """The bitmap with chunk i as bit i."""
    return int.from_bytes(bitmap, "little")


def ones(bits: int) -> Iterator[int]:
    """The chunks of a bitmap, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _crc(head: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(head))
