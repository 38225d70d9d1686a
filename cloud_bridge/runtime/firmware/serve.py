"""Sends images to gateways, chunk by chunk, as they ask; keeps no record of any transfer."""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

from cloud_bridge.firmware.serving import Rates, judge
from gateway.wire import chunks, codec, limits
from gateway.wire.chunks import ChunksRefused, ChunksWanted, Frame, Why
from gateway.wire.topics import Down, chunk, down

log = logging.getLogger(__name__)

Publish = Callable[[str, bytes, int], None]
"""Topic, payload, QoS."""

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Shelf:
    """The targets of a TUF repository with consistent snapshots: `HARDWARE_ID/SHA256.FILE` below its folder."""

    def __init__(self, targets: Path) -> None:
        self._targets = targets

    def find(self, sha256: str) -> Path | None:
        """The target of this digest, if there is one; what its bytes are is for the gateway to see."""
        if not _DIGEST.match(sha256):
            return None
        return next(iter(sorted(self._targets.glob(f"*/{sha256}.*"))), None)


class ChunkServer:
    """`find`: the file of a digest. `is_cancelled`: whether this gateway is no longer to have it."""

    def __init__(
        self,
        publish: Publish,
        find: Callable[[str], Path | None],
        *,
        is_cancelled: Callable[[str, str], bool] = lambda _gateway, _sha256: False,
        rates: Rates | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._find = find
        self._is_cancelled = is_cancelled
        self._rates = rates or Rates(clock())
        self._clock = clock

    def heard(self, gateway: str, payload: bytes) -> None:
        """A request as it came on `up/firmware`. Blocks while the disk is read. Raises WireError."""
        wanted = codec.decode(payload, ChunksWanted)
        if self._is_cancelled(gateway, wanted.sha256):
            self._refuse(gateway, ChunksRefused(transfer=wanted.transfer, why=Why.CANCELLED))
            return
        path = self._find(wanted.sha256)
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path else None
        except OSError as error:
            log.error("%s can't be read: %s", path, error.strerror)
            file = None
        try:
            self._serve(gateway, wanted, file)
        except OSError as error:
            log.error("%s can't be read: %s; gateway %s asks again", path, error.strerror, gateway)
        finally:
            if file is not None:
                os.close(file)

    def _serve(self, gateway: str, wanted: ChunksWanted, file: int | None) -> None:
        size = None if file is None else _size(file)
        verdict = judge(self._rates, gateway, wanted, size, self._clock())
        if isinstance(verdict, ChunksRefused):
            self._refuse(gateway, verdict)
        elif file is not None:
            topic = chunk(gateway)
            for index in verdict.indexes:
                data = os.pread(file, wanted.chunk, index * wanted.chunk)
                self._publish(topic, chunks.pack(Frame(wanted.transfer, index, data)), 0)

    def _refuse(self, gateway: str, reply: ChunksRefused) -> None:
        log.info("gateway %s gets no chunks: %s", gateway, reply.why)
        self._publish(down(gateway, Down.FIRMWARE), codec.encode(reply), 1)


def _size(file: int) -> int | None:
    """None of what can't be an image."""
    status = os.fstat(file)
    return status.st_size if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= limits.FIRMWARE_BYTES else None
