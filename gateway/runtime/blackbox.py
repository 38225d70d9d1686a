"""The black boxes of all units at work: fed by the pollers, kept and told through the outbox."""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial

from gateway import blackbox, outage
from gateway.blackbox import UnitBox
from gateway.records import record
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.seen import Seen
from gateway.store import outages
from gateway.view import UnitOutage
from gateway.wire.messages import Kind
from gateway.wire.outage import OutageBody

logger = logging.getLogger("gateway.blackbox")

KEEP_EVERY_MS = 30_000
"""How old the copy of an open outage may get; it goes to disk with a commit that is made anyhow, if there is one."""
TICK_S = 10.0


class BlackBox:
    def __init__(self, outbox: Outbox, clock: SystemClock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._boxes: dict[str, UnitBox] = {}
        self._kept_mono: dict[str, int] = {}

    async def open(self) -> None:
        """Go on with outages that were open when the last process ended. Raises NotKept."""
        for unit, raw in (await self._outbox.writer.submit(outages.open_ones)).items():
            self._boxes[unit] = box = UnitBox()
            if not box.resume(raw):
                logger.warning("%s: an outage that was going on when the gateway ended can't be read", unit)
                self._outbox.watch(self._outbox.writer.submit(partial(outages.drop_open, unit=unit)))

    def watch(self, seen: Seen) -> None:
        """Every reading that was believed."""
        sample = outage.sample_of(seen)
        if sample is None:
            return
        box = self._boxes.setdefault(seen.unit, UnitBox())
        self._over(seen.unit, box.seen(sample, secrets.token_hex(8)))
        self._keep(seen.unit, box, sample.mono)

    async def run(self) -> None:
        """For ever: units that say nothing more."""
        while True:
            await asyncio.sleep(TICK_S)
            stamp = self._clock.stamp()
            for unit, box in self._boxes.items():
                self._over(unit, box.ticked(stamp.boot, stamp.mono))

    async def close(self) -> None:
        """What goes on is kept for the next process."""
        for unit, box in self._boxes.items():
            self._put(unit, box)

    async def recent(self, count: int) -> tuple[UnitOutage, ...]:
        """Outages that are over, newest first. Raises NotKept."""
        return await self._outbox.writer.submit(lambda file: outages.recent(file, count), reads=True)

    def _over(self, unit: str, body: OutageBody | None) -> None:
        if body is None:
            return
        logger.info("%s: on battery for %.0f s, %s; kept as outage %s", unit, body.delivered_s, body.ended, body.id)
        self._kept_mono.pop(unit, None)
        self._outbox.writer.withdraw(("outage", unit))
        told = record(Kind.OUTAGE, self._clock.stamp(), unit, body)
        self._outbox.events(unit, [told], also=lambda file: outages.put_over(file, unit, body))

    def _keep(self, unit: str, box: UnitBox, mono: int) -> None:
        if box.going_on is not None and mono - self._kept_mono.get(unit, -KEEP_EVERY_MS) >= KEEP_EVERY_MS:
            self._kept_mono[unit] = mono
            self._put(unit, box)

    def _put(self, unit: str, box: UnitBox) -> None:
        if (open_ := box.going_on) is not None:
            raw = blackbox.kept(open_)
            name, began_at = open_.id, open_.began_at
            keep = partial(outages.put_open, unit=unit, open_id=name, began_at=began_at, body=raw)
            self._outbox.writer.later(("outage", unit), keep, within_s=KEEP_EVERY_MS / 1000)
