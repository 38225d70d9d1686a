"""What firmware raises.

GatewayError
└── FirmwareError
    ├── NoRoom      the disk has not enough room for an image and what has to stay free
    ├── DiskFailed  the disk took or gave nothing: full, read-only or failing
    ├── TransferFailed  an image was not sent whole, as far as is known (gateway.firmware.transfer)
    ├── NotWhole    all chunks are there and the file is not the image: its signed digests contradict each other
    ├── NewerJournal    fw.db was written by a newer version
    └── JournalDamaged  fw.db is no longer a database that can be trusted
"""

from __future__ import annotations

from pathlib import Path

from gateway.errors import GatewayError


class FirmwareError(GatewayError):
    """Any error of firmware."""


class NoRoom(FirmwareError):
    def __init__(self, folder: Path, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(f"{folder}: {free_bytes} bytes are free, {needed_bytes} are needed")
        self.folder = folder
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class DiskFailed(FirmwareError):
    """`full`: there is no room; anything else is the disk's own fault."""

    def __init__(self, path: Path, why: str, *, full: bool) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
        self.full = full


class NotWhole(FirmwareError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: every chunk matches its digest, the whole does not match the image's")
        self.path = path


class NewerJournal(FirmwareError):
    def __init__(self, path: Path, unknown: str) -> None:
        super().__init__(
            f"{path}: written by a newer version of ridethrough (it has {unknown!r}); install that version"
        )
        self.path = path
        self.unknown = unknown


class JournalDamaged(FirmwareError):
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: damaged: {why}; no firmware is upgraded until it is whole again or moved away")
        self.path = path
        self.why = why
