"""One upgrade at a time, told what happens event by event."""

from __future__ import annotations

from typing import Any

from gateway.firmware import events
from gateway.firmware.effects import (
    AskForGo,
    CheckImage,
    Effect,
    ReadUnit,
    Record,
    Transition,
)
from gateway.firmware.events import Event, Found
from gateway.firmware.job import Job
from gateway.firmware.look import Readings
from gateway.firmware.states import State
from gateway.firmware.topology import Rules
from gateway.firmware.upgrade import step
from gateway.wire.messages import Stamp
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.upgrading import ANYTHING, CHALLENGE, NEW, OLD, SAFE, stamp

BOOT_MS = 60_000


class Desk:
    """One job, its clock, and what it asked for last."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.ms = 0
        self.effects: tuple[Effect, ...] = ()
        self.skew_ms = 0

    @property
    def now(self) -> Stamp:
        return stamp(self.ms, skew_ms=self.skew_ms)

    def tell(self, event: Event) -> State:
        self.job, self.effects = step(self.job, event)
        return self.job.state

    def tick(self, after_s: float = 0) -> State:
        self.ms += round(after_s * 1000)
        return self.tell(events.Tick(now=self.now))

    def reads(self, version: str = OLD, seen: Readings | None = None, rules: Rules = ANYTHING, **shown: Any) -> State:
        seen = upgrading.readings(self.now, version, **shown) if seen is None else seen
        return self.tell(events.Read(now=self.now, readings=seen, topology=SAFE, rules=rules))

    def finds(self, found: Found, version: str | None = None, *, mains: bool | None = None, **who: Any) -> State:
        identity = None if version is None else upgrading.identity(version, **who)
        return self.tell(events.Probed(now=self.now, found=found, identity=identity, mains=mains))

    def asked(self, kind: type[Effect]) -> bool:
        return any(isinstance(effect, kind) for effect in self.effects)

    @property
    def transition(self) -> Transition:
        (one,) = [effect.transition for effect in self.effects if isinstance(effect, Record)]
        return one


def at(state: State, **changes: Any) -> Desk:
    """A desk whose job came to `state` on the shortest way; `changes` are those of `upgrading.job`."""
    desk = Desk(upgrading.job(**changes))
    for tell in (
        lambda: desk.reads(),
        lambda: [desk.tell(events.Verified(now=desk.now, sha256=each.sha256)) for each in desk.job.images],
        lambda: desk.tick(1),
        lambda: goes(desk),
        lambda: is_well_for_a_minute(desk),
        lambda: enters(desk),
        lambda: desk.tell(events.Entered(now=desk.now)),
        lambda: desk.tell(events.TransferDone(now=desk.now, blocks=8)),
        lambda: desk.finds(Found.ANSWERS, NEW),
        lambda: [desk.tick(20), desk.reads(NEW), desk.tick(20), desk.reads(NEW)],
    ):
        if desk.job.state is state:
            return desk
        tell()
    assert desk.job.state is state
    return desk


def goes(desk: Desk) -> None:
    desk.reads()
    assert desk.asked(AskForGo)
    desk.tell(events.GoAsked(now=desk.now, challenge=CHALLENGE))
    desk.tell(events.GoReceived(now=desk.now, go=upgrading.go()))


def is_well_for_a_minute(desk: Desk) -> None:
    for _ in range(3):
        desk.reads()
        desk.ms += 30_000


def reserves(desk: Desk) -> None:
    desk.tell(events.Locked(now=desk.now))
    for source in desk.job.images:
        assert desk.asked(CheckImage)
        desk.tell(events.Verified(now=desk.now, sha256=source.sha256))
    assert desk.asked(ReadUnit)


def enters(desk: Desk) -> None:
    reserves(desk)
    desk.reads()


def recovering(**changes: Any) -> Desk:
    desk = at(State.TRANSFERRING, **changes)
    desk.tell(events.TransferFailed(now=desk.now, reason="line", blocks=3))
    assert desk.job.state is State.RECOVERING
    return desk
