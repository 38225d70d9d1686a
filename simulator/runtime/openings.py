"""Who opens a device: the only sign that a client at the other end of a pty has closed it and come again."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Callable

IN_OPEN = 0x20
"""inotify(7)."""
READ_SIZE = 4096


class Openings:
    """Calls `tell` after each opening of the device, until it is closed. OSError if the device can't be watched."""

    def __init__(self, device: str, tell: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._tell = tell
        self._watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._watch < 0 or libc.inotify_add_watch(self._watch, device.encode(), IN_OPEN) < 0:
            number = ctypes.get_errno()
            self._close_watch()
            raise OSError(number, os.strerror(number), device)
        asyncio.get_running_loop().add_reader(self._watch, self._opened)

    def _opened(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._watch, READ_SIZE)
            self._tell()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watch)
        self._close_watch()

    def _close_watch(self) -> None:
        if self._watch >= 0:
            os.close(self._watch)
