"""Which requests read a block: the whole of it, or the parts it was split into because the unit refused
it.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.smartups.registers import DYNAMIC, SETTINGS, Block, rows_in

ALL_SETTINGS = Block(1024, 29)
"""Test interval to the delays of group 4: saves a request beside NUT's 1026/22 (apc-modbus.md 6.7)."""
MEASUREMENTS, COUNTDOWNS = Block(128, 27), Block(155, 17)

_PARTS: dict[Block, tuple[Block, ...]] = {
    ALL_SETTINGS: (SETTINGS, Block(1024, 1), Block(1048, 5)),
    DYNAMIC: (MEASUREMENTS, COUNTDOWNS),
}
"""Cuts that are known to help; others are made in the middle, between two rows."""

REFUSALS_THAT_COUNT = 2
"""A unit whose control processor restarts answers stray exceptions for a second or two (apc-modbus.md 5.2),
so one refusal of a block is worked around but not believed.
"""


def halves(block: Block) -> tuple[Block, ...]:
    """The block in smaller parts that cut no row; () if it is one row already."""
    if block in _PARTS:
        return _PARTS[block]
    rows = rows_in(block)
    if len(rows) < 2:
        return ()
    middle = len(rows) // 2
    return _span(rows[0].address, rows[middle - 1].end), _span(rows[middle].address, rows[-1].end)


def _span(start: int, end: int) -> Block:
    return Block(start, end - start)


class Refusals:
    """What this connection's unit refused to read, as pure bookkeeping."""

    def __init__(self, counts: Mapping[Block, int] | None = None) -> None:
        self._counts = dict(counts or {})

    def copy(self) -> Refusals:
        return Refusals(self._counts)

    def refused(self, block: Block) -> None:
        self._counts[block] = self._counts.get(block, 0) + 1

    def answered(self, block: Block) -> None:
        self._counts.pop(block, None)

    def forget(self) -> None:
        self._counts.clear()

    def believed(self, block: Block) -> bool:
        """True if it was refused often enough in a row to go on without it."""
        return self._counts.get(block, 0) >= REFUSALS_THAT_COUNT
