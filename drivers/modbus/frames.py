"""Requests to bytes and bytes to answers. pymodbus's PDUs and framers make and read them; what counts as the
answer is decided here.

Frames: Modbus over serial line 1.02, section 2.5; Modbus messaging on TCP/IP 1.0b, section 3.1.3.
"""

from __future__ import annotations

import msgspec
from pymodbus.framer.rtu import FramerRTU
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

READ_LIMIT = 125
"""Most registers of one read (Modbus application protocol 1.1b3, 6.3)."""
MBAP_LENGTH_LIMIT = 254
"""Most bytes that an MBAP header may announce: unit id and 253 bytes of PDU."""
MBAP_BYTES = 7
EXCEPTION_BYTES = 5


class Read(msgspec.Struct, frozen=True):
    """Function 3."""

    address: int
    count: int

    @property
    def function(self) -> int:
        return 3


class Write(msgspec.Struct, frozen=True):
    """Function 6 for one register, whose answer shows the value after the write; 16 for more."""

    address: int
    words: tuple[int, ...]

    @property
    def function(self) -> int:
        return 6 if len(self.words) == 1 else 16


Request = Read | Write


class Reply(msgspec.Struct, frozen=True):
    """The answer: registers of a read; of function 6 the value after the write; of function 16 none."""

    words: tuple[int, ...]


class Refusal(msgspec.Struct, frozen=True):
    """A Modbus exception, well framed."""

    code: int


class Odd(msgspec.Struct, frozen=True):
    """Bytes that are not the answer. `bad_crc` tells noise from a foreign frame."""

    why: str
    bad_crc: bool = False


Verdict = Reply | Refusal | Odd

_DECODER = DecodePDU(False)
_RTU = FramerRTU(_DECODER)
_SOCKET = FramerSocket(_DECODER)


def _pdu(request: Request, unit: int, transaction: int) -> ModbusPDU:
    if isinstance(request, Read):
        return ReadHoldingRegistersRequest(
            dev_id=unit, transaction_id=transaction, address=request.address, count=request.count
        )
    kind = WriteSingleRegisterRequest if request.function == 6 else WriteMultipleRegistersRequest
    return kind(dev_id=unit, transaction_id=transaction, address=request.address, registers=list(request.words))


def rtu_frame(request: Request, unit: int) -> bytes:
    return _RTU.buildFrame(_pdu(request, unit, 0))


def tcp_frame(request: Request, unit: int, transaction: int) -> bytes:
    return _SOCKET.buildFrame(_pdu(request, unit, transaction))


def rtu_reply_bytes(request: Request) -> int:
    """Length of the whole answer on a serial line."""
    return 5 + 2 * request.count if isinstance(request, Read) else 8


def read_rtu(data: bytes, request: Request, unit: int) -> Verdict | None:
    """What all the bytes since the request are; None while more must come.

    Anything before, after or instead of the one expected frame makes them odd: on a serial line nothing else
    tells a late answer from the right one.
    """
    if data[:1] and data[0] != unit:
        return Odd(f"from unit {data[0]}")
    if len(data) < 2:
        return None
    if data[1] not in (request.function, request.function | 0x80):
        return Odd(f"function {data[1]} for {request.function}")
    size = EXCEPTION_BYTES if data[1] & 0x80 else rtu_reply_bytes(request)
    if isinstance(request, Read) and not data[1] & 0x80 and len(data) > 2 and data[2] != size - 5:
        return Odd(f"{data[2]} bytes of data for {size - 5}")
    if len(data) < size:
        return None
    if len(data) > size:
        return Odd(f"{len(data) - size} bytes too many")
    used, _, _, body = _RTU.decode(data)
    if used != size or not body:
        return Odd("wrong checksum", bad_crc=True)
    return _verdict(body, request)


class Frame(msgspec.Struct, frozen=True):
    """One frame of a TCP stream: `used` bytes; `verdict` None for one that belongs to another transaction or
    unit.
    """

    used: int
    verdict: Verdict | None


def read_tcp(data: bytes, request: Request, unit: int, transaction: int) -> Frame | None:
    """The first frame in `data`; None while more must come. `used` 0 means that the stream can't be trusted
    any more.
    """
    if len(data) < MBAP_BYTES:
        return None
    length = int.from_bytes(data[4:6], "big")
    if data[2:4] != b"\0\0" or not 3 <= length <= MBAP_LENGTH_LIMIT:
        return Frame(0, Odd("not a Modbus TCP header"))
    size = length + 6
    if len(data) < size:
        return None
    used, found_unit, found_transaction, body = _SOCKET.decode(data[:size])
    if found_transaction != transaction or found_unit != unit:
        return Frame(used, None)
    return Frame(used, _verdict(body, request))


def _verdict(body: bytes, request: Request) -> Verdict:
    """Function code, then data, the checksum already right."""
    if body[0] == request.function | 0x80:
        return Refusal(body[1]) if len(body) == 2 else Odd("an exception of the wrong length")
    if body[0] != request.function:
        return Odd(f"function {body[0]} for {request.function}")
    expected = rtu_reply_bytes(request) - 3
    if len(body) != expected or (isinstance(request, Read) and body[1] != 2 * request.count):
        return Odd(f"{len(body)} bytes for {expected}")
    pdu = _DECODER.decode(body)
    if pdu is None:
        return Odd("undecodable")
    if isinstance(request, Read):
        return Reply(tuple(pdu.registers))
    if pdu.address != request.address:
        return Odd(f"for register {pdu.address}, not {request.address}")
    if request.function == 6:
        return Reply(tuple(pdu.registers))
    return Reply(()) if pdu.count == len(request.words) else Odd(f"{pdu.count} registers written")
