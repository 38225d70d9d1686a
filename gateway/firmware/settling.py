"""After the reboot: whether the unit runs the new version, and is well (A5; A7, invariant 16)."""

from __future__ import annotations

from drivers.ups import Flag, Snapshot
from drivers.ups import State as Power
from gateway.firmware.effects import RaiseCounter
from gateway.firmware.events import Event, Read
from gateway.firmware.holding import hands, held, recovering_from, stranger_in
from gateway.firmware.job import Cause, Job, Step, changed, elapsed_ms, move, stay
from gateway.firmware.look import Readings, fresh, said_now
from gateway.firmware.soundness import INTERNAL_FAULTS
from gateway.firmware.states import State
from gateway.wire.firmware import OutputMode
from gateway.wire.firmware_versions import known, ordered
from gateway.wire.messages import Scalar, Stamp

SETTLE_TIMES = 3
"""Times `settle_s`, beyond `boot_s`, in which it has to read sane for `settle_s`."""


def settling(job: Job, event: Event) -> Step:
    """The new version twice, and sane all the while between (A7, invariant 16)."""
    now, after = event.now, job.image.facts.after
    if isinstance(event, Read):
        return _judge(job, event)
    if elapsed_ms(job.since, now) > (after.boot_s + SETTLE_TIMES * after.settle_s) * 1000:
        if job.doubt:
            return hands(job, "not_sane", now, doubt=job.doubt)
        return recovering_from(job, Cause(word="silent"), now)
    return held(job, event)


def _judge(job: Job, event: Read) -> Step:
    now, readings = event.now, event.readings
    track, identity = fresh(readings, now), said_now(readings, now)
    unit = known(identity) if identity is not None else None
    if track is None or identity is None or unit is None or not _is_since(job, readings):
        return stay(job)
    if stranger := stranger_in(job, identity):
        return hands(job, "another_unit", now, **stranger)
    if ordered(unit.version) != ordered(job.image.facts.version):
        if ordered(unit.version) == ordered(job.from_version):
            return recovering_from(job, Cause(word="old_version_answers", evidence={"version": unit.version}), now)
        return hands(job, "unexpected_version", now, version=unit.version)
    if doubt := _insanity(track.snapshot, job.order.output):
        return stay(job, polls=(), doubt=doubt)
    polls = job.polls if job.polls and track.seen_s <= job.polls[-1] else (*job.polls, track.seen_s)
    if len(polls) < 2 or polls[-1] - polls[0] < job.image.facts.after.settle_s:
        return stay(job, polls=polls, doubt="")
    return _committed(changed(job, polls=polls), unit.version, now)


def _committed(job: Job, version: str, now: Stamp) -> Step:
    evidence: dict[str, Scalar] = {
        "version": version,
        "readings": len(job.polls),
        "over_s": round(job.polls[-1] - job.polls[0], 3),
    }
    raised = RaiseCounter(hardware_id=job.hardware_id, counter=job.image.facts.release_counter)
    word = "as_ordered" if job.sending == 0 else "fallback"
    return move(job, State.COMMITTED, Cause(word=word, evidence=evidence), now, raised)


def _is_since(job: Job, readings: Readings) -> bool:
    """Both parts were read in this state; a reading that was asked for before it proves nothing."""
    if readings.track is None or readings.identity_s is None:
        return False
    return min(readings.track.seen_s, readings.identity_s) * 1000 >= job.since.mono


def _insanity(snapshot: Snapshot, output: OutputMode) -> str:
    """What a unit may not say after an upgrade; being on battery is no fault of it."""
    well = (Power.ONLINE, Power.ON_BATTERY, *((Power.OFF,) if output is OutputMode.OFF else ()))
    if snapshot.state not in well:
        return f"state {snapshot.state or 'unknown'}"
    return ", ".join(sorted(snapshot.flags & (INTERNAL_FAULTS | {Flag.FIRMWARE_MISMATCH})))[:64]
