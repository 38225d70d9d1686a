"""The gateway's own health: said each minute while the cloud answers, never stored; what is wrong is logged once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gateway import health
from gateway.runtime.host import HostReader
from gateway.wire import limits
from gateway.wire.health import Health, Host

logger = logging.getLogger("gateway.health")


class HealthReports:
    """`take` makes a record of everything but the host it is handed; `say` sends it if the cloud is there.

    `last` and `warnings` are those of the last minute.
    """

    def __init__(self, host: HostReader, take: Callable[[Host], Health], say: Callable[[Health], None]) -> None:
        self.last: Health | None = None
        self.warnings: dict[str, str] = {}
        self._host = host
        self._take = take
        self._say = say
        self._hurry = asyncio.Event()

    def now(self) -> None:
        """The cloud has just answered: it need not wait a minute."""
        self._hurry.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._hurry.clear()
            # The disk may be one that answers to nobody.
            self.report(self._take(await asyncio.to_thread(self._host.read)))
            try:
                async with asyncio.timeout(limits.HEALTH_S):
                    await self._hurry.wait()
            except TimeoutError:
                continue

    def report(self, taken: Health) -> None:
        self.last = taken
        before, self.warnings = self.warnings, health.warnings(taken)
        for is_new, sentence in health.changes(before, self.warnings):
            logger.log(logging.WARNING if is_new else logging.INFO, "%s", sentence)
        self._say(taken)
