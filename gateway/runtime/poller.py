"""Reads one UPS for ever, in time, and lets others have their turn at it: commands, and whoever wants a fresh look."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from drivers.driver import Alerting, Driver, Report, Transport
from drivers.errors import DriverError, NotAllowed
from drivers.ups import Command, Snapshot
from gateway import pace
from gateway.errors import Doubtful
from gateway.latency import percentile
from gateway.liveness import Pulse
from gateway.roll import Roll
from gateway.runtime.account import Account
from gateway.runtime.acquaintance import Acquaintance
from gateway.runtime.clock import SystemClock
from gateway.runtime.line import Line, Urgency
from gateway.runtime.outbox import Outbox
from gateway.runtime.reader import Reader
from gateway.seen import Seen
from gateway.settings import UnitSettings
from gateway.store.outbox import UnitRow
from gateway.tempo import STRANGER_S, TWIN_S, Tempo
from gateway.view import UnitSight
from gateway.wire.health import UnitHealth

logger = logging.getLogger("gateway.poller")

GENTLE_S = {Transport.SERIAL: 1.0, Transport.TCP: 2.0}
"""What every unit of a kind bears (S4); a faster pace falls back to this one where errors are many."""

FRESH_S = 1.0
"""So old may a full reading be that is given to who wants a fresh look."""

HANGS_S = 180.0
"""No poll takes so long, waiting for the next one apart: every exchange with a unit has a deadline of its own."""


def nobody(_seen: Seen) -> None:
    """Who watches a unit that nobody watches."""


def at_once() -> None:
    """For a command that nothing keeps back any more."""


class Poller:
    """One unit, one driver, one task; nothing here waits for another unit or for the disk.

    `watch` is told of every believed reading. `roll` is shared by all pollers of a gateway.
    """

    def __init__(
        self,
        unit: UnitSettings,
        driver: Driver,
        outbox: Outbox,
        clock: SystemClock,
        watch: Callable[[Seen], None] = nobody,
        roll: Roll | None = None,
    ) -> None:
        self.unit = unit
        self.driver = driver
        self._outbox = outbox
        row = outbox.units.get(unit.name, UnitRow())
        self._roll = Roll() if roll is None else roll
        self._roll.enter(unit.name, row.serial)
        asked_s = 1 / unit.fast_status_hz if unit.fast_status_hz else driver.pace.fast_s
        self._pace = pace.begun(max(asked_s, driver.pace.request_gap_s), row.pace)
        self._tempo = Tempo(
            driver.pace.fast_s,
            unit.full_s or driver.pace.full_s,
            owners=unit.full_s is not None,
            hurries=not driver.pace.request_gap_s,
        )
        self._account = Account(unit, driver.transport, outbox, clock, watch)
        self._acquaintance = Acquaintance(unit.name, driver, outbox, self._roll, self._account)
        self._line = Line()
        self._reader = Reader(driver, self._line, self._account, self._tempo)
        self._rings = driver if isinstance(driver, Alerting) else None
        self._wanted = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._met = False
        self._polls = self._failed_polls = 0
        self.beat_s = time.monotonic()

    @property
    def pulse(self) -> Pulse:
        """When it came round last, for the watchdog."""
        return Pulse(f"the poller of {self.unit.name}", self.beat_s, self._wait_s() + HANGS_S)

    def tell_all(self) -> None:
        """Report the whole status with the next reading."""
        self._account.tell_all()

    async def run(self) -> None:
        """Poll until cancelled, at the unit's pace without drift; a late poll is not made up for."""
        due_s = time.monotonic()
        while True:
            await self.poll()
            self._judge_pace()
            now_s = self.beat_s = time.monotonic()
            due_s = max(due_s + self._wait_s(), now_s)
            if await self._called_within(due_s - now_s):
                due_s = time.monotonic()

    async def poll(self) -> None:
        """One reading and what follows from it; what fails is told by the rules of gateway.silence."""
        async with self._one_at_a_time:
            with suppress(DriverError, Doubtful):
                await self._attempt(full=False)

    async def look(self) -> Snapshot:
        """A full reading, at most FRESH_S old, believed and recorded as any. Raises DriverError or Doubtful."""
        async with self._one_at_a_time:
            known = self._account.believed
            if self._met and known is not None and self._tempo.full_age_s(time.monotonic()) <= FRESH_S:
                return known
            return await self._attempt(full=True)

    async def execute(self, command: Command, before: Callable[[], None] = at_once) -> Report:
        """Send the command once (S1), before any poll; the unit is read in full right afterwards.

        Raises DriverError only if nothing was written. `before` is called when its turn at the line has come; what it
        raises keeps it from being sent.
        """
        if (other := self._account.state.twin) is not None:
            raise NotAllowed(f"{self.unit.name}: this unit is read as {other} already; command it by that name")
        try:
            return await self._line.serve(Urgency.COMMAND, lambda: self._send(command, before))
        finally:
            self._tempo.want_full()
            self._wanted.set()

    async def _send(self, command: Command, before: Callable[[], None]) -> Report:
        before()
        return await self.driver.execute(command)

    def health(self) -> UnitHealth:
        """As it is now; latencies of the readings since the last call."""
        durations = sorted(self._reader.durations_ms)
        self._reader.durations_ms.clear()
        counters, account = self.driver.counters, self._account
        return UnitHealth(
            fast_s=self._pace.fast_s,
            asked_s=self._pace.asked_s,
            polls=self._polls,
            failed_polls=self._failed_polls,
            not_believed=self._reader.not_believed,
            requests=counters.requests,
            timeouts=counters.timeouts,
            bad_crc=counters.bad_crc,
            discarded=counters.discarded,
            exceptions=counters.exceptions,
            reopens=counters.reopens,
            poll_p50_ms=percentile(durations, 50),
            poll_p99_ms=percentile(durations, 99),
            answered_ago_s=None if account.answered_at is None else round(time.monotonic() - account.answered_s, 1),
        )

    def sight(self) -> UnitSight:
        """The unit as it was read last."""
        account = self._account
        return UnitSight(
            name=self.unit.name,
            url=self.unit.url,
            fast_s=self._wait_s(),
            snapshot=account.believed,
            identity=account.identity,
            answered_at=account.answered_at,
            trouble=account.trouble,
            stranger=account.state.stranger,
            conditions=tuple(account.state.ongoing),
        )

    async def close(self) -> None:
        """Leave the line in order and the state to the outbox."""
        self._account.keep()
        self._roll.leave(self.unit.name)
        await self.driver.close()

    def _wait_s(self) -> float:
        """From one poll's due time to the next one's."""
        account = self._account
        if account.is_twin:
            return TWIN_S
        wait_s = self._tempo.next_s(self._pace, time.monotonic(), account.on_battery)
        return wait_s if account.state.stranger is None else max(wait_s, STRANGER_S)

    async def _called_within(self, wait_s: float) -> bool:
        """Wait for the next poll. A unit that rings has it at once (S4), and so has a command."""
        try:
            async with asyncio.timeout(wait_s):
                await self._called()
        except TimeoutError:
            return False
        self._wanted.clear()
        return True

    async def _called(self) -> None:
        if self._rings is None:
            await self._wanted.wait()
            return
        calls = [asyncio.ensure_future(call) for call in (self._wanted.wait(), self._rings.alerted())]
        try:
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for call in calls:
                call.cancel()

    def _judge_pace(self) -> None:
        """Ask less often where the line takes it badly, and remember that (S4)."""
        before_s, gentle_s = self._pace.fast_s, GENTLE_S[self.driver.transport]
        self._pace = pace.judged(self._pace, self.driver.counters, gentle_s, time.monotonic())
        if self._pace.fast_s == before_s:
            return
        self._outbox.remember_pace(self.unit.name, pace.encode(self._pace))
        why = "many line errors" if self._pace.fast_s > before_s else "a day without line errors"
        logger.warning("%s: %s: asked every %g s from now on", self.unit.name, why, self._pace.fast_s)

    async def _attempt(self, full: bool) -> Snapshot:
        """A reading that is believed, and what becomes of the unit if there is none. Raises DriverError or Doubtful."""
        self._polls += 1
        try:
            snapshot = await self._read(full)
        except (DriverError, Doubtful) as error:
            self._failed_polls += 1
            self._met = False
            if await self._acquaintance.failed(error):
                self._tempo.answered()
            else:
                self._tempo.failed(self._account.state.lost_at is not None)
            raise
        self._tempo.answered()
        return snapshot

    async def _read(self, full: bool) -> Snapshot:
        account, tempo = self._account, self._tempo
        if not self._met:
            self._acquaintance.meet(await self._reader.introduced())
            self._met = True
        due = tempo.full_is_due(self._pace, time.monotonic(), account.on_battery)
        power, cause = account.state.power, account.state.cause
        full = full or (due and not self._looks_first())
        snapshot = await self._reader.take(full)
        if power not in (None, account.state.power):
            tempo.transferred(time.monotonic())
        if not full and (due or (power, cause) != (account.state.power, account.state.cause)):
            full = True
            snapshot = await self._reader.take(full)
        if full:
            self._met = await self._reader.who() == account.identity
        return snapshot

    def _looks_first(self) -> bool:
        """On mains no transfer waits for measurements: they are read behind a look at the state. Not where each request
        has its price, or one tells all.
        """
        pace_ = self.driver.pace
        worth_it = pace_.fast_s < pace_.full_s and not pace_.request_gap_s
        return worth_it and not self._account.on_battery and self._tempo.has_full
