"""One upgrade of one unit: its states (gateway-ota.md A5), all that is remembered of it, and one step between two."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from gateway.firmware.effects import Effect, Record, Release, Report, Transition
from gateway.firmware.hindrance import Hindrance
from gateway.firmware.states import HOLDING, TERMINAL, State
from gateway.wire.firmware import Digest, Facts, FirmwareOrder, TargetPath
from gateway.wire.messages import Instant, Message, Scalar, ShortText, Stamp
from gateway.wire.orders import Nonce

REVISIONS = 64
"""A job with more transitions goes round in circles (Mender's loop breaker, A1)."""


class Source(Message, frozen=True, kw_only=True):
    """A verified target: its path in the repository and its signed facts."""

    target: TargetPath
    facts: Facts

    @property
    def sha256(self) -> Digest:
        return self.facts.image.sha256


class Lease(Message, frozen=True, kw_only=True):
    """A challenge for a go, and from when it counts; once the go is there, how long it is good for."""

    challenge: Nonce
    since: Stamp
    lease_s: int | None = None


class Job(Message, frozen=True, kw_only=True):
    """`images`: the target, and the fallback if the release names one. `port`, `turn`: what is reserved beside the
    unit, `turn` as policy.Policy.turn says it.

    `since`: when the state began, or the process in it. `due_ms`: of its boot's monotonic clock, when something is to
    be done next. `verified`, `checked`: how many of the images are there, and were hashed again. `polls`: times of good
    readings in a row. `looking`: a reading was asked for. `sending`, `sends`: which of the images, how often it was
    begun; `blocks`: how far. `old_since_ms`: since when the unit answers with its old version. `doubt`: what was not
    right about the last reading of the new one.
    """

    id: Nonce
    order: FirmwareOrder
    images: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1, max_length=2)]
    port: str
    turn: ShortText
    built_at: Instant = 0
    state: State = State.OFFERED
    rev: int = 0
    since: Stamp
    due_ms: int | None = None
    hardware_id: ShortText = ""
    from_version: ShortText = ""
    verified: int = 0
    progress: int = 0
    asked: Lease | None = None
    polls: tuple[float, ...] = ()
    looking: bool = False
    locked: bool = False
    checked: int = 0
    sending: int = 0
    sends: int = 0
    blocks: int = 0
    old_since_ms: int | None = None
    doubt: ShortText = ""
    deferrals: int = 0
    hindrances: tuple[Hindrance, ...] = ()
    retry_at: Instant | None = None
    cancel_asked: bool = False
    halted: bool = False

    @property
    def facts(self) -> Facts:
        """Of the target; what is being sent may be the fallback."""
        return self.images[0].facts

    @property
    def image(self) -> Source:
        """What is sent, or to be sent."""
        return self.images[self.sending]

    @property
    def locks(self) -> tuple[str, ...]:
        """Keys of which each may be held by one job at a time (A7, invariant 8)."""
        return tuple(dict.fromkeys((f"serial {self.order.serial}", f"port {self.port}", self.turn)))

    @property
    def open(self) -> bool:
        return self.state not in TERMINAL


Step = tuple[Job, tuple[Effect, ...]]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a state changed: one lower-case word, and what was seen."""

    word: str
    evidence: dict[str, Scalar] = {}
    hindrances: tuple[Hindrance, ...] = ()


def new(
    order: FirmwareOrder,
    images: tuple[Source, ...],
    now: Stamp,
    *,
    port: str,
    turn: str,
    built_at: Instant = 0,
) -> Job:
    """A job for an order whose signatures and target have been verified. `images`: target, then fallback.

    Raises ValueError if they are not what the order names.
    """
    if images[0].target != order.target or images[0].sha256 != order.sha256:
        raise ValueError(f"the order names {order.target} with {order.sha256}, not {images[0].target}")
    if [each.target for each in images[1:]] != [each for each in [images[0].facts.recover.fallback] if each]:
        raise ValueError(f"the fallback of {order.target} is {images[0].facts.recover.fallback}")
    return Job(id=order.id, order=order, images=images, port=port, turn=turn, built_at=built_at, since=now)


_ANEW: Mapping[str, object] = MappingProxyType(
    {"due_ms": None, "polls": (), "looking": False, "old_since_ms": None, "doubt": ""}
)
"""What a state does not take over from the one before."""


def changed(job: Job, **changes: Any) -> Job:
    return msgspec.structs.replace(job, **changes)


def stay(job: Job, *effects: Effect, **changes: Any) -> Step:
    """No transition; nothing here has to outlive the process."""
    return changed(job, **changes), effects


def move(job: Job, to: State, cause: Cause, now: Stamp, *effects: Effect, **changes: Any) -> Step:
    """A transition. Its record comes first among the effects: nothing acts before it is on the disk."""
    if job.rev >= REVISIONS and to not in TERMINAL:
        to, cause, effects, changes = State.NEEDS_HANDS, Cause(word="loop", evidence={"wanted": to.value}), (), {}
    following = changed(job, state=to, rev=job.rev + 1, since=now, **_ANEW)
    if to not in HOLDING:
        following = changed(following, locked=False, checked=0)
    if to not in (State.PRECHECK, State.ARMED):
        following = changed(following, asked=None)
    release = (Release(job=job.id, keys=job.locks),) if job.state in HOLDING and to not in HOLDING else ()
    transition = _transition(job, to, cause, now)
    return changed(following, **changes), (Record(transition), *effects, *release, Report(transition))


def note(job: Job, cause: Cause, now: Stamp, **changes: Any) -> Step:
    """Something that is recorded and changes nothing of what goes on."""
    if job.rev >= REVISIONS:
        return stay(job, **changes)
    transition = _transition(job, job.state, cause, now)
    return changed(job, rev=job.rev + 1, **changes), (Record(transition), Report(transition))


def _transition(job: Job, to: State, cause: Cause, now: Stamp) -> Transition:
    return Transition(
        job=job.id,
        rev=job.rev + 1,
        before=job.state,
        after=to,
        cause=cause.word,
        evidence=cause.evidence,
        hindrances=cause.hindrances,
        stamp=now,
    )


def elapsed_ms(since: Stamp, now: Stamp) -> int:
    """By the monotonic clock; another boot is a new beginning, and time never runs backwards."""
    return max(0, now.mono - since.mono) if now.boot == since.boot else 0


def is_due(job: Job, now: Stamp) -> bool:
    return job.due_ms is None or now.boot != job.since.boot or now.mono >= job.due_ms
