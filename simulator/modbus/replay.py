"""The Modbus server of a recorded unit: one that reads and refuses every write."""

from __future__ import annotations

from typing import Protocol

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse

from simulator.modbus.engine import Engine
from simulator.modbus.faults import Reply
from simulator.modbus.respond import READ, READ_INPUT, Responder, decode
from simulator.modbus.settings import WireSettings
from simulator.replay import RecordedRegisters


class ReplayResponder:
    """Answers as simulator.modbus.respond.Responder does; its listener's faults come on top."""

    def __init__(self, registers: RecordedRegisters) -> None:
        self._registers = registers

    def answer(self, request: bytes, now: float) -> Reply:
        """The reply to one request (function code and data) at the monotonic second `now`."""
        function = request[0]
        if function not in (READ, READ_INPUT):
            return Reply(ExceptionResponse(function, ExcCodes.ILLEGAL_FUNCTION))
        try:
            pdu = decode(request)
        except ValueError:
            return Reply(ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE))
        assert pdu is not None, "reads are served"
        words = self._registers.read(pdu.address, pdu.count, now)
        if words is None:
            return Reply(None)
        if isinstance(words, int):
            return Reply(ExceptionResponse(function, words))
        response = ReadHoldingRegistersResponse if function == READ else ReadInputRegistersResponse
        return Reply(response(registers=words))


class Answers(Protocol):
    """A unit's Modbus server, whatever stands behind it."""

    def answer(self, request: bytes, now: float) -> Reply: ...


Source = Engine | RecordedRegisters
"""What can be served: a unit that lives, or a recording."""


def responder_of(source: Source, wire: WireSettings) -> Answers:
    if isinstance(source, RecordedRegisters):
        return ReplayResponder(source)
    return Responder(source, wire)
