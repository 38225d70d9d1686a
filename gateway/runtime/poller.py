"""Reads one UPS for ever: detection, report by exception, and what becomes of a unit that is silent or not
itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec

from drivers.driver import Alerting, Driver, Transport
from drivers.errors import DriverError, IdentityChanged, LineDown
from drivers.ups import Event, Identity, Severity, Snapshot, State
from gateway import detect, identity, pace, plausible, records, report, silence, unit_state
from gateway.errors import Doubtful
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.settings import UnitSettings
from gateway.store.outbox import UnitRow
from gateway.unit_state import UnitState
from gateway.wire.messages import Kind, Record

logger = logging.getLogger("gateway.poller")

GENTLE_S = {Transport.SERIAL: 1.0, Transport.TCP: 2.0}
"""What every unit of a kind bears (S4); a faster pace falls back to this one where errors are many."""


class _Reading(msgspec.Struct, frozen=True):
    """One reading and what would follow from it."""

    snapshot: Snapshot
    state: UnitState
    events: tuple[Event, ...]
    doubt: plausible.Doubt
    read_ms: float


class Poller:
    """One unit, one driver, one task; nothing here waits for another unit or for the disk."""

    def __init__(self, unit: UnitSettings, driver: Driver, outbox: Outbox, clock: SystemClock) -> None:
        self.unit = unit
        self.driver = driver
        self._outbox = outbox
        self._clock = clock
        self._limits = detect.Limits(low_battery_runtime_s=unit.low_battery_runtime_s)
        self._deadbands = {**report.DEADBANDS, **unit.deadbands}
        row = outbox.units.get(unit.name, UnitRow())
        self._pace = pace.begun(unit.fast_s or driver.pace.fast_s, row.pace)
        self._full_s = unit.full_s or driver.pace.full_s
        self._state = self._kept = unit_state.resume(row.state)
        self._reported: report.Reported | None = None
        self._identity: Identity | None = None
        self._met = False
        self._answered_s = time.monotonic()
        self._full_at_s = 0.0
        self._tell_all = True
        self._trouble = ""
        self._believed: Snapshot | None = None
        self._doubted: plausible.Doubt | None = None
        self.not_believed = 0

    def tell_all(self) -> None:
        """Report the whole status with the next reading."""
        self._tell_all = True

    async def run(self) -> None:
        """Poll until cancelled, at the unit's pace without drift; a late poll is not made up for."""
        due_s = time.monotonic()
        while True:
            await self.poll()
            now_s = time.monotonic()
            self._judge_pace()
            due_s = max(due_s + self._pace.fast_s, now_s)
            if await self._alerted_within(due_s - now_s):
                due_s = time.monotonic()

    async def _alerted_within(self, wait_s: float) -> bool:
        """Wait for the next poll; a unit that rings has it at once (S4)."""
        if not isinstance(self.driver, Alerting):
            await asyncio.sleep(wait_s)
            return False
        try:
            async with asyncio.timeout(wait_s):
                await self.driver.alerted()
        except TimeoutError:
            return False
        return True

    def _judge_pace(self) -> None:
        """Ask less often where the line takes it badly, and remember that (S4)."""
        judged = pace.judged(self._pace, self.driver.counters, GENTLE_S[self.driver.transport])
        if judged.fast_s != self._pace.fast_s:
            logger.warning("%s: many line errors: asked every %g s from now on", self.unit.name, judged.fast_s)
            self._outbox.remember_pace(self.unit.name, pace.encode(judged))
        self._pace = judged

    async def close(self) -> None:
        """Leave the line in order and the state to the outbox."""
        self._outbox.remember(self.unit.name, unit_state.encode(self._state))
        await self.driver.close()

    async def poll(self) -> None:
        """One reading and what follows from it; what fails is told by the rules of gateway.silence."""
        try:
            await self._read()
        except IdentityChanged as error:
            await self._stranger(error)
        except (DriverError, Doubtful) as error:
            self._failed(error)

    async def _read(self) -> None:
        if not self._met:
            self._meet(await self._introduced())
        full = self._state.power is State.ON_BATTERY or time.monotonic() >= self._full_at_s
        before = self._state.power, self._state.cause
        await self._take(full)
        if not full and before != (self._state.power, self._state.cause):
            full = True
            await self._take(full)
        if full:
            self._met = await self.driver.connect() == self._identity

    async def _introduced(self) -> Identity:
        """Who answers, read twice where it is news. Raises Doubtful."""
        who = await self.driver.connect()
        if who != self._identity and await self.driver.identify() != who:
            raise Doubtful("who it is")
        return who

    async def _take(self, full: bool) -> None:
        """One reading that is believed, and all that follows from it."""
        self._believe(await self._credible(full))
        self._doubted = None

    def _believe(self, reading: _Reading) -> None:
        self._answered_s = time.monotonic()
        self._trouble = ""
        self._believed = reading.snapshot
        self._record(reading.state, reading.events, read_ms=reading.read_ms)
        self._report(reading.snapshot)

    async def _credible(self, full: bool) -> _Reading:
        """A reading that nothing speaks against, or that a second one confirms. Raises Doubtful."""
        first = await self._weighed(full)
        if plausible.settled(first.doubt, self._doubted):
            return first
        self._believe_transfer(first)
        self._doubted = first.doubt
        second = await self._weighed(full=True)
        if not plausible.confirms(second.doubt, first.doubt):
            self._not_believed(first.doubt)
        if not plausible.settled(second.doubt, first.doubt):
            self._believe_transfer(second, first.snapshot)
            self._doubted = second.doubt
            raise Doubtful(str(second.doubt))
        return second

    def _believe_transfer(self, reading: _Reading, earlier: Snapshot | None = None) -> None:
        """No outage waits for what is doubted beside it."""
        if (seen := plausible.transfer(self._state, self._believed, reading.snapshot, earlier)) is not None:
            self._believe(self._weigh(seen, reading.read_ms))

    async def _weighed(self, full: bool) -> _Reading:
        began_s = time.monotonic()
        read = await (self.driver.full() if full else self.driver.fast())
        now_s = time.monotonic()
        if full:
            self._full_at_s = now_s + self._full_s - self._pace.fast_s / 2
        return self._weigh(plausible.within_range(read), (now_s - began_s) * 1000)

    def _weigh(self, snapshot: Snapshot, read_ms: float) -> _Reading:
        state, events = detect.step(self._state, snapshot, self._limits)
        return _Reading(
            snapshot, state, events, plausible.weigh(self._state, self._believed, snapshot, events), read_ms
        )

    def _not_believed(self, doubt: plausible.Doubt) -> None:
        """A reading that the next one contradicts: counted; the first is told, as the line's owner should know."""
        self.not_believed += 1
        level = logging.WARNING if self.not_believed == 1 else logging.DEBUG
        logger.log(level, "%s: a reading was not confirmed and is dropped: %s", self.unit.name, doubt)

    def _meet(self, who: Identity) -> None:
        """Each time the line is up again: pin at first contact (S3), tell who answers when that is news."""
        name = self.unit.name
        row = self._outbox.units.get(name)
        if who.serial and (row is None or row.serial is None):
            self._outbox.pin(name, who.serial)
        state, events = identity.identified(self._state, who, self._clock.utc())
        self._record(state, events)
        if who != self._identity:
            body = records.identity_body(who, self.driver.transport.value)
            self._outbox.status([records.record(Kind.IDENTITY, self._clock.stamp(), name, body)])
            logger.info("%s: %s %s answers", name, who.model or "a unit", who.serial or "without serial number")
        self._identity, self._met, self._tell_all = who, True, True

    def _report(self, snapshot: Snapshot) -> None:
        now_at = self._clock.utc()
        body, self._reported = report.due(self._reported, snapshot, now_at, self._deadbands, self._tell_all)
        self._tell_all = False
        if body is not None:
            self._outbox.status([records.record(Kind.STATUS, self._clock.stamp(), self.unit.name, body)])

    def _failed(self, error: DriverError | Doubtful) -> None:
        self._met = False
        if not isinstance(error, LineDown):
            self._trouble = str(error)
        logger.debug("%s: %s", self.unit.name, error)
        if self._state.stranger is not None:  # told already why nothing is read
            return
        state, events = silence.failed(self._state, self._clock.utc(), time.monotonic() - self._answered_s)
        self._record(state, events)

    async def _stranger(self, error: IdentityChanged) -> None:
        """Another unit answers: told once; nothing is read under this name until the owner accepts it
        (S3)."""
        self._met = False
        name, now_at = self.unit.name, self._clock.utc()
        state, events = identity.other_unit(self._state, now_at, error.expected, error.found or "(none)")
        if events:
            logger.error("%s: %s", name, error)
            self._outbox.note_stranger(name, error.found)
        self._record(state, events)
        pinned = await self._outbox.pinned(name)
        if pinned and pinned != error.expected:
            logger.warning("%s: serial number %s is accepted from now on", name, pinned)
            self.driver.accept(pinned)
            self._record(*identity.accepted(self._state, now_at, pinned))

    def _record(self, state: UnitState, events: Iterable[Event], read_ms: float | None = None) -> None:
        self._state = state
        told = [self._event(event, read_ms) for event in events]
        if told:
            self._outbox.events(self.unit.name, told, unit_state.encode(state))
            self._kept = state
        elif unit_state.worth_keeping(self._kept, state):
            self._outbox.remember(self.unit.name, unit_state.encode(state))
            self._kept = state

    def _event(self, event: Event, read_ms: float | None) -> Record:
        why = f": {self._trouble}" if event.type == "communication_lost" else ""
        afterwards = " (found afterwards)" if event.found_afterwards else ""
        level = logging.INFO if event.severity is Severity.INFORMATIONAL else logging.WARNING
        logger.log(level, "%s: %s%s%s", self.unit.name, event.type, afterwards, why)
        stamp = msgspec.structs.replace(self._clock.stamp(), at=records.milliseconds(event.at))
        return records.record(Kind.EVENT, stamp, self.unit.name, records.event_body(event, read_ms))
