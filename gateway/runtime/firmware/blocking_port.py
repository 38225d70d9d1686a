"""An open serial line or pty for whoever blocks in a thread of their own, such as an XMODEM transfer."""

from __future__ import annotations

import errno
import os
import select
import time


class BlockingPort:
    """Reads and writes an open descriptor, such as a pyserial port's `fileno()`, and leaves opening, settings and
    closing to its owner, who must not read meanwhile.
    """

    def __init__(self, descriptor: int, *, write_s: float = 10.0) -> None:
        """`write_s`: longest wait for the line to take some bytes."""
        self._descriptor = descriptor
        self._write_s = write_s
        self._reading, self._writing = select.poll(), select.poll()
        self._reading.register(descriptor, select.POLLIN)
        self._writing.register(descriptor, select.POLLOUT)

    def read(self, n: int, timeout: float) -> bytes:
        """Up to `n` bytes as soon as there are any; b"" after `timeout` seconds. Raises OSError."""
        deadline_s = time.monotonic() + timeout
        while self._reading.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
            try:
                data = os.read(self._descriptor, n)
            except BlockingIOError:
                continue
            if not data:
                raise OSError(errno.EIO, "the line was hung up")
            return data
        return b""

    def write(self, data: bytes) -> None:
        """All of it, into the kernel's buffer at least. Raises OSError."""
        rest = memoryview(data)
        while rest:
            if not self._writing.poll(self._write_s * 1000):
                raise OSError(errno.ETIMEDOUT, "the line takes no bytes")
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                continue
