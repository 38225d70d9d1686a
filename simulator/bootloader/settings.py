"""How the boot loader behaves; changed while it runs by `sim ctl firmware`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from simulator.wire_settings import Milliseconds, Settable


class LoaderSettings(Settable, kw_only=True):
    """Settings of a unit's boot loader; all times are real time, as on the wires. Nothing public says what real
    ones are, but the baud (apc-modbus.md section 16).

    `baud`: what it announces, and what each block takes on the line; `paced` off takes blocks as fast as they come.
    `start_ms`: from entering, or from power, to the first C; `poll_ms`: from one C to the next.
    `erase_ms`: from the header's block to its ACK. `boot_ms`: from the end of the transfer to the application.
    `block_timeout_ms`: silence after which a block is asked for again, ten times at most.
    `idle_ms`: without a transfer for so long it boots the application again, if that is still whole.
    """

    baud: Annotated[int, msgspec.Meta(ge=2400, le=1_000_000)] = 9600
    paced: bool = True
    start_ms: Milliseconds = 300
    poll_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 3000
    erase_ms: Milliseconds = 1000
    boot_ms: Milliseconds = 5000
    block_timeout_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 10_000
    idle_ms: Milliseconds = 60_000
