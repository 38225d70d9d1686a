"""The state machine of an upgrade (gateway-ota.md A5): a job and an event in; the job after it, and what to do, out.

Whoever runs it commits each Record before he begins what stands behind it: intent, act, result. On start it is told
Recovered for each open job of the journal, and asks the unit before it concludes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.firmware import fetching, performing, preparing, settling
from gateway.firmware.effects import HoldDownload
from gateway.firmware.events import Cancelled, Event, Halted, Recovered, Resumed
from gateway.firmware.job import Cause, Job, Step, changed, move, note, stay
from gateway.firmware.look import clock_is_trusted
from gateway.firmware.states import BEYOND, PREPARING, State
from gateway.wire.messages import Stamp

_FETCHING = (State.DOWNLOADING, State.PAUSED)
_BEGUN = (State.PRECHECK, State.ARMED)

_STATES: Mapping[State, Callable[[Job, Event], Step]] = MappingProxyType(
    {
        State.OFFERED: fetching.offered,
        State.DOWNLOADING: fetching.downloading,
        State.PAUSED: fetching.paused,
        State.VERIFIED: fetching.verified,
        State.WAITING: preparing.waiting,
        State.PRECHECK: preparing.precheck,
        State.ARMED: preparing.armed,
        State.DEFERRED: preparing.deferred,
        State.ENTERING: performing.entering,
        State.TRANSFERRING: performing.transferring,
        State.REBOOTING: performing.rebooting,
        State.SETTLING: settling.settling,
        State.RECOVERING: performing.recovering,
    }
)


def step(job: Job, event: Event) -> Step:
    """What an event makes of a job. A terminal state is never left."""
    if job.state in PREPARING:
        return _preparing(job, event)
    return _performing(job, event) if job.state in BEYOND else stay(job)


def recover(job: Job, now: Stamp) -> Step:
    """What a new process makes of a job that it finds in the journal; doing it twice is doing it once."""
    return step(job, Recovered(now=now))


def _preparing(job: Job, event: Event) -> Step:
    """Whatever stops a job is obeyed: nothing was done to the unit yet, or it was found as it was."""
    now, order = event.now, job.order
    if isinstance(event, Cancelled) or job.cancel_asked:
        by = event.by if isinstance(event, Cancelled) else ""
        return _end(job, Cause(word="cancelled", evidence={"by": by}), now)
    if clock_is_trusted(now, order, job.facts, job.built_at) and now.at >= order.end_at:
        return _end(job, Cause(word="order_expired", evidence={"at": now.at, "end_at": order.end_at}), now)
    match event:
        case Halted():
            return _halt(job, event)
        case Recovered():
            return _found(job, now)
        case Resumed():
            job = changed(job, halted=False)
    return _STATES[job.state](job, event)


def _performing(job: Job, event: Event) -> Step:
    """What is begun is ended; a wish to stop is written down, once."""
    match event:
        case Cancelled():
            cause = Cause(word="cancel_not_obeyed", evidence={"by": event.by})
            return stay(job) if job.cancel_asked else note(job, cause, event.now, cancel_asked=True)
        case Halted():
            cause = Cause(word="halt_not_obeyed", evidence={"by": event.by})
            return stay(job) if job.halted else note(job, cause, event.now, halted=True)
        case Resumed():
            return stay(job, halted=False)
        case Recovered():
            return performing.began_again(job, event.now)
    return _STATES[job.state](job, event)


def _end(job: Job, cause: Cause, now: Stamp) -> Step:
    effects = (HoldDownload(forget=True),) if job.state in _FETCHING else ()
    return move(job, State.CANCELLED, cause, now, *effects)


def _halt(job: Job, event: Halted) -> Step:
    cause = Cause(word="halted", evidence={"by": event.by})
    if job.state in _BEGUN:
        return move(job, State.WAITING, cause, event.now, halted=True)
    if job.state is State.DOWNLOADING:
        return move(job, State.PAUSED, cause, event.now, HoldDownload(), halted=True)
    return stay(job, halted=True, asked=None)


def _found(job: Job, now: Stamp) -> Step:
    """In the journal, by a new process: reservations, challenges and what was asked of anybody are gone."""
    fresh = changed(job, asked=None, looking=False, verified=0 if job.state in _FETCHING else job.verified)
    if job.state in _BEGUN:
        return move(fresh, State.WAITING, Cause(word="process_began"), now)
    if job.state is State.DOWNLOADING:
        return stay(fresh, fetching.fetch(fresh, 0), since=now)
    if job.state in (State.PAUSED, State.DEFERRED):
        return stay(fresh)
    return stay(fresh, since=now, due_ms=None)
