"""From values to register words, by row of the register map (apc-modbus.md section 4)."""

from __future__ import annotations

from datetime import date
from math import floor

from drivers.smartups.registers import Absent, Kind, Register

Value = int | float | str | date
Words = tuple[int, ...]

EPOCH = date(2000, 1, 1)
"""Day 0 of a date register (AN176)."""

_SKU_PADDED = 16


def words_of(raw: int, count: int) -> Words:
    """`raw` as `count` registers in two's complement, the most significant word first (AN176 1.3.1)."""
    return tuple(raw >> 16 * i & 0xFFFF for i in reversed(range(count)))


def scale(value: float, divisor: int) -> int:
    """value * divisor, rounded half up on the magnitude, then signed (AN176 1.2.3)."""
    magnitude = floor(abs(value) * divisor + 0.5)
    return -magnitude if value < 0 else magnitude


def encode(row: Register, value: Value) -> Words:
    """The words of a row that holds `value`: number, bits, date or text as the row's kind says.

    Numbers beyond the row are held at its limit; where all ones mean "absent" the largest is one less.
    """
    if row.kind is Kind.TEXT:
        return _encode_text(row, str(value))
    if isinstance(value, date):
        number = (value - EPOCH).days
    else:
        assert not isinstance(value, str), f"{row.name} is no text"
        number = scale(value, row.divisor)
    low, high = _limits(row)
    return words_of(min(max(number, low), high), row.words)


def _limits(row: Register) -> tuple[int, int]:
    bits = 16 * row.words
    if row.kind in (Kind.SIGNED, Kind.ENUM):
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - (2 if row.absent is Absent.ONES else 1)


def _encode_text(row: Register, text: str) -> Words:
    """Two characters a register, cut to its length; the tail as an SMTL 15.5 pads it.

    Firmware ends in NULs, a model's SKU in spaces up to 16 characters and then NULs, the rest in spaces.
    """
    size = 2 * row.words
    data = text.encode("ascii", "replace")
    if row.name == "sku":
        data = data.ljust(_SKU_PADDED, b" ").ljust(size, b"\0")
    data = data.ljust(size, b"\0" if row.name == "firmware" else b" ")
    return tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, size, 2))
