"""Firmware versions as units say them, made comparable within one family: numbering began anew between product ids.

Sources: apc-modbus.md section 15 (`UPS 15.5`, register 516); ups-link.md section 13 (`50.9.D`: model id, revision,
locale).
"""

from __future__ import annotations

import re

import msgspec

from drivers.ups import Identity

_MODBUS = re.compile(r"UPS (\d{1,4}(?:\.\d{1,4}){1,3})\Z")
_UPSLINK = re.compile(r"(\d{1,4})\.([0-9]{1,3})\.([A-Z])\Z")
_PLAIN = re.compile(r"\d{1,4}(?:\.\d{1,4}){0,3}\Z")


class Known(msgspec.Struct, frozen=True):
    """`hardware_id`: what an image has to be for. `version`: without its family's prefix."""

    hardware_id: str
    version: str


def known(identity: Identity) -> Known | None:
    """What a unit is, for firmware; None where its words do not say it beyond doubt."""
    firmware = (identity.firmware or "").strip()
    if identity.product_id and (match := _MODBUS.match(firmware)):
        return Known(str(identity.product_id), match[1])
    if match := _UPSLINK.match(firmware):
        return Known(f"upslink-{match[1]}", match[2])
    return None


def ordered(version: str) -> tuple[int, ...]:
    """Sort key of a version of one family: `09.4` is `9.4`, `15.5` is above `15.4.9`. Raises ValueError."""
    if not _PLAIN.match(version):
        raise ValueError(f"{version!r} is no version; expected numbers with dots, as 15.5")
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
