"""The registers of a simulated unit on its wire: blocks, gaps, absent values (apc-modbus.md 5, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pymodbus.constants import ExcCodes

from drivers.smartups.registers import (
    REGISTERS,
    VERIFICATION_WORDS,
    Absent,
    Kind,
    Register,
)
from simulator.modbus.encode import Words, encode
from simulator.modbus.settings import Personality
from simulator.modbus.values import Truth, value_of

ROW_AT: Mapping[int, Register] = MappingProxyType(
    {address: row for row in REGISTERS for address in range(row.address, row.end)}
)
"""The row that covers an address; undefined addresses are missing."""

ZERO_GAPS = frozenset({5, 8, 11, 14, 17, 513, 594})
"""Undefined addresses that read 0 on a UPS (SMTL dump; 513 holds something, of unknown meaning, on SRT)."""

ADDRESSES = 1 << 16


def read(truth: Truth, address: int, count: int, personality: Personality, *, swaps: bool = False) -> Words | ExcCodes:
    """The words of `count` registers from `address`; ILLEGAL_ADDRESS if the range cuts a block (AN176 3.1.1).

    `swaps`: the words of two-register values are exchanged, but not those of the constants that prove their order.

    A card refuses a range that starts on an undefined register (MAP notes); a UPS fills it in (AN176 3.2.1).
    """
    end = address + count
    if end > ADDRESSES or _cuts(address) or _cuts(end):
        return ExcCodes.ILLEGAL_ADDRESS
    if personality is Personality.NMC and address not in ROW_AT:
        return ExcCodes.ILLEGAL_ADDRESS
    words: list[int] = []
    while len(words) < count:
        row = ROW_AT.get(address + len(words))
        if row is None:
            words.append(_gap(address + len(words), personality))
        else:
            shown = row_words(row, truth, personality)
            words += reversed(shown) if swaps and _can_be_swapped(row) else shown
    return tuple(words)


def _can_be_swapped(row: Register) -> bool:
    return row.words == 2 and row.kind is not Kind.TEXT and row.address not in VERIFICATION_WORDS


def _cuts(boundary: int) -> bool:
    """Whether a range that begins or ends at this address would leave part of a block outside."""
    row = ROW_AT.get(boundary)
    return row is not None and row.address != boundary


def _gap(address: int, personality: Personality) -> int:
    return 0 if personality is Personality.NMC or address in ZERO_GAPS else 0xFFFF


def row_words(row: Register, truth: Truth, personality: Personality) -> Words:
    """What the row reads now. A command register holds no value and so reads 0 (SRT-DOC)."""
    if row.address in VERIFICATION_WORDS:
        return VERIFICATION_WORDS[row.address]
    value = value_of(row, truth)
    return _absent(row, personality) if value is None else encode(row, value)


def _absent(row: Register, personality: Personality) -> Words:
    """What a value that the unit lacks reads: zeros from a card (MAP), else as the map says (AN176 3.2.2)."""
    zeros = personality is Personality.NMC or row.absent is Absent.ZEROS or row.kind in (Kind.TEXT, Kind.BITS)
    return (0 if zeros else 0xFFFF,) * row.words
