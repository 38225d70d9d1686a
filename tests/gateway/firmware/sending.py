"""A transfer over the wire in memory, and the frames it may consist of."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Literal

from gateway.firmware.transfer import Limits, Sent
from gateway.runtime.firmware.xmodem import send
from tests.gateway.firmware.serial_wire import Wire

LIMITS = Limits(max_s=1800.0, quiet_s=12.0)

Block = Literal[128, 1024]


def padded(image: bytes, block: int) -> bytes:
    return image + b"\x1a" * (-len(image) % block)


def frames(image: bytes, block: int) -> list[bytes]:
    """With CRC-16/CCITT, the polynomial 0x1021 from 0, high byte first (XMODEM/CRC)."""
    whole = padded(image, block)
    parts = [whole[at : at + block] for at in range(0, len(whole), block)]
    head = b"\x02" if block == 1024 else b"\x01"
    return [
        head + bytes([n % 256, 255 - n % 256]) + part + binascii.crc_hqx(part, 0).to_bytes(2, "big")
        for n, part in enumerate(parts, start=1)
    ]


def transfer(
    wire: Wire,
    image: bytes,
    block: Block = 128,
    *,
    limits: Limits = LIMITS,
    progress: Callable[[Sent], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Sent:
    return send(wire, image, block=block, limits=limits, progress=progress, cancelled=cancelled, clock=wire.clock)
