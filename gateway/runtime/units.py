"""The units that are read now: each has a poller with a task of its own, started and stopped one by one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from drivers.open import open_driver
from gateway.liveness import Pulse
from gateway.policy import Policy
from gateway.roll import Roll
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.runtime.poller import Poller
from gateway.seen import Seen
from gateway.settings import UnitSettings
from gateway.store.outbox import UnitRow
from gateway.view import UnitSight
from gateway.wire.health import UnitHealth

logger = logging.getLogger("gateway")

STOP_S = 5.0
"""Patience with a poller that does not end."""


class Units:
    """`pollers`: those that run, by name. `watch` is told of every believed reading."""

    def __init__(self, outbox: Outbox, clock: SystemClock, watch: Callable[[Seen], None]) -> None:
        self.pollers: dict[str, Poller] = {}
        self._outbox = outbox
        self._clock = clock
        self._watch = watch
        self._roll = Roll()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, tasks: asyncio.TaskGroup, unit: UnitSettings, policy: Policy) -> None:
        """Goes on where an earlier poller of this name left off. Raises BadUrl."""
        row = self._outbox.units.get(unit.name, UnitRow())
        driver = open_driver(unit.url, pinned=row.serial, also_allowed=policy.also_allowed(unit.name))
        poller = Poller(unit, driver, self._outbox, self._clock, watch=self._watch, roll=self._roll)
        self.pollers[unit.name] = poller
        self._tasks[unit.name] = tasks.create_task(poller.run(), name=f"poll {unit.name}")

    async def stop(self, name: str) -> None:
        """Its line is closed when this returns, so that another unit may use it."""
        poller, task = self.pollers.pop(name), self._tasks.pop(name)
        task.cancel()
        _, hanging = await asyncio.wait([task], timeout=STOP_S)
        if hanging:
            logger.error("%s: its poller does not end", name)
        await poller.close()

    async def close(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in tuple(self.pollers)))

    def tell_all(self) -> None:
        for poller in self.pollers.values():
            poller.tell_all()

    def health(self) -> dict[str, UnitHealth]:
        return {name: poller.health() for name, poller in self.pollers.items()}

    def sights(self) -> tuple[UnitSight, ...]:
        return tuple(poller.sight() for poller in self.pollers.values())

    def pulses(self) -> Iterator[Pulse]:
        for poller in self.pollers.values():
            yield poller.pulse
