"""A unit that is reserved and not itself: it is asked, again and again, and never for ever."""

from __future__ import annotations

from drivers.ups import Identity
from gateway.firmware.effects import Lock, Probe, ReadIdentity
from gateway.firmware.events import Event, Locked, NotLocked, Tick
from gateway.firmware.job import Cause, Job, Step, changed, elapsed_ms, is_due, move, stay
from gateway.firmware.states import State
from gateway.wire.firmware_versions import known
from gateway.wire.messages import Scalar, Stamp

LOOK_S = 5.0
"""Between two questions to a unit that is not itself."""

PATIENCE = 3
"""Times `boot_s` in which a unit may be silent before a person is asked for (A5)."""


def held(job: Job, event: Event) -> Step:
    """Reserve, then ask, again and again; also where nothing ever answers."""
    now = event.now
    match event:
        case Locked():
            return _ask(changed(job, locked=True), now)
        case NotLocked():
            return stay(job, locked=False)
        case Tick() if is_due(job, now):
            if not job.locked:
                return stay(job, Lock(job=job.id, keys=job.locks), due_ms=soon(now))
            if is_over(job, now, PATIENCE + 1) and job.state is not State.SETTLING:
                return hands(job, "silent", now)
            return _ask(job, now)
    return stay(job)


def _ask(job: Job, now: Stamp) -> Step:
    if job.state is State.SETTLING:
        return stay(job, ReadIdentity(), due_ms=soon(now))
    return probe(job, now)


def probe(job: Job, now: Stamp) -> Step:
    return stay(job, Probe(), due_ms=soon(now))


def stranger_in(job: Job, identity: Identity) -> dict[str, Scalar]:
    """In what it is not the unit of the order; empty where it is, or does not say."""
    unit = known(identity)
    found: dict[str, Scalar] = {}
    if identity.serial not in (None, job.order.serial):
        found["serial"] = identity.serial
    if unit is not None and unit.hardware_id != job.hardware_id:
        found["hardware_id"] = unit.hardware_id
    return found


def recovering_from(job: Job, cause: Cause, now: Stamp) -> Step:
    return move(job, State.RECOVERING, cause, now, Probe(), due_ms=soon(now))


def hands(job: Job, word: str, now: Stamp, **evidence: Scalar) -> Step:
    return move(job, State.NEEDS_HANDS, Cause(word=word, evidence=evidence), now)


def is_over(job: Job, now: Stamp, times: int) -> bool:
    return elapsed_ms(job.since, now) >= times * job.image.facts.after.boot_s * 1000


def soon(now: Stamp) -> int:
    return now.mono + round(LOOK_S * 1000)
