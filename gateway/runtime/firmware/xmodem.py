"""Sends an image by XMODEM-CRC or XMODEM-1K: the xmodem package makes the frames and keeps their order, the guard
around its reads and writes keeps it from what it does wrong by itself.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from typing import Literal

from gateway.firmware.line_guard import PAD, tells_unit
from gateway.firmware.transfer import Limits, Reason, Sent, TransferFailed
from gateway.runtime.firmware.guarded_line import GuardedLine, Port

MODES = {128: "xmodem", 1024: "xmodem1k"}


def send(
    port: Port,
    image: bytes,
    *,
    block: Literal[128, 1024],
    limits: Limits,
    progress: Callable[[Sent], None],
    cancelled: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> Sent:
    """Blocks until the unit has acknowledged the image and its end. Raises TransferFailed, at the latest
    `max_s` after it began and `settle_s` in which the unit is told.

    `progress` is called for each block acknowledged, once the next one is on its way: it costs the line nothing.
    `cancelled` counts until EOT is written; it is asked twice a second at least. `clock`: monotonic seconds.
    """
    if not image:
        raise ValueError("an empty image can't be sent")
    # Imported when it is needed: a gateway has a budget of memory and seldom sends anything.
    from xmodem import XMODEM  # type: ignore[import-untyped]  # the package carries no types

    line = GuardedLine(port, limits, -(-len(image) // block), progress, cancelled, clock)
    modem = XMODEM(line.getc, line.putc, mode=MODES[block], pad=PAD)
    modem.log.setLevel(logging.CRITICAL)  # it calls each block that is sent again an error; `Sent` counts them
    try:
        complete = modem.send(io.BytesIO(image), retry=limits.retries, quiet=True)
    except TransferFailed as failure:
        if tells_unit(failure.reason, line.phase, line.has_begun):
            line.cancel()
        raise
    if not complete:  # the package has written CAN CAN
        raise TransferFailed(Reason.RETRIES, line.sent, f"a block was sent {limits.retries + 1} times, never taken")
    return line.sent
