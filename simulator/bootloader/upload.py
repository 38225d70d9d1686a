"""The image that comes in: judged by its first block, then counted and hashed, never kept."""

from __future__ import annotations

import hashlib

import msgspec

from simulator.bootloader.image import HEADER_BYTES, Header, header_of, number_of
from simulator.bootloader.reasons import Reason


class Running(msgspec.Struct, frozen=True):
    """Which hardware this is and which version it runs, or ran before an upgrade that broke off."""

    hardware_id: str
    version: str


class Upload:
    """One image, block by block. `header` is None until the first block was taken."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._digest = hashlib.sha256()
        self.header: Header | None = None
        self.received = 0

    def begin(self, block: bytes) -> Header | Reason:
        """Take the first block: its header decides, before anything is erased."""
        header = header_of(block)
        if isinstance(header, Reason):
            return header
        if header.hardware_id != self._running.hardware_id:
            return Reason.WRONG_MODEL
        if number_of(self._running.version) < number_of(header.least_version):
            return Reason.STEPPING_STONE
        self.header = header
        return self.go_on(block[HEADER_BYTES:]) or header

    def go_on(self, data: bytes) -> Reason | None:
        """Take the next bytes of the body; what fills up the last block is dropped."""
        length = self.header.length if self.header is not None else 0
        if data and self.received >= length:
            return Reason.OVERLONG
        body = data[: length - self.received]
        self._digest.update(body)
        self.received += len(body)
        return None

    def finish(self) -> Reason | None:
        """All was sent."""
        if self.header is None or self.received < self.header.length:
            return Reason.INCOMPLETE
        return None if self._digest.digest() == self.header.sha256 else Reason.CHECKSUM
