"""Requests out of bytes: RTU by silences (AN176 4.2.2), TCP by MBAP headers. No port and no clock in here."""

from __future__ import annotations

import msgspec
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU

from simulator.modbus.settings import WireSettings

SILENCE_S = 0.035
"""A frame that is broken for this long is closed (AN176 4.2.2)."""

MAX_RTU_FRAME = 256
MAX_PDU = 253
"""Modbus application protocol 1.1b3, 4.1."""

BITS_A_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit (AN176 4.3)."""

_DECODER = DecodePDU(True)
_RTU = FramerRTU(_DECODER)
_SOCKET = FramerSocket(_DECODER)


class Request(msgspec.Struct, frozen=True):
    """One request to this unit; `ended_at` is the monotonic second at which its last byte was over."""

    pdu: bytes
    transaction: int = 0
    ended_at: float = 0.0


def rtu_frame(pdu: ModbusPDU, unit_id: int, *, damaged: bool = False) -> bytes:
    """The reply's bytes on the serial line; damaged ones have a wrong check sum."""
    pdu.dev_id = unit_id
    frame = _RTU.buildFrame(pdu)
    return frame[:-1] + bytes([frame[-1] ^ 0xFF]) if damaged else frame


def tcp_frame(pdu: ModbusPDU, unit_id: int, transaction: int) -> bytes:
    pdu.dev_id, pdu.transaction_id = unit_id, transaction
    return _SOCKET.buildFrame(pdu)


def wire_s(size: int, baud: int) -> float:
    """Seconds that so many bytes take at that speed; none at speed 0."""
    return size * BITS_A_BYTE / baud if baud else 0.0


class RtuReceiver:
    """Cuts a serial line's bytes into requests.

    A frame is what lies between two silences of 35 ms. One of a known function is taken as soon as it is
    complete; an unknown one has no known length, so silence ends it: call `silence` at `closes_at`. What is
    asked of another unit, or of all, is dropped without a word; so is damage, with all that follows up to the
    next silence.
    """

    def __init__(self, wire: WireSettings) -> None:
        self._wire = wire
        self._frame = bytearray()
        self._broken = False
        self._began_at = self._last_at = self._replied_at = float("-inf")

    @property
    def closes_at(self) -> float | None:
        """The monotonic second at which silence will end what has come so far; None if nothing is open."""
        return self._last_at + SILENCE_S if self._frame or self._broken else None

    def replied(self, now: float) -> None:
        """The last byte of our own reply is out: the gap before the next request counts from here."""
        self._replied_at = now

    def receive(self, data: bytes, now: float) -> list[Request]:
        """The requests that these bytes complete."""
        requests = self.silence(now)
        if not self._frame and not self._broken:
            self._began_at = now
            self._broken = now - self._replied_at < self._wire.require_gap_ms / 1000
        self._last_at = now
        self._frame += data
        while frame := self._take():
            requests += self._for_us(frame, now)
        if self._broken or len(self._frame) > MAX_RTU_FRAME:
            self._broken = True
            self._frame.clear()
        return requests

    def silence(self, now: float) -> list[Request]:
        """Close what is open if 35 ms have passed: a request if it was one of an unknown function."""
        if now - self._last_at < SILENCE_S:
            return []
        frame, self._broken = bytes(self._frame), False
        self._frame.clear()
        return self._for_us(frame, now) if _rtu_length(frame) == UNKNOWN and _sound(frame) else []

    def _take(self) -> bytes:
        """One complete, undamaged frame from the front; nothing if there is none."""
        length = _rtu_length(self._frame)
        if self._broken or length <= 0 or len(self._frame) < length:
            return b""
        frame = bytes(self._frame[:length])
        del self._frame[:length]
        self._broken = not _sound(frame)
        return b"" if self._broken else frame

    def _for_us(self, frame: bytes, now: float) -> list[Request]:
        ended_at = max(now, self._began_at + wire_s(len(frame), self._wire.baud))
        self._began_at = ended_at
        return [Request(frame[1:-2], ended_at=ended_at)] if frame[0] == self._wire.unit_id else []


UNKNOWN = -1
_FIXED_LENGTH = frozenset({3, 4, 6})
_WRITE_MANY = 16


def _rtu_length(frame: bytes | bytearray) -> int:
    """How long this frame will be: 0 if that can't be told yet, UNKNOWN if only silence will tell."""
    if len(frame) < 2:
        return 0
    if frame[1] in _FIXED_LENGTH:
        return 8
    if frame[1] != _WRITE_MANY:
        return UNKNOWN
    return 9 + frame[6] if len(frame) > 6 else 0


def _sound(frame: bytes) -> bool:
    return len(frame) >= 4 and FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))


class NotModbus(Exception):
    """The peer of a TCP session does not speak Modbus; the session has to end. `header` is what it sent."""

    def __init__(self, header: bytes) -> None:
        super().__init__(f"no Modbus header: {header.hex(' ')}")
        self.header = header


HEADER = 7
"""Bytes of an MBAP header with the unit id: transaction, protocol, length, unit."""


class MbapReceiver:
    """Cuts a TCP session's bytes into requests, in the order in which they came."""

    def __init__(self, wire: WireSettings) -> None:
        self._wire = wire
        self._bytes = bytearray()

    def receive(self, data: bytes) -> list[Request]:
        """The requests that these bytes complete; NotModbus on another protocol or an impossible length."""
        self._bytes += data
        requests = []
        while len(self._bytes) >= HEADER:
            header = bytes(self._bytes[:HEADER])
            length = int.from_bytes(header[4:6], "big")
            if header[2:4] != b"\0\0" or not 2 <= length <= MAX_PDU + 1:
                raise NotModbus(header)
            end = HEADER - 1 + length
            if len(self._bytes) < end:
                break
            pdu = bytes(self._bytes[HEADER:end])
            del self._bytes[:end]
            if header[6] == self._wire.unit_id:
                requests.append(Request(pdu, transaction=int.from_bytes(header[:2], "big")))
        return requests
