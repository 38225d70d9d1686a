"""What is remembered of one unit and told of it: its state, the events, the status by exception."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from drivers.driver import Transport
from drivers.errors import DriverError, LineDown
from drivers.ups import Event, Identity, Severity, Snapshot, State
from gateway import clock as steps
from gateway import detect, identity, plausible, readings, records, report, silence, unit_state
from gateway.errors import Doubtful
from gateway.readings import Detail, is_full
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.seen import Seen
from gateway.settings import UnitSettings
from gateway.store.outbox import UnitRow
from gateway.unit_state import UnitState
from gateway.wire.messages import Kind, Record

logger = logging.getLogger("gateway.poller")


class Reading(msgspec.Struct, frozen=True):
    """One reading and what would follow from it."""

    snapshot: Snapshot
    state: UnitState
    events: tuple[Event, ...]
    doubt: plausible.Doubt
    read_ms: float


class Account:
    """`believed`: the last reading that was. `trouble`: why there is no newer one. `answered_s`: when it came, or when
    the unit was first asked (monotonic). `is_twin`: who answered last is read under another name.
    """

    def __init__(
        self,
        unit: UnitSettings,
        transport: Transport,
        outbox: Outbox,
        clock: SystemClock,
        watch: Callable[[Seen], None],
    ) -> None:
        self.name = unit.name
        self._transport = transport
        self._outbox = outbox
        self._clock = clock
        self._watch = watch
        self._limits = detect.Limits(low_battery_runtime_s=unit.low_battery_runtime_s)
        self._deadbands = {**report.DEADBANDS, **unit.deadbands}
        self.state = self._kept = unit_state.resume(outbox.units.get(unit.name, UnitRow()).state)
        self.identity: Identity | None = None
        self.believed: Snapshot | None = None
        self.answered_at: datetime | None = None
        self.answered_s = time.monotonic()
        self.trouble = ""
        self._reported: report.Reported | None = None
        self._tell_all = True
        self.is_twin = False
        self._offset_ms = steps.offset(clock.stamp())

    @property
    def on_battery(self) -> bool:
        return self.state.power is State.ON_BATTERY

    def tell_all(self) -> None:
        """Report the whole status with the next reading."""
        self._tell_all = True

    def keep(self) -> None:
        """Leave the state to the outbox."""
        self._outbox.remember(self.name, unit_state.encode(self.state))

    def weigh(self, snapshot: Snapshot, read_ms: float) -> Reading:
        if self._follow_clock():  # the clock may have been set while it was read
            now_at = self._clock.utc()
            full_at = now_at if is_full(snapshot) else snapshot.full_at
            snapshot = msgspec.structs.replace(snapshot, at=now_at, full_at=full_at)
        state, events = detect.step(self.state, snapshot, self._limits)
        doubt = plausible.weigh(self.state, self.believed, snapshot, events)
        return Reading(snapshot, state, events, doubt, read_ms)

    def transfer(self, snapshot: Snapshot, earlier: Snapshot | None) -> Snapshot | None:
        """See gateway.plausible.transfer."""
        return plausible.transfer(self.state, self.believed, snapshot, earlier)

    def believe(self, reading: Reading) -> None:
        shown = reading.snapshot
        self.answered_s, self.answered_at = time.monotonic(), self._clock.utc()
        self.trouble = ""
        self.believed = shown
        self._record(reading.state, reading.events, read_ms=reading.read_ms)
        self._report(shown)
        stamp = self._clock.stamp()
        self._watch(Seen(unit=self.name, snapshot=shown, full=is_full(shown), identity=self.identity, stamp=stamp))

    def met(self, who: Identity) -> None:
        """Each time the line is up again: who answers is told when that is news."""
        self._follow_clock()
        self._record(*identity.identified(self.state, who, self._clock.utc()))
        if who != self.identity:
            body = records.identity_body(who, self._transport.value)
            self._outbox.status([records.record(Kind.IDENTITY, self._clock.stamp(), self.name, body)])
            logger.info("%s: %s %s answers", self.name, who.model or "a unit", who.serial or "without serial number")
        self.identity = who
        self._tell_all, self.is_twin = True, False

    def failed(self, error: DriverError | Doubtful, answers_at: str | None) -> None:
        """`answers_at`: the other name under which the unit was seen."""
        if not isinstance(error, LineDown):
            self.trouble = str(error)
        logger.debug("%s: %s", self.name, error)
        if self.state.stranger is not None or self.is_twin:  # told already why nothing is read
            return
        self._follow_clock()
        silent_s = time.monotonic() - self.answered_s
        state, events = silence.failed(self.state, self._clock.utc(), silent_s, answers_at)
        self._record(state, events)

    def stranger(self, error: DriverError, expected: str, found: str | None, more: dict[str, Detail]) -> None:
        """Another unit answers: told once, with `more` about it (S3)."""
        self.trouble, self.is_twin = str(error), False
        now_at = self._clock.utc()
        state, events = identity.other_unit(self.state, now_at, expected, found or "(none)", more)
        if events:
            logger.error("%s: %s", self.name, error)
            self._outbox.note_stranger(self.name, found)
        self._record(state, events)

    def accepted(self, serial: str) -> None:
        logger.warning("%s: serial number %s is accepted from now on", self.name, serial)
        self._record(*identity.accepted(self.state, self._clock.utc(), serial))

    def seen_twice(self, error: Doubtful, serial: str, other: str) -> None:
        """The unit is read under another name already: told once."""
        self.trouble, self.is_twin = str(error), True
        state, events = identity.seen_twice(self.state, self._clock.utc(), serial, other)
        if events:
            logger.error("%s: %s", self.name, error)
        self._record(state, events)

    def _follow_clock(self) -> bool:
        """A clock that was set re-dates what is remembered: no time between two readings is a jump of the clock."""
        moved_ms = steps.offset(self._clock.stamp()) - self._offset_ms
        if not steps.is_step(moved_ms):
            return False
        self._offset_ms += moved_ms
        by = timedelta(milliseconds=moved_ms)
        self.state, self._kept = unit_state.moved(self.state, by), unit_state.moved(self._kept, by)
        self.believed = self.believed and readings.moved(self.believed, by)
        self.answered_at = self.answered_at and readings.shifted(self.answered_at, by)
        self._reported = self._reported and report.moved(self._reported, by)
        return True

    def _report(self, snapshot: Snapshot) -> None:
        now_at = self._clock.utc()
        every = report.FULL_EVERY_UNHEARD if self._outbox.is_unheard() else report.FULL_EVERY
        body, self._reported = report.due(self._reported, snapshot, now_at, self._deadbands, self._tell_all, every)
        self._tell_all = False
        if body is not None:
            self._outbox.status([records.record(Kind.STATUS, self._clock.stamp(), self.name, body)])

    def _record(self, state: UnitState, events: Iterable[Event], read_ms: float | None = None) -> None:
        self.state = state
        told = [self._event(event, read_ms) for event in events]
        if told:
            self._outbox.events(self.name, told, unit_state.encode(state))
            self._kept = state
        elif unit_state.worth_keeping(self._kept, state):
            self._outbox.remember(self.name, unit_state.encode(state))
            self._kept = state

    def _event(self, event: Event, read_ms: float | None) -> Record:
        why = f": {self.trouble}" if event.type == "communication_lost" else ""
        afterwards = " (found afterwards)" if event.found_afterwards else ""
        level = logging.INFO if event.severity is Severity.INFORMATIONAL else logging.WARNING
        logger.log(level, "%s: %s%s%s", self.name, event.type, afterwards, why)
        stamp = msgspec.structs.replace(self._clock.stamp(), at=records.milliseconds(event.at))
        return records.record(Kind.EVENT, stamp, self.name, records.event_body(event, read_ms))
