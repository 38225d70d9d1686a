"""Two units of one redundancy group, their gateway's journal and process, and a cloud, all in memory and all breakable.

Each check names the invariant of gateway-ota.md A7 that it is of.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from drivers.ups import Identity
from drivers.ups import State as Power
from gateway.firmware import events
from gateway.firmware.effects import (
    AskForGo,
    CheckImage,
    Download,
    Effect,
    Enter,
    HoldDownload,
    Lock,
    Probe,
    RaiseCounter,
    ReadIdentity,
    ReadUnit,
    Record,
    Release,
    Report,
    SendImage,
    Transition,
)
from gateway.firmware.events import Event, Found
from gateway.firmware.job import REVISIONS, Job, Source, new
from gateway.firmware.preconditions import hindrances
from gateway.firmware.states import BEYOND, HOLDING, TERMINAL, State
from gateway.firmware.topology import Supply, Topology
from gateway.firmware.upgrade import recover, step
from gateway.store.firmware import Journal
from gateway.store.firmware_schema import migrate
from gateway.wire.firmware import GO_S, After, Before, Go, OutputMode, Recover
from gateway.wire.firmware_versions import known
from gateway.wire.messages import Clock, Stamp
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.upgrading import ANYTHING, HOUR_MS, NEW, NOW_MS, OLD, SAFE, SHA, TARGET

BOOT_S, LEASES_S = 60, (30, GO_S)
ACTS = (Enter, SendImage, Probe, ReadUnit, ReadIdentity)
"""Of these a job has one under way at most."""


class CrashError(Exception):
    """The process is gone."""


class Flaw(StrEnum):
    """What becomes of something that is done; NONE is as it should be."""

    NONE = "none"
    FAILS = "fails"
    LOST = "lost"
    BACK = "back"
    UNKNOWN = "unknown"


class Unit:
    """`loader`: it waits in its boot loader. `boots_at`: of the world's time, when it runs something again."""

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.version = OLD
        self.loader = False
        self.boots_at = 0
        self.dead = False
        self.writes = 0
        self.new_reads = 0

    def identity(self) -> Identity:
        return upgrading.identity(self.version, serial=self.serial)


class World:
    def __init__(self, *, with_fallback: bool, output: OutputMode) -> None:
        self.real_ms = 0
        self.boot_number, self.booted_ms, self.skew_ms = 1, -upgrading.MONO_MS, 0
        self.synchronised, self.mains = True, True
        self.mains_since_ms = self.process_since_ms = -upgrading.MONO_MS
        self.topology: Topology = SAFE
        self.units = {name: Unit(name) for name in ("AS1", "AS2")}
        connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(Path(":memory:"), connection)
        self.journal = Journal(Path(":memory:"), connection)
        self.with_fallback, self.output = with_fallback, output
        self.jobs: dict[str, Job] = {}
        self.pending: list[tuple[str, Effect]] = []
        self.locks: dict[str, str] = {}
        self.crash_at: str = ""
        self.halted_at: int | None = None
        self.asked: dict[str, tuple[str, int]] = {}
        self.good_read_at: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.outbox: dict[str, list[Transition]] = {}
        self.counter = 0
        self.orders = 0

    def close(self) -> None:
        self.journal.connection.close()

    # clocks

    @property
    def mono(self) -> int:
        return self.real_ms - self.booted_ms

    def now(self) -> Stamp:
        clock = Clock.SYNCHRONISED if self.synchronised else Clock.UNSYNCHRONISED
        at = NOW_MS + self.real_ms + self.skew_ms
        return Stamp(at=at, boot=f"b{self.boot_number}", mono=self.mono, clock=clock.value)

    def passes(self, seconds: float) -> None:
        self.real_ms += round(seconds * 1000)

    # what can happen

    def offer(self, serial: str, counter: int) -> None:
        if any(job.order.serial == serial and job.open for job in self.jobs.values()):
            return
        self.orders += 1
        order = upgrading.order(
            id=f"{self.orders:032x}",
            serial=serial,
            output=self.output,
            begin_at=NOW_MS + self.real_ms - HOUR_MS,
            end_at=NOW_MS + self.real_ms + 100 * HOUR_MS,
        )
        recovery = Recover(same_image=1, fallback=upgrading.FALLBACK if self.with_fallback else None)
        facts = upgrading.facts(
            release_counter=counter,
            before=Before(mains_stable_s=60),
            after=After(boot_s=BOOT_S, settle_s=10),
            recover=recovery,
        )
        images = [Source(target=TARGET, facts=facts)]
        if self.with_fallback:
            older = upgrading.fallback()
            images.append(
                msgspec.structs.replace(older, facts=msgspec.structs.replace(older.facts, release_counter=counter))
            )
        job = new(order, tuple(images), self.now(), port=f"/dev/{serial}", turn="group rack")
        self.journal.add(job)
        self.jobs[job.id] = job
        self.tell(job.id, events.Offered(now=self.now()))

    def tick(self) -> None:
        for name in list(self.jobs):
            self.tell(name, events.Tick(now=self.now()))

    def tell(self, name: str, event: Event) -> None:
        """One event; a crash in it ends the process, and another one begins."""
        try:
            self._step(name, event)
        except CrashError:
            self.restart(reboots=False)

    def restart(self, *, reboots: bool) -> None:
        self.crash_at = ""
        self.pending, self.locks, self.asked = [], {}, {}
        if reboots:
            self.boot_number += 1
            self.booted_ms = self.real_ms
        self.process_since_ms = self.real_ms
        ended = {name: job for name, job in self.jobs.items() if self.journal.job(name) == job and not job.open}
        self.jobs = ended | {job.id: job for job in self.journal.open_jobs()}
        for transition in self.journal.unreported():
            self._report(transition)
        for job in self.journal.open_jobs():
            once = recover(job, self.now())
            assert recover(once[0], self.now())[0] == once[0], "invariant 11: recovering twice is recovering once"
            self.tell(job.id, events.Recovered(now=self.now()))

    def cancel(self, name: str) -> None:
        job, dies = self.jobs[name], self.crash_at == "before"
        self.tell(name, events.Cancelled(now=self.now(), by="Ann"))
        if job.state not in BEYOND and job.open and not dies:  # else it was not heard, and is asked for again
            assert self.jobs[name].state is State.CANCELLED, "invariant 14: a cancel before entering is obeyed"
            self.cancelled.add(name)

    def go(self, challenge: str, lease_s: int, to: str) -> None:
        """The cloud's, if it is not halted; `to` is the job it is handed to, its own or another."""
        if self.halted_at is None:
            self.tell(to, events.GoReceived(now=self.now(), go=self._go(challenge, lease_s)))

    def _go(self, challenge: str, lease_s: int) -> Go:
        order = self.jobs[self.asked[challenge][0]].order
        return upgrading.go(order=order.id, serial=order.serial, challenge=challenge, lease_s=lease_s)

    # the process

    def _step(self, name: str, event: Event) -> None:
        before = self.jobs[name]
        after, effects = step(before, event)
        transitions = [effect.transition for effect in effects if isinstance(effect, Record)]
        if transitions:
            self._crash("before")
            self.journal.keep(after, effects)
            self._check(before, after, transitions[0], event, effects)
            self.jobs[name] = after
            self._crash("after")
        self.jobs[name] = after
        for effect in effects:
            self._begin(name, effect)

    def _begin(self, name: str, effect: Effect) -> None:
        match effect:
            case Record() | RaiseCounter():
                return
            case Report():
                self._report(effect.transition)
                return
            case Release():
                self.locks = {key: holder for key, holder in self.locks.items() if holder != name}
                self.pending = [each for each in self.pending if each[0] != name]
                return
            case HoldDownload():
                self.pending = [each for each in self.pending if each[0] != name or not isinstance(each[1], Download)]
                return
        if isinstance(effect, ACTS):
            self.pending = [each for each in self.pending if each[0] != name or not isinstance(each[1], ACTS)]
        self.pending.append((name, effect))

    def _report(self, transition: Transition) -> None:
        told = self.outbox.setdefault(transition.job, [])
        if all(each.rev != transition.rev for each in told):
            assert transition.rev == len(told) + 1, "invariant 17: transitions are told in order"
            told.append(transition)
        self._crash("reported")
        self.journal.reported(transition.job, transition.rev)

    def _crash(self, point: str) -> None:
        if self.crash_at == point:
            raise CrashError

    # acting

    def act(self, index: int, flaw: Flaw) -> None:
        """Carry out one of the effects that are under way."""
        if not self.pending:
            return
        name, effect = self.pending.pop(index % len(self.pending))
        event = self._carry_out(name, effect, flaw)
        if event is not None:
            self.tell(name, event)

    def _carry_out(self, name: str, effect: Effect, flaw: Flaw) -> Event | None:
        now, unit = self.now(), self.units[self.jobs[name].order.serial]
        good = flaw is Flaw.NONE
        match effect:
            case Download():
                if flaw is Flaw.FAILS:
                    return events.BudgetSpent(now=now, reason="attempts_used_up", value=10, threshold=10)
                if flaw is Flaw.LOST:
                    return events.Paused(now=now, reason="no_room", value=1, threshold=2)
                return events.Verified(now=now, sha256=effect.sha256)
            case AskForGo():
                challenge = f"{len(self.asked) + self.boot_number * 10**6 + self.real_ms:032x}"
                self.asked[challenge] = (name, self.real_ms)
                return events.GoAsked(now=now, challenge=challenge)
            case Lock():
                other = [key for key in effect.keys if self.locks.get(key, name) != name]
                if other:
                    return events.NotLocked(now=now, key=other[0], holder=self.locks[other[0]])
                self.locks |= dict.fromkeys(effect.keys, name)
                return events.Locked(now=now)
            case CheckImage():
                whole = events.Verified(now=now, sha256=effect.sha256)
                return events.ImageDamaged(now=now, sha256=effect.sha256) if flaw is Flaw.FAILS else whole
            case ReadUnit() | ReadIdentity():
                return self._read(unit, flaw)
            case Enter():
                return self._enter(name, unit, effect, flaw)
            case SendImage():
                return self._send(name, unit, effect, flaw)
            case Probe():
                return self._probe(unit, knows_mains=good)
        raise AssertionError(f"nobody carries out {effect}")

    def _is_up(self, unit: Unit) -> bool:
        return not (unit.dead or unit.loader) and self.real_ms >= unit.boots_at

    def _read(self, unit: Unit, flaw: Flaw) -> Event | None:
        if not self._is_up(unit) or flaw is Flaw.LOST:
            return None
        asked = self.now()
        shown: dict[str, Any] = {} if self.mains else {"state": Power.ON_BATTERY}
        if flaw is Flaw.UNKNOWN:
            shown = {"charge_pct": float("nan"), **shown}
        if self.output is OutputMode.OFF:
            shown["load_pct"] = 0.0
        good_for_s = (self.real_ms - max(self.mains_since_ms, self.process_since_ms)) / 1000
        seen = upgrading.readings(asked, unit.version, good_for_s=good_for_s, **shown)
        seen = msgspec.structs.replace(
            seen,
            identity=unit.identity(),
            counter=self.journal.highest_counter(upgrading.HARDWARE_ID),
        )
        if flaw is Flaw.FAILS:  # it was asked, and its answer came late
            self.passes(3)
        if self.mains and flaw in (Flaw.NONE, Flaw.BACK):
            self.good_read_at[unit.serial] = self.real_ms
        if unit.version == NEW and flaw is not Flaw.FAILS:
            unit.new_reads += 1
        return events.Read(now=self.now(), readings=seen, topology=self.topology, rules=ANYTHING)

    def _enter(self, name: str, unit: Unit, effect: Enter, flaw: Flaw) -> Event:
        now, job = self.now(), self.jobs[name]
        if now.mono > effect.by_ms:
            return events.EnterRefused(now=now, reason="too_late")
        assert self.real_ms - self.good_read_at[unit.serial] <= 1000, "invariant 1: on mains is at most 1 s old"
        assert unit.serial == job.order.serial == effect.serial, "invariant 2: only to the unit of the order"
        is_known = known(unit.identity())
        assert not self._is_up(unit) or (is_known and is_known.version == OLD), "invariant 2: only from its versions"
        self._write(name, unit)
        if not self._is_up(unit) or flaw is Flaw.LOST:
            return events.EnterUnanswered(now=now)
        if not self.mains:
            return events.EnterRefused(now=now, reason="on_battery")
        if flaw is Flaw.FAILS:
            return events.EnterRefused(now=now, reason="busy")
        unit.loader, unit.new_reads = True, 0
        return events.EnterUnanswered(now=now) if flaw is Flaw.UNKNOWN else events.Entered(now=now)

    def _send(self, name: str, unit: Unit, effect: SendImage, flaw: Flaw) -> Event:
        job = self.jobs[name]
        assert job.state is State.TRANSFERRING, "invariant 2: nothing is sent but what is journalled"
        assert effect.sha256 in {source.sha256 for source in job.images}, "invariant 3: only a verified image is sent"
        self._write(name, unit)
        self.passes(5)
        if unit.dead or not unit.loader or flaw is Flaw.LOST:
            return events.TransferFailed(now=self.now(), reason="no_start")
        if flaw is Flaw.FAILS:
            return events.TransferFailed(now=self.now(), reason="line", blocks=3)
        unit.loader, unit.new_reads = False, 0
        unit.boots_at = self.real_ms + 10_000
        if flaw is not Flaw.BACK:
            unit.version = NEW if effect.sha256 == SHA else "15.3"
        if flaw is Flaw.UNKNOWN:
            return events.TransferFailed(now=self.now(), reason="unconfirmed", blocks=8)
        return events.TransferDone(now=self.now(), blocks=8)

    def _write(self, name: str, unit: Unit) -> None:
        assert name not in self.cancelled, "invariant 14: nothing is written after a cancel before entering"
        holder = {self.locks.get(key) for key in self.jobs[name].locks}
        assert holder == {name}, "invariant 8: who writes has reserved unit, port and group"
        unit.writes += 1

    def _probe(self, unit: Unit, *, knows_mains: bool) -> Event:
        mains = self.mains if knows_mains else None
        found = Found.BOOT_LOADER if unit.loader else Found.ANSWERS
        if unit.dead or self.real_ms < unit.boots_at or (unit.loader and not self.mains):
            found = Found.SILENCE
        who = unit.identity() if found is Found.ANSWERS else None
        return events.Probed(now=self.now(), found=found, identity=who, mains=mains)

    # what must hold

    def _check(self, before: Job, after: Job, made: Transition, event: Event, effects: Iterable[Effect]) -> None:
        assert (made.rev, made.before, made.after) == (before.rev + 1, before.state, after.state)
        assert after.rev <= REVISIONS + 1, "invariant 10: no job goes round in circles"
        assert before.open, "a state that ends a job is never left"
        if made.after is State.DEFERRED:
            self._check_deferred(after, made)
        if made.after is State.PRECHECK:
            self._check_go(after, event)
        if made.after is State.ARMED and self.output is OutputMode.OFF:
            hanging = {self.topology.gateway, self.topology.uplink} & {Supply.DOWNSTREAM, Supply.UNKNOWN}
            assert not hanging, "invariant 20: nothing that hangs on the unit is cut off"
        if (made.before, made.after) != (after.state, after.state) and made.after is State.ENTERING:
            self._check_entering(before, after, event, effects)
        if made.after is State.COMMITTED:
            self._check_committed(after)
        highest = self.journal.highest_counter(upgrading.HARDWARE_ID)
        assert highest >= self.counter, "invariant 5: the highest counter never falls"
        assert highest == self.counter or made.after is State.COMMITTED, "invariants 5, 21: raised at a commit only"
        self.counter = highest

    def _check_deferred(self, after: Job, made: Transition) -> None:
        assert made.hindrances, "invariant 18: a deferral has a reason"
        for each in made.hindrances:
            assert each.reason, "invariant 18: a reason has a name"
            assert each.value not in (None, ""), "invariant 18: and its value"
            assert each.threshold not in (None, ""), "invariant 18: and its threshold"
        assert after.retry_at is not None

    def _check_go(self, after: Job, event: Event) -> None:
        assert isinstance(event, events.GoReceived)
        owner, asked_ms = self.asked[event.go.challenge]
        assert owner == after.id == event.go.order, "invariant 6: a go for A is refused by B"
        assert self.real_ms - asked_ms <= event.go.lease_s * 1000, "invariant 7: a go is fresh"

    def _check_entering(self, before: Job, after: Job, event: Event, effects: Iterable[Effect]) -> None:
        assert isinstance(event, events.Read)
        now, seen = event.now, event.readings
        assert self.real_ms - self.good_read_at[after.order.serial] <= 1000, "invariant 1: on mains, at most 1 s old"
        assert before.asked is not None
        asked_ms = self.asked[before.asked.challenge][1]
        assert self.real_ms - asked_ms <= (before.asked.lease_s or 0) * 1000 <= GO_S * 1000, "invariant 7: a fresh go"
        if self.halted_at is not None:
            assert self.real_ms - self.halted_at <= GO_S * 1000, "invariant 7: nothing starts a lease after a halt"
        assert self.synchronised, "invariant 21: never with an untrusted clock"
        assert before.facts.release_counter >= self.counter, "invariant 5: no lower counter is installed"
        assert not hindrances(after.order, after.facts, seen, now, event.topology, event.rules), "invariant 19"
        others = [job for job in self.jobs.values() if job.id != after.id and job.state in BEYOND]
        assert not any(set(job.locks) & set(after.locks) for job in others), "invariant 8: one job past armed"
        assert sum(isinstance(effect, Enter) for effect in effects) == 1

    def _check_committed(self, after: Job) -> None:
        unit = self.units[after.order.serial]
        assert self._is_up(unit), "invariant 15: committed is truthful"
        assert unit.version == after.image.facts.version, "invariant 16: the version that was expected"
        assert after.sending == 1 or unit.new_reads >= 2, "invariant 16: read after the reboot, twice"
        assert len(after.polls) == 0

    def check_always(self) -> None:
        keys = Counter(key for job in self.jobs.values() if job.state in BEYOND for key in job.locks)
        assert all(count == 1 for count in keys.values()), "invariant 8: one job past armed for each key"
        for name, holder in self.locks.items():
            assert self.jobs[holder].state in HOLDING, f"invariant 9: {name} is given back"
        for name in self.cancelled:
            assert self.jobs[name].state is State.CANCELLED, "invariant 14: what was cancelled stays so"

    # left alone, everything ends

    def settle(self) -> None:
        """Invariant 10: no operator, no more faults; every job ends, or waits for something that it names."""
        self.crash_at, self.synchronised, self.mains, self.skew_ms = "", True, True, 0
        self.mains_since_ms = self.real_ms
        self.restart(reboots=False)
        for _ in range(400):
            if all(not job.open for job in self.jobs.values()):
                break
            self.round()
        for name, job in self.jobs.items():
            told, logged = self.outbox.get(name, []), list(self.journal.log(name))
            assert told == logged, "invariant 17: each transition is told once in effect"
            assert [each.rev for each in logged] == list(range(1, job.rev + 1))
            self._check_end(job, logged)

    def _check_end(self, job: Job, logged: list[Transition]) -> None:
        unit = self.units[job.order.serial]
        waits = job.state in (State.WAITING, State.DEFERRED, State.PAUSED, State.OFFERED)
        assert job.state in TERMINAL or waits, f"invariant 10: {job.state} is no end"
        if job.state is State.NEEDS_HANDS:
            causes = {each.cause for each in logged}
            assert causes & {"silent", "tries_spent", "still_old_version", "unexpected_version", "loop"}
        if job.cancel_asked and job.state is State.COMMITTED:
            causes = {each.cause for each in logged}
            assert "cancel_not_obeyed" in causes, "invariant 15: a cancel after entering is recorded"
        if unit.loader and not unit.dead:
            assert job.state is State.NEEDS_HANDS or self._later(job), (
                "invariant 10: nothing is left in its boot loader"
            )

    def _later(self, job: Job) -> bool:
        """Another job of the same unit came after it."""
        return any(each.order.serial == job.order.serial and each.id > job.id for each in self.jobs.values())

    def round(self, flaw: Callable[[], Flaw] = lambda: Flaw.NONE, until: State | None = None) -> None:
        """Time passes, and all that is under way comes to its end, or to `until`; the cloud says go to whoever asks."""
        is_busy = self.pending or any(job.state in HOLDING | {State.PRECHECK} for job in self.jobs.values())
        self.passes(10 if is_busy else 60)
        self.tick()
        for _ in range(12):
            if not self.pending or any(job.state is until for job in self.jobs.values()):
                break
            self.passes(0.2)
            self.act(0, flaw())
            self._answer_asked()

    def comes_to(self, state: State) -> None:
        """All goes well until a job is in this state, what it asks for not done yet; or for a while."""
        for _ in range(40):
            if any(job.state is state for job in self.jobs.values()):
                return
            self.round(until=state)

    def _answer_asked(self) -> None:
        for challenge, (name, _) in list(self.asked.items()):
            asked = self.jobs[name].asked
            if asked is not None and asked.challenge == challenge and asked.lease_s is None:
                self.go(challenge, GO_S, name)
