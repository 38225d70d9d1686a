"""Waking the alerts role: a datagram to a unix socket beside the databases. One that is lost costs a second."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET_NAME = "alerts.sock"
_ROOM = 64
"""Longest datagram; what is in it means nothing."""


class Bell:
    """Rings for whoever listens in `folder`; never blocks and never fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def ring(self) -> None:
        # No folder, nobody there, or one who has been rung for and has not looked yet: all of it is nothing to tell.
        with suppress(OSError), _short(self._folder) as name:
            self._socket.sendto(b"!", name)

    def close(self) -> None:
        self._socket.close()


def ring(folder: Path) -> None:
    """Once."""
    bell = Bell(folder)
    try:
        bell.ring()
    finally:
        bell.close()


class Ear:
    """A context manager: hears the bell. `wake` is another thread's way to ring."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / SOCKET_NAME
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._inner_read, self._inner_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.path.unlink(missing_ok=True)
        with _short(folder) as name:
            self._socket.bind(name)
        self.path.chmod(0o660)

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        os.close(self._inner_read)
        os.close(self._inner_write)
        self.path.unlink(missing_ok=True)

    def wake(self) -> None:
        with suppress(OSError):
            os.write(self._inner_write, b"!")

    def wait(self, timeout_s: float) -> bool:
        """Until it rings, or for so long; whether it rang. However often it rang before, that was once."""
        outer = self._socket.fileno()
        ready, _, _ = select.select([outer, self._inner_read], [], [], max(0.0, timeout_s))
        for one in ready:
            with suppress(BlockingIOError):
                while self._socket.recv(_ROOM) if one == outer else os.read(one, _ROOM):
                    pass
        return bool(ready)


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name of the socket that fits into an address (108 bytes, unix(7)), however deep the folder lies."""
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}/{SOCKET_NAME}"
    finally:
        os.close(opened)
