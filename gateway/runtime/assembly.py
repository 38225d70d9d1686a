"""All parts of a running gateway: put together, changed by new settings, taken apart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from config.runtime.notify import ServiceManager
from drivers.ups import CATALOGUE
from gateway import health, reload
from gateway.errors import CannotStart, NotReloaded
from gateway.liveness import Pulse
from gateway.order import Wishes
from gateway.records import record
from gateway.runtime.blackbox import BlackBox
from gateway.runtime.clock import QUALITY_EVERY_S, ClockWatch, SystemClock
from gateway.runtime.cloud import Cloud
from gateway.runtime.commands import Commands
from gateway.runtime.emergency import Emergency
from gateway.runtime.health import HealthReports
from gateway.runtime.host import HostReader
from gateway.runtime.listeners import Listeners
from gateway.runtime.outbox import Outbox
from gateway.runtime.overview import Overview, Parts
from gateway.runtime.units import Units
from gateway.seen import Seen
from gateway.store.outbox import OutboxFile
from gateway.view import GatewayView
from gateway.wire.health import Health, Host
from gateway.wire.messages import EventBody, Kind
from gateway.wire.topics import Up

logger = logging.getLogger("gateway")

WRITER_HANGS_S = 180.0
"""A card that answers nothing for so long does not come back by itself."""

FINISH_S = 5.0
"""Patience with commands that are being carried out when the gateway ends."""

CLOCK = "clock"
"""The note of what the clock watch remembers."""


class Assembly:
    """`wishes`: what holds now. `outbox` has to be open. Raises CannotStart."""

    def __init__(self, wishes: Wishes, outbox: Outbox, clock: SystemClock, manager: ServiceManager) -> None:
        settings = wishes.settings
        self.wishes = wishes
        self.outbox = outbox
        self._clock = clock
        self._manager = manager
        self._units = Units(outbox, clock, self._seen)
        self._cloud = Cloud(settings, outbox, clock, self._answered)
        self._uplink = self._cloud.uplink
        self._blackbox = BlackBox(outbox, clock)
        self._commands = Commands(settings, wishes.policy, self._units.pollers, outbox, clock, self._uplink.publish)
        self._uplink.on_order = self._commands.received
        parts = Parts(
            outbox, self._units, self._uplink, self._blackbox, self._commands, self._cloud.certificate_days_left
        )
        self._overview = Overview(settings.gateway, parts, clock)
        self._listeners = Listeners(settings, self._view)
        self._emergency = Emergency(settings, outbox, clock, lambda: self._uplink.trouble)
        self._health = HealthReports(HostReader(settings.data), self._overview.health, self._healthy)
        self._running: list[asyncio.Task[None]] = []

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Every part at work; `tasks` hears of one that fails. Raises BadUrl or NotKept."""
        await self._blackbox.open()
        await self._commands.open()
        clock_watch = ClockWatch(self._clock, await self.outbox.writer.submit(_kept_clock, reads=True))
        for name, work in self._work(clock_watch):
            self._running.append(tasks.create_task(work, name=name))
        for unit in self.wishes.settings.units:
            self._units.start(tasks, unit, self.wishes.policy)
        self._cloud.start(tasks)
        await self._listeners.open()
        self._tell("gateway_started")

    def pulses(self) -> Iterator[Pulse]:
        """Of every part that may hang while the event loop goes on."""
        yield from self._units.pulses()
        busy_since_s = self.outbox.writer.busy_since_s
        if busy_since_s is not None:
            yield Pulse("the outbox's disk", busy_since_s, WRITER_HANGS_S)

    async def change(self, wishes: Wishes, tasks: asyncio.TaskGroup) -> reload.Changes:
        """Follow new settings; what is as before goes on as it is. Raises NotReloaded, and then nothing has changed."""
        changes = reload.difference(self.wishes, wishes)
        if changes.restart:
            raise NotReloaded(reload.told(changes))
        try:
            self._cloud.change(wishes.settings, tasks, at_once=changes.uplink)
        except CannotStart as error:
            raise NotReloaded(str(error)) from error
        self.wishes = wishes
        self._commands.replace(wishes.policy)
        self._emergency.use(wishes.settings)
        # All that go, before any that comes: two may have exchanged their lines.
        await asyncio.gather(*(self._units.stop(name) for name in changes.stop))
        for unit in changes.start:
            self._units.start(tasks, unit, wishes.policy)
        if changes.listeners:
            await self._listeners.close()
            self._listeners = Listeners(wishes.settings, self._view)
            await self._listeners.open()
        return changes

    async def stop(self, *, clean: bool) -> None:
        """Commands come to their end, polling stops, the last event is written and said, then offline. `clean`: it was
        asked for, no part has failed."""
        await self._listeners.close()
        self._cloud.stop_renewing()
        for task in self._running:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S):
                await self._commands.close()
        await self._units.close()
        await self._blackbox.close()
        if clean:
            self._tell("gateway_stopped")
            await self.outbox.flushed()
        await self._uplink.stop()
        await self.outbox.close()

    def _work(self, clock_watch: ClockWatch) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs for ever beside the units."""
        yield "prune", self.outbox.prune_for_ever()
        yield "outbox", _failing(self.outbox.failed, self.outbox.writer.died)
        yield "black box", self._blackbox.run()
        yield "clock", self._watch_clock(clock_watch)
        yield "health", self._health.run()
        yield "emergency route", self._emergency.run()

    async def _watch_clock(self, watch: ClockWatch) -> None:
        while True:
            if found := watch.look():
                stamp, body = found
                logger.info("the clock was %s: moved by %.3f s", body.why, body.moved_ms / 1000)
                keep = partial(OutboxFile.put_note, name=CLOCK, value=watch.kept())
                self.outbox.events("", [record(Kind.CLOCK, stamp, "", body)], also=keep)
            await asyncio.sleep(QUALITY_EVERY_S)

    def _seen(self, seen: Seen) -> None:
        self._blackbox.watch(seen)
        self._commands.watch(seen)

    def _answered(self) -> None:
        self._units.tell_all()
        self._health.now()

    def _healthy(self, said: Health) -> None:
        self._uplink.publish(Up.HEALTH, said)
        self._manager.status(health.sentence(said, connected=self._uplink.rules.ready))

    async def _view(self) -> GatewayView:
        last = self._health.last
        host = Host() if last is None else last.host
        return await self._overview.view(self.wishes.settings.cloud, host, tuple(self._health.warnings.values()))

    def _tell(self, kind: str) -> None:
        body = EventBody(type=kind, severity=CATALOGUE[kind].severity)
        self.outbox.events("", [record(Kind.EVENT, self._clock.stamp(), "", body)])


def _kept_clock(file: OutboxFile) -> bytes | None:
    return file.note(CLOCK)


async def _failing(*futures: asyncio.Future[None]) -> None:
    """Raises what the first of them fails with; ends only so."""
    await asyncio.gather(*futures)
