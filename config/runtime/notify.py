"""What a service tells systemd over NOTIFY_SOCKET: sd_notify(3) and sd_watchdog_enabled(3), as far as we need them."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

from config.text import one_line

logger = logging.getLogger("config.notify")

SEND_S = 1.0
"""systemd reads at once; where it does not, a service goes on all the same."""

MAX_STATUS_CHARS = 200


class ServiceManager:
    """systemd, or nobody: then every word goes nowhere. `watchdog_s`: how often it wants to hear `alive`, or None."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace's zero byte; anything else but a path is not ours.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address if address.startswith("/") else ""
        self.watchdog_s = _watchdog_s(environment) if self._address else None

    def ready(self) -> None:
        """Started, or done with reading the settings anew."""
        self._say("READY=1")

    def status(self, text: str) -> None:
        """What `systemctl status` shows."""
        self._say(f"STATUS={one_line(text, MAX_STATUS_CHARS)}")

    def reloading(self) -> None:
        """`ready` has to follow, whatever came of it."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def alive(self) -> None:
        self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(SEND_S)
                line.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            logger.debug("the service manager does not hear %s: %s", lines[0], error)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """The watchdog's time, if it is meant for this process."""
    pid, span_us = environment.get("WATCHDOG_PID", ""), environment.get("WATCHDOG_USEC", "")
    if pid and pid != str(os.getpid()):
        return None
    return int(span_us) / 1e6 if span_us.isdecimal() and int(span_us) else None
