"""Which registers a recording asks for: those that a driver asks for, and the rest of the map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drivers.modbus.plan import ALL_SETTINGS
from drivers.smartups.registers import (
    DYNAMIC,
    INVENTORY,
    PRODUCT_ID,
    REGISTERS,
    STATUS,
    VERIFICATION,
    Access,
    Block,
    Register,
)

STATE = STATUS
FULL = (STATUS, DYNAMIC)
_ASKED_BY_DRIVERS = (VERIFICATION, STATUS, DYNAMIC, PRODUCT_ID, INVENTORY, ALL_SETTINGS)


def _rest(blocks: Iterable[Block]) -> Iterator[Block]:
    """The rows outside these blocks, neighbours together. Command registers read 0 and are left alone."""
    start: Register | None = None
    end = 0
    for row in REGISTERS:
        inside = any(block.address <= row.address < block.end for block in blocks)
        if inside or row.access is Access.COMMAND:
            continue
        if start is not None and row.address != end:
            yield Block(start.address, end - start.address)
            start = None
        start, end = start or row, row.end
    if start is not None:
        yield Block(start.address, end - start.address)


EVERYTHING: tuple[Block, ...] = (*_ASKED_BY_DRIVERS, *_rest(_ASKED_BY_DRIVERS))
