"""The service manager hears of life only while every part comes round; else it starts the gateway anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from config.runtime.notify import ServiceManager
from gateway.liveness import Pulse, hanging

logger = logging.getLogger("gateway")

LOOK_EVERY_S = 30.0
"""Where no service manager asks."""


class Watchdog:
    """That this runs at all shows that the event loop does; `pulses` are all the other parts."""

    def __init__(self, manager: ServiceManager, pulses: Callable[[], Iterable[Pulse]]) -> None:
        self._manager = manager
        self._pulses = pulses
        self._hanging: tuple[str, ...] = ()

    async def run(self) -> None:
        """Until cancelled; twice in the time that the manager allows (sd_watchdog_enabled(3))."""
        every_s = LOOK_EVERY_S if self._manager.watchdog_s is None else self._manager.watchdog_s / 2
        while True:
            self.look()
            await asyncio.sleep(every_s)

    def look(self) -> None:
        before, self._hanging = self._hanging, hanging(self._pulses(), time.monotonic())
        if not self._hanging:
            self._manager.alive()
        elif self._hanging != before:
            logger.error("%s: hangs; the watchdog is not told of life any more", ", ".join(self._hanging))
