"""The serial devices that this machine has, by their names alone: none is opened."""

from __future__ import annotations

from pathlib import Path

import msgspec
from serial.tools import list_ports

BY_ID = Path("/dev/serial/by-id")


class SerialDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """`path` is the name to use, which stays when others are unplugged if `device` differs from it."""

    path: str
    device: str
    description: str | None = None


def serial_devices(by_id: Path = BY_ID) -> list[SerialDevice]:
    """Those with a lasting name first."""
    found = {port.device: port.description for port in list_ports.comports()}
    links = sorted(by_id.iterdir()) if by_id.is_dir() else []
    named = [(str(link), str(link.resolve())) for link in links]
    lasting = [SerialDevice(path, device, _said(found.get(device))) for path, device in named]
    covered = {device for _, device in named}
    others = [SerialDevice(device, device, _said(text)) for device, text in sorted(found.items())]
    return lasting + [one for one in others if one.device not in covered]


def _said(description: str | None) -> str | None:
    """pyserial says "n/a" where the adapter says nothing."""
    return None if description in (None, "n/a") else description
