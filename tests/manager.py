"""A service manager, as far as a service sees one: a unix datagram socket that is told how the service is."""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path
from types import TracebackType

PATIENCE_S = 30.0


class Manager:
    """`heard`: every message so far, oldest first."""

    def __init__(self, folder: Path, watchdog_s: float | None = None) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        watchdog = {} if watchdog_s is None else {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        self.environment = {"NOTIFY_SOCKET": str(folder / "notify"), **watchdog}

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def hears(self, start: str, *, times: int = 1, within_s: float = PATIENCE_S) -> str:
        """Waits until so many messages begin like this, and gives the last of them."""
        deadline = time.monotonic() + within_s
        while len(found := [message for message in self.heard if message.startswith(start)]) < times:
            ready, _, _ = select.select([self._socket], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"not told {start!r} {times} times within {within_s:g} s, but {self.heard}"
            self.heard.append(self._socket.recv(4096).decode())
        return found[-1]
