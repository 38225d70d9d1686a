"""What goes wrong with a reply on its way, and what upsets the unit so that it does."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from simulator.modbus.settings import WireSettings
from simulator.wire_faults import Piece

FAST_WRITES_S = 0.2
UPSET_S = 1.5
"""Settings closer together than the first upset the control processor for about the second (5.2)."""


class Reply(msgspec.Struct, frozen=True):
    """`pdu` goes back to the master, None is silence; `damaged` asks for a wrong check sum."""

    pdu: ModbusPDU | None
    damaged: bool = False


def on_the_wire(reply: Reply, frame: Callable[[ModbusPDU], bytes], wire: WireSettings, now: float) -> tuple[Piece, ...]:
    """What a listener sends for this reply, if `frame` makes the bytes of a PDU on its wire."""
    if reply.pdu is None:
        return ()
    sound = frame(reply.pdu)
    refusal = b""
    if code := wire.faults.exception_code:
        refusal = frame(ExceptionResponse(reply.pdu.function_code & 0x7F, code))
    return wire.faults.pieces(sound, now, refusal=refusal)


class Faults:
    """The faults of one listener, as its settings order them."""

    def __init__(self, wire: WireSettings) -> None:
        self._wire = wire
        self._setting_written_at = float("-inf")
        self._upset_until = float("-inf")
        self._replies_while_upset = 0

    def swallows(self, *, write: bool) -> bool:
        """Whether this request will go unanswered; each one told so counts."""
        if self._wire.swallow > 0:
            self._wire.swallow -= 1
            return True
        if write and self._wire.swallow_writes > 0:
            self._wire.swallow_writes -= 1
            return True
        return False

    def setting_written(self, now: float) -> None:
        if self._wire.reset_on_fast_writes and now - self._setting_written_at < FAST_WRITES_S:
            self._upset_until = now + UPSET_S
        self._setting_written_at = now

    def spoil(self, reply: ModbusPDU, now: float) -> Reply:
        """The reply as it leaves: while upset, wrong check sums and stray ILLEGAL_ADDRESS by turns."""
        if now >= self._upset_until:
            return Reply(reply)
        self._replies_while_upset += 1
        if self._replies_while_upset % 2:
            return Reply(reply, damaged=True)
        return Reply(ExceptionResponse(reply.function_code & 0x7F, ExcCodes.ILLEGAL_ADDRESS))
