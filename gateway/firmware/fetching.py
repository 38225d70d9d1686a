"""The states from the offer until the image is here and whole (A5)."""

from __future__ import annotations

from gateway.firmware.deferring import AGAIN_S, ask_unit, found_in, later, refused
from gateway.firmware.effects import Download, HoldDownload
from gateway.firmware.events import BudgetSpent, Event, Paused, Progress, Read, Resumed, Verified
from gateway.firmware.hindrance import failing
from gateway.firmware.job import Cause, Job, Step, changed, is_due, move, stay
from gateway.firmware.states import State
from gateway.wire.firmware_versions import known
from gateway.wire.messages import Stamp

WHO_IS_UNKNOWN = frozenset({"identity_unknown", "serial_unknown", "unit_unknown"})


def offered(job: Job, event: Event) -> Step:
    """Whether the order is for this unit at all is judged before a byte of its image is asked for."""
    if not isinstance(event, Read):
        return ask_unit(job, event.now, AGAIN_S) if is_due(job, event.now) else stay(job)
    found = found_in(job, event)
    if any(each.final for each in found):
        return refused(job, found, event.now)
    unit = known(event.readings.identity) if event.readings.identity else None
    if unit is None or any(each.reason in WHO_IS_UNKNOWN for each in found):
        return stay(job)
    least = max(event.readings.counter, event.readings.floor)
    fitting = [
        each
        for each in job.images[1:]
        if unit.hardware_id in each.facts.hardware_ids and each.facts.release_counter >= least
    ]
    fits = changed(
        job, images=(job.images[0], *fitting), hardware_id=unit.hardware_id, from_version=unit.version, verified=0
    )
    return download(fits, Cause(word="fits", evidence={"version": unit.version}), event.now)


def downloading(job: Job, event: Event) -> Step:
    match event:
        case Progress():
            return stay(job, progress=event.chunks)
        case Verified() if event.sha256 == job.images[job.verified].sha256:
            there = job.verified + 1
            if there < len(job.images):
                return stay(job, fetch(job, there), verified=there, progress=0)
            return move(job, State.VERIFIED, Cause(word="whole", evidence={"sha256": event.sha256}), event.now)
        case Paused():
            hold = failing(event.reason, "download", event.value, event.threshold)
            return move(
                job, State.PAUSED, Cause(word=event.reason, hindrances=(hold,)), event.now, **later(job, event.now)
            )
        case BudgetSpent():
            return _given_up(job, event)
    return stay(job)


def paused(job: Job, event: Event) -> Step:
    if isinstance(event, BudgetSpent):
        return _given_up(job, event)
    if job.halted or not (isinstance(event, Resumed) or is_due(job, event.now)):
        return stay(job)
    return download(changed(job, retry_at=None), Cause(word="resumed"), event.now)


def verified(job: Job, event: Event) -> Step:
    return move(job, State.WAITING, Cause(word="image_ready"), event.now)


def download(job: Job, cause: Cause, now: Stamp) -> Step:
    return move(job, State.DOWNLOADING, cause, now, fetch(job, job.verified), progress=0)


def fetch(job: Job, number: int) -> Download:
    return Download(target=job.images[number].target, sha256=job.images[number].sha256)


def _given_up(job: Job, event: BudgetSpent) -> Step:
    spent = failing(event.reason, "download", event.value, event.threshold)
    return move(
        job, State.FAILED_DL, Cause(word=event.reason, hindrances=(spent,)), event.now, HoldDownload(forget=True)
    )
