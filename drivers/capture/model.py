"""What a capture holds: who recorded it from what, and what the unit said at which moment.

Its text form is that of `drivers.capture.text`; docs/captures.md describes it for people.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

FIRST_LINE = "ridethrough-capture"
VERSION = 1
"""Raised when a reader of the older form would misread the newer."""

UNKNOWN = "unknown"
"""What a header says where nothing is known."""

STEP_LIMIT = 100_000
"""Most steps of a capture: more than a day of a reading a second."""
SAID_LIMIT = 2_000
"""Most things said in one step: NUT's richest driver names some 400 variables."""
TEXT_LIMIT = 1_024
"""Most characters of a reply or a value; a capability string has under 500 (ups-link.md 11)."""
NAME_LIMIT = 128
ADDRESSES = 1 << 16
READ_LIMIT = 125
"""Most registers of one read (Modbus application protocol 1.1b3, 6.3)."""
LAST_MS = 31 * 24 * 3600 * 1000
"""No capture lasts longer than a month."""


class Wire(StrEnum):
    """By its URL scheme, the wire that a capture comes from; REGISTERS where the file does not say."""

    MODBUS_TCP = "modbus+tcp"
    MODBUS_RTU = "modbus+rtu"
    UPSLINK = "upslink"
    NUT = "nut"
    NIS = "nis"
    REGISTERS = "registers"


class Registers(msgspec.Struct, frozen=True):
    """The answer to one read: words from `address` on."""

    address: int
    words: tuple[int, ...]


class Refusal(msgspec.Struct, frozen=True):
    """Modbus exception `code` to a read of `count` registers."""

    address: int
    count: int
    code: int


class Silence(msgspec.Struct, frozen=True):
    """A read that got no answer in time, or with `garbled` one that was not understood."""

    address: int
    count: int
    garbled: bool = False


class Reply(msgspec.Struct, frozen=True):
    """What UPS-Link said to the characters `asked`, without CR and LF; None is silence."""

    asked: str
    said: str | None


class Alert(msgspec.Struct, frozen=True):
    """An alert character of UPS-Link, which nobody asked for."""

    character: str


class Variable(msgspec.Struct, frozen=True):
    """What NUT or apcupsd calls by this name."""

    name: str
    value: str


Said = Registers | Refusal | Silence | Reply | Alert | Variable

SAID_ON: dict[Wire, tuple[type, ...]] = {
    **dict.fromkeys((Wire.MODBUS_TCP, Wire.MODBUS_RTU, Wire.REGISTERS), (Registers, Refusal, Silence)),
    Wire.UPSLINK: (Reply, Alert),
    **dict.fromkeys((Wire.NUT, Wire.NIS), (Variable,)),
}
"""What can be said on a wire."""


class Step(msgspec.Struct, frozen=True):
    """What was said from this moment on, in milliseconds after the start."""

    at_ms: int
    said: tuple[Said, ...]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`recorded_at` is when recording began; whole milliseconds. `url` names its place only if that was asked for.

    `unit` is the Modbus unit id; None on other wires.
    """

    made_by: str
    wire: Wire
    url: str
    recorded_at: datetime | None
    serials_kept: bool
    unit: int | None = None


class Capture(msgspec.Struct, frozen=True):
    """Steps in the order of their time."""

    header: Header
    steps: tuple[Step, ...]

    def words(self) -> dict[int, int]:
        """The last word that each register said."""
        return {
            address: word
            for step in self.steps
            for said in step.said
            if isinstance(said, Registers)
            for address, word in enumerate(said.words, said.address)
        }
