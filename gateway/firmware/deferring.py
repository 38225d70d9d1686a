"""What to do with an upgrade that can't go on: not now, and when again; or never (hawkBit's distinction, A1)."""

from __future__ import annotations

from gateway.firmware.effects import ReadUnit
from gateway.firmware.events import Read
from gateway.firmware.hindrance import Hindrance
from gateway.firmware.job import Cause, Job, Step, move, stay
from gateway.firmware.preconditions import hindrances
from gateway.firmware.states import State
from gateway.wire.messages import Stamp

AGAIN_S = 60.0
"""Until an unanswered question is put again, and the first delay of what was deferred."""

AGAIN_AT_MOST_S = 3600.0
"""Delays double up to this."""


def refused(job: Job, found: tuple[Hindrance, ...], now: Stamp) -> Step:
    """Not now; or never, if waiting would not mend it."""
    final = tuple(each for each in found if each.final)
    if final:
        cause = Cause(word=final[0].reason, hindrances=final)
        return move(job, State.REJECTED, cause, now, hindrances=final, retry_at=None)
    cause = Cause(word=found[0].reason, hindrances=found)
    return move(job, State.DEFERRED, cause, now, hindrances=found, **later(job, now))


def found_in(job: Job, event: Read) -> tuple[Hindrance, ...]:
    return hindrances(job.order, job.facts, event.readings, event.now, event.topology, event.rules, job.built_at)


def ask_unit(job: Job, now: Stamp, again_s: float, **changes: bool) -> Step:
    return stay(job, ReadUnit(), due_ms=now.mono + round(again_s * 1000), **changes)


def later(job: Job, now: Stamp) -> dict[str, int]:
    """When to try again: doubled each time, up to AGAIN_AT_MOST_S."""
    delay_ms = round(min(AGAIN_S * 2 ** min(job.deferrals, 16), AGAIN_AT_MOST_S) * 1000)
    return {"deferrals": job.deferrals + 1, "retry_at": now.at + delay_ms, "due_ms": now.mono + delay_ms}
