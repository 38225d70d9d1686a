"""From one request PDU to its reply, whatever carried it: what the unit's Modbus server does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from drivers.smartups.registers import Access, Register
from drivers.ups import Identity, Settings
from simulator.modbus.encode import Words
from simulator.modbus.engine import Engine, Write
from simulator.modbus.faults import Faults, Reply
from simulator.modbus.image import read, row_words
from simulator.modbus.settings import WireSettings
from simulator.modbus.values import Truth
from simulator.modbus.writes import BAD_VALUE, order_of, row_written
from simulator.orders import Answer, Order

READ, READ_INPUT, WRITE_ONE, WRITE_MANY = 3, 4, 6, 16
"""Function codes that a Smart-UPS serves; 4 is only mentioned in AN176, as another way to read."""


class Responder:
    """The Modbus server of one listener: its unit, its settings and its faults."""

    def __init__(self, engine: Engine, wire: WireSettings) -> None:
        self._engine = engine
        self._wire = wire
        self._faults = Faults(wire)
        self._before: tuple[Identity, Settings] | None = None
        self._settled_at = float("-inf")

    def answer(self, request: bytes, now: float) -> Reply:
        """Carry out one request (function code and data) at the monotonic second `now`."""
        swallowed = self._faults.swallows(write=request[0] in (WRITE_ONE, WRITE_MANY))
        reply = self._carry_out(request, now, answered=not swallowed)
        return Reply(None) if swallowed else self._faults.spoil(reply, now)

    def _carry_out(self, request: bytes, now: float, *, answered: bool) -> ModbusPDU:
        function = request[0]
        try:
            pdu = decode(request)
        except ValueError:
            return ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE)
        if pdu is None:
            return ExceptionResponse(function, ExcCodes.ILLEGAL_FUNCTION)
        if function in (WRITE_ONE, WRITE_MANY):
            return self._write(pdu, now, answered=answered)
        swaps = self._wire.faults.swaps_words(now)
        words = read(self._truth_shown(now), pdu.address, pdu.count, self._wire.personality, swaps=swaps)
        if isinstance(words, ExcCodes):
            return ExceptionResponse(function, words)
        response = ReadHoldingRegistersResponse if function == READ else ReadInputRegistersResponse
        return response(registers=words)

    def _truth(self) -> Truth:
        return Truth(self._engine.snapshot(), self._engine.identity(), self._engine.settings())

    def _truth_shown(self, now: float) -> Truth:
        """The truth but for settings written so lately that they do not read yet."""
        snapshot = self._wire.faults.shown(self._engine.snapshot(), now)
        if self._before is None or now >= self._settled_at:
            return Truth(snapshot, self._engine.identity(), self._engine.settings())
        return Truth(snapshot, *self._before)

    def _write(self, pdu: ModbusPDU, now: float, *, answered: bool) -> ModbusPDU:
        words = tuple(pdu.registers)
        row = row_written(pdu.address, len(words), self._truth())
        order, exception = self._obey(row, words, now)
        write = Write(
            function=pdu.function_code,
            address=pdu.address,
            words=words,
            order=order,
            exception=exception,
            answered=answered,
        )
        self._engine.record_command(write)
        if exception is not None:
            return ExceptionResponse(pdu.function_code, exception)
        return self._written(pdu, row)

    def _obey(self, row: Register | ExcCodes, words: Words, now: float) -> tuple[Order | None, int | None]:
        """The order that was given, and the exception it got; no exception if it was carried out."""
        if self._wire.read_only:
            return None, self._wire.read_only_code
        if isinstance(row, ExcCodes):
            return None, row
        if row.access is not Access.COMMAND:
            self._faults.setting_written(now)
        order = order_of(row, words, self._truth(), swap_1538=self._wire.swap_1538)
        if isinstance(order, ExcCodes):
            return None, self._exception(order)
        before = self._engine.identity(), self._engine.settings()
        refusal = _refusal(self._engine.order(order), row)
        if refusal is None and row.access is not Access.COMMAND:
            self._before, self._settled_at = before, now + self._wire.settle_ms / 1000
        return order, self._exception(refusal)

    def _exception(self, refusal: ExcCodes | None) -> int | None:
        return (self._wire.bad_value_code or None) if refusal is BAD_VALUE else refusal

    def _written(self, pdu: ModbusPDU, row: Register | ExcCodes) -> ModbusPDU:
        """FC 06 is answered with what the register then holds (AN176 3.3); a command is echoed (SMT-DOC)."""
        if pdu.function_code == WRITE_MANY:
            return WriteMultipleRegistersResponse(address=pdu.address, count=pdu.count)
        if isinstance(row, ExcCodes) or row.access is Access.COMMAND:
            return WriteSingleRegisterResponse(address=pdu.address, registers=pdu.registers)
        held = row_words(row, self._truth(), self._wire.personality)
        return WriteSingleRegisterResponse(address=pdu.address, registers=held)


def _refusal(answer: Answer, row: Register) -> ExcCodes | None:
    """A command that a model lacks is a value not implemented, a setting an address not applicable (5.2)."""
    if answer is Answer.ABSENT and row.access is not Access.COMMAND:
        return ExcCodes.ILLEGAL_ADDRESS
    return None if answer is Answer.TAKEN else BAD_VALUE


_REQUESTS: Mapping[int, type[ModbusPDU]] = MappingProxyType(
    {
        READ: ReadHoldingRegistersRequest,
        READ_INPUT: ReadInputRegistersRequest,
        WRITE_ONE: WriteSingleRegisterRequest,
        WRITE_MANY: WriteMultipleRegistersRequest,
    }
)
MAX_WRITTEN = 123
"""Most registers in one write (Modbus application protocol 1.1b3, 6.12)."""


def decode(request: bytes) -> ModbusPDU | None:
    """The request, None if its function is not served; ValueError for a count or a length that cannot be."""
    kind = _REQUESTS.get(request[0])
    if kind is None:
        return None
    if len(request) != _length(request):
        raise ValueError("length")
    pdu = kind()
    pdu.decode(request[1:])
    return pdu


def _length(request: bytes) -> int:
    """How long this request must be by what it says itself; -1 if it contradicts itself."""
    if request[0] != WRITE_MANY:
        return 5
    if len(request) < 6:
        return -1
    count, size = int.from_bytes(request[3:5], "big"), request[5]
    return 6 + size if size == 2 * count and 1 <= count <= MAX_WRITTEN else -1
