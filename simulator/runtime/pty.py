"""A serial line whose other end is a pseudo-terminal with a name of our choice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from pathlib import Path

from simulator.runtime.openings import Openings

READ_SIZE = 4096


class Pty:
    """One pty; `address` is the path of the symbolic link to it, `device` what it links to.

    `receive` is called with the bytes that came, `opened` after each opening by a client. The unit's side never
    hangs up: the slave stays open here, whoever opens and closes it besides. OSError if the link cannot be made.
    """

    def __init__(self, link: str, receive: Callable[[bytes], None], opened: Callable[[], None]) -> None:
        self._receive, self.address = receive, link
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            self._master, slave = os.openpty()
            stack.callback(os.close, self._master)
            stack.callback(os.close, slave)
            tty.setraw(slave)
            os.set_blocking(self._master, False)
            self.device = os.ttyname(slave)
            _make_link(Path(link), self.device)
            stack.callback(_remove_link, Path(link), self.device)
            stack.callback(Openings(self.device, opened).close)
            loop.add_reader(self._master, self._readable)
            stack.callback(loop.remove_reader, self._master)
            self._held = stack.pop_all()

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._receive(os.read(self._master, READ_SIZE))

    def write(self, data: bytes) -> None:
        """Bytes that find the pty full are lost: nobody is reading."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def close(self) -> None:
        """End the line and remove the link, if it is still ours."""
        self._held.close()


def _make_link(link: Path, device: str) -> None:
    """Link to the pty. A link to a pty, left by an earlier run, is replaced; anything else is not ours."""
    if link.is_symlink() and str(link.readlink()).startswith("/dev/pts/"):
        link.unlink()
    link.symlink_to(device)


def _remove_link(link: Path, device: str) -> None:
    if link.is_symlink() and str(link.readlink()) == device:
        link.unlink()
