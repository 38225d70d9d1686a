"""Fixed headers of MQTT 3.1.1 (section 2.2): what a client may send, and how long it may be.

Read before a packet's body, so that nothing too long is ever held, and no body reaches a decoder in part.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cloud_bridge.broker.errors import BadPacket

CONNECT_BYTES = 8 * 1024
"""Of a client that is not admitted yet: names, and a will of some hundred bytes."""
CONTROL_BYTES = 4 * 1024
"""Of any packet but a PUBLISH: a SUBSCRIBE with 16 filters is under 2 KiB."""
HEADER_BYTES = 512
"""What a PUBLISH may be longer than its payload: topic and packet identifier."""
LENGTH_BYTES = 4
"""Most bytes of a remaining length (section 2.2.3)."""


class Kind(IntEnum):
    """Packets that a client may send here. QoS 2 is not spoken: nothing of ours uses it."""

    CONNECT = 1
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    UNSUBSCRIBE = 10
    PINGREQ = 12
    DISCONNECT = 14


_FLAGS = {Kind.SUBSCRIBE: 0b0010, Kind.UNSUBSCRIBE: 0b0010}
"""Reserved flags that are not 0 (table 2.2)."""
_EXACT = {Kind.PUBACK: 2, Kind.PINGREQ: 0, Kind.DISCONNECT: 0}
"""Remaining lengths that are fixed."""
_RETAIN, _QOS_SHIFT, _QOS_MASK = 0b0001, 1, 0b11


@dataclass(frozen=True, slots=True)
class Header:
    """First byte of a packet that may be sent here."""

    kind: Kind
    flags: int

    @property
    def qos(self) -> int:
        return (self.flags >> _QOS_SHIFT) & _QOS_MASK


def refusal(code: int) -> bytes:
    """A CONNACK that turns a client away (section 3.2)."""
    return bytes([0x20, 2, 0, code])


def read_header(byte: int) -> Header:
    """The first byte of a packet. Raises BadPacket."""
    number, flags = byte >> 4, byte & 0b1111
    try:
        kind = Kind(number)
    except ValueError:
        raise BadPacket(f"packet type {number} is not one that a client sends here") from None
    if kind is not Kind.PUBLISH and flags != _FLAGS.get(kind, 0):
        raise BadPacket(f"{kind.name} with reserved flags {flags:#06b}")
    header = Header(kind, flags)
    if kind is Kind.PUBLISH:
        _check_publish(header)
    return header


def _check_publish(header: Header) -> None:
    if header.qos > 1:
        raise BadPacket(f"PUBLISH with QoS {header.qos}: this broker speaks QoS 0 and 1")
    if header.flags & _RETAIN:
        raise BadPacket("PUBLISH with the retain flag: this broker retains nothing")


def read_length(encoded: bytes) -> int | None:
    """The remaining length, None while more bytes have to be read. Raises BadPacket after the fourth."""
    if encoded and not encoded[-1] & 0x80:
        return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(encoded))
    if len(encoded) >= LENGTH_BYTES:
        raise BadPacket("a remaining length of more than four bytes")
    return None


def check_length(kind: Kind, length: int, message_bytes: int) -> None:
    """Raises BadPacket if a body of `length` bytes is not to be read; `message_bytes`: the longest
    payload."""
    most = message_bytes + HEADER_BYTES if kind is Kind.PUBLISH else CONTROL_BYTES
    most = CONNECT_BYTES if kind is Kind.CONNECT else most
    if length > most:
        raise BadPacket(f"{kind.name} of {length} bytes: at most {most} are read")
    if kind in _EXACT and length != _EXACT[kind]:
        raise BadPacket(f"{kind.name} of {length} bytes: it has {_EXACT[kind]}")
