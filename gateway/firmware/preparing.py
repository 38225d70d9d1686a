"""The states in which the image is here and the unit not touched: until the moment it is told to enter (A5)."""

from __future__ import annotations

import math

import msgspec

from gateway.firmware import lease
from gateway.firmware.deferring import AGAIN_S, ask_unit, found_in, later, refused
from gateway.firmware.effects import (
    AskForGo,
    CheckImage,
    Effect,
    Enter,
    Lock,
    ReadUnit,
)
from gateway.firmware.events import (
    Event,
    GoAsked,
    GoReceived,
    ImageDamaged,
    Locked,
    NotLocked,
    Read,
    Verified,
)
from gateway.firmware.fetching import download
from gateway.firmware.hindrance import failing
from gateway.firmware.job import Cause, Job, Lease, Step, changed, elapsed_ms, is_due, move, stay
from gateway.firmware.look import READ_WITHIN_S, clock_is_trusted, enough, in_a_row
from gateway.firmware.states import State
from gateway.wire.firmware import GO_S
from gateway.wire.firmware_versions import known
from gateway.wire.messages import Scalar

POLL_S = 30.0
"""Between two readings of the last check: three take as long as they have to lie apart."""

ARMED_S = 30.0
"""Nothing is reserved for longer without being used: the poller is parked meanwhile."""


def waiting(job: Job, event: Event) -> Step:
    """For the window, then for a unit that is well, then for a go; a go is not asked for in vain."""
    now, order = event.now, job.order
    if job.halted or (clock_is_trusted(now, order, job.facts, job.built_at) and now.at < order.begin_at):
        return stay(job)
    match event:
        case Read():
            if found := found_in(job, event):
                return refused(job, found, now)
            if job.asked is None or not 0 <= now.mono - job.asked.since.mono <= GO_S * 1000:
                return stay(job, AskForGo(order=order.id), due_ms=now.mono + round(AGAIN_S * 1000))
        case GoAsked():
            asked = Lease(challenge=event.challenge, since=now)
            return stay(job, asked=asked, due_ms=now.mono + GO_S * 1000)
        case GoReceived() if lease.objection(job, event.go, now) is None and job.asked is not None:
            granted = msgspec.structs.replace(job.asked, lease_s=event.go.lease_s)
            cause = Cause(word="go", evidence={"go": event.go.id, "lease_s": event.go.lease_s})
            due_ms = now.mono + round(POLL_S * 1000)
            return move(job, State.PRECHECK, cause, now, ReadUnit(), asked=granted, due_ms=due_ms)
        case _ if is_due(job, now):
            return ask_unit(job, now, AGAIN_S)
    return stay(job)


def precheck(job: Job, event: Event) -> Step:
    if late := lease.lapsed(job, event.now):
        return move(job, State.WAITING, Cause(word=late.reason, hindrances=(late,)), event.now)
    if not isinstance(event, Read):
        return ask_unit(job, event.now, POLL_S) if is_due(job, event.now) else stay(job)
    if found := found_in(job, event):
        return refused(job, found, event.now)
    polls = in_a_row(job.polls, _seen_s(event))
    if not enough(polls):
        return stay(job, polls=polls)
    cause = Cause(word="well", evidence={"polls": len(polls), "over_s": round(polls[-1] - polls[0], 3)})
    return move(job, State.ARMED, cause, event.now, Lock(job=job.id, keys=job.locks))


def armed(job: Job, event: Event) -> Step:
    now = event.now
    if late := lease.lapsed(job, now):
        return move(job, State.WAITING, Cause(word=late.reason, hindrances=(late,)), now)
    match event:
        case NotLocked():
            return refused(job, (failing("reserved", event.key, event.holder, "nobody's", overridable=False),), now)
        case Locked():
            return stay(job, _check(job, 0), locked=True, checked=0)
        case Verified() if job.locked and job.checked < len(job.images):
            return _checked(job, event)
        case ImageDamaged():
            cause = Cause(word="image_damaged", evidence={"sha256": event.sha256})
            return download(changed(job, verified=0), cause, now)
        case Read():
            return _enter(job, event)
    if elapsed_ms(job.since, now) > ARMED_S * 1000:
        return refused(job, (failing("not_ready_in_time", "seconds reserved", ARMED_S, "less"),), now)
    return stay(job)


def deferred(job: Job, event: Event) -> Step:
    """Looked at again at its time; a reading nobody asked for changes nothing."""
    now = event.now
    if not isinstance(event, Read):
        return ask_unit(job, now, AGAIN_S, looking=True) if is_due(job, now) else stay(job)
    if not job.looking:
        return stay(job)
    found = found_in(job, event)
    if not found:
        return move(job, State.WAITING, Cause(word="well_again"), now, hindrances=(), retry_at=None)
    if {each.reason for each in found} == {each.reason for each in job.hindrances}:
        return stay(job, hindrances=found, looking=False, **later(job, event.now))
    return refused(job, found, now)


def _enter(job: Job, event: Read) -> Step:
    """The point of no return: judged from this very reading, by which the command has to be written too."""
    now, readings = event.now, event.readings
    if found := found_in(job, event):
        return refused(job, found, now)
    unit = known(readings.identity) if readings.identity else None
    if unit is None or not job.locked or job.checked < len(job.images):
        return stay(job)
    by_ms = min(math.floor((_seen_s(event) + READ_WITHIN_S) * 1000), lease.ends_ms(job))
    enter = Enter(serial=job.order.serial, output=job.order.output, by_ms=by_ms)
    return move(
        job,
        State.ENTERING,
        Cause(word="on_mains", evidence=_evidence(event)),
        now,
        enter,
        due_ms=now.mono + job.facts.after.boot_s * 1000,
        from_version=unit.version,
        hardware_id=unit.hardware_id,
        deferrals=0,
        hindrances=(),
        retry_at=None,
    )


def _evidence(event: Read) -> dict[str, Scalar]:
    snapshot = event.readings.track.snapshot if event.readings.track else None
    if snapshot is None:
        return {}
    return {
        "state": snapshot.state.value if snapshot.state else None,
        "read_ms_ago": event.now.mono - round(_seen_s(event) * 1000),
        "input_v": snapshot.input_v,
        "charge_pct": snapshot.charge_pct,
        "runtime_s": snapshot.runtime_s,
        "load_pct": snapshot.load_pct,
    }


def _checked(job: Job, event: Verified) -> Step:
    if event.sha256 != job.images[job.checked].sha256:
        return stay(job)
    checked = job.checked + 1
    following: Effect = _check(job, checked) if checked < len(job.images) else ReadUnit()
    return stay(job, following, checked=checked)


def _seen_s(event: Read) -> float:
    return event.readings.track.seen_s if event.readings.track else -math.inf


def _check(job: Job, number: int) -> CheckImage:
    return CheckImage(target=job.images[number].target, sha256=job.images[number].sha256)
