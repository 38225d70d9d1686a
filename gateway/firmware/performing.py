"""The states from the command to enter until the unit is known to be well, or a person is needed (A5).

Nothing here needs the network. What the unit runs is asked of the unit, never concluded from what was done to it.
"""

from __future__ import annotations

from gateway.firmware.deferring import refused
from gateway.firmware.effects import Lock, ReadIdentity, SendImage
from gateway.firmware.events import (
    Booted,
    Entered,
    EnterRefused,
    EnterUnanswered,
    Event,
    Found,
    Probed,
    Sending,
    TransferDone,
    TransferFailed,
)
from gateway.firmware.hindrance import failing
from gateway.firmware.holding import PATIENCE, hands, held, is_over, probe, recovering_from, soon, stranger_in
from gateway.firmware.job import Cause, Job, Step, changed, elapsed_ms, move, stay
from gateway.firmware.states import State
from gateway.wire.firmware_versions import known, ordered
from gateway.wire.messages import Scalar, Stamp

OLD_FOR_S = 10.0
"""A unit that was told to enter may answer once more before it does."""


def entering(job: Job, event: Event) -> Step:
    match event:
        case Entered():
            return _send(job, Cause(word="entered"), event.now)
        case EnterRefused():
            no = failing("enter_refused", "the unit", f"{event.reason} {event.detail}".strip(), "entered")
            return refused(job, (no,), event.now)
        case EnterUnanswered():
            return probe(job, event.now)
    return _looked(job, event)


def transferring(job: Job, event: Event) -> Step:
    now, transfer = event.now, job.image.facts.transfer
    match event:
        case Sending():
            return stay(job, blocks=max(job.blocks, event.blocks))
        case TransferDone():
            done = changed(job, blocks=max(job.blocks, event.blocks))
            return move(done, State.REBOOTING, Cause(word="sent", evidence=_sent(done)), now, due_ms=soon(now))
        case TransferFailed():
            broken = changed(job, blocks=max(job.blocks, event.blocks))
            return recovering_from(broken, Cause(word=event.reason, evidence=_sent(broken)), now)
    if elapsed_ms(job.since, now) > (transfer.max_s + transfer.quiet_s) * 1000:
        return recovering_from(job, Cause(word="transfer_too_long", evidence=_sent(job)), now)
    return stay(job)


def rebooting(job: Job, event: Event) -> Step:
    return probe(job, event.now) if isinstance(event, Booted) else _looked(job, event)


def recovering(job: Job, event: Event) -> Step:
    return _looked(job, event)


def began_again(job: Job, now: Stamp) -> Step:
    """A process began: what was reserved is to be reserved again, and the unit to be asked."""
    again = Lock(job=job.id, keys=job.locks)
    if job.state is State.TRANSFERRING:
        cause = Cause(word="process_began", evidence=_sent(job))
        return move(job, State.RECOVERING, cause, now, again, due_ms=soon(now), locked=False)
    since_now = changed(job, since=now, due_ms=soon(now), locked=False, old_since_ms=None, polls=(), doubt="")
    return stay(since_now, again)


def _looked(job: Job, event: Event) -> Step:
    return _probed(job, event) if isinstance(event, Probed) else held(job, event)


def _probed(job: Job, event: Probed) -> Step:
    identity = event.identity
    if identity is not None and (stranger := stranger_in(job, identity)):
        return hands(job, "another_unit", event.now, **stranger)
    if event.found is Found.BOOT_LOADER:
        return _boot_loader(changed(job, old_since_ms=None), event)
    unit = known(identity) if identity is not None and identity.serial is not None else None
    if event.found is Found.ANSWERS and unit is not None:
        return _version(job, unit.version, event.now)
    return _silent(changed(job, old_since_ms=None), event)


def _boot_loader(job: Job, event: Probed) -> Step:
    now = event.now
    if job.state is State.REBOOTING and not is_over(job, now, 1):
        return stay(job)
    if job.state is not State.RECOVERING:
        return recovering_from(job, Cause(word="boot_loader"), now)
    if event.mains is False:  # it would break again; while nobody knows, the image is the shortest way to protection
        return stay(job, since=now)
    return _send(job, Cause(word="boot_loader", evidence=_sent(job)), now)


def _version(job: Job, version: str, now: Stamp) -> Step:
    for number, source in enumerate(job.images):
        if ordered(version) == ordered(source.facts.version):
            return move(
                job,
                State.SETTLING,
                Cause(word="new_version_answers", evidence={"version": version}),
                now,
                ReadIdentity(),
                sending=number,
                due_ms=soon(now),
            )
    if ordered(version) != ordered(job.from_version):
        return hands(job, "unexpected_version", now, version=version)
    if job.state is State.REBOOTING:
        cause = Cause(word="old_version_answers", evidence={"version": version})
        return recovering_from(job, cause, now) if is_over(job, now, 1) else stay(job)
    return _old(job, version, now)


def _old(job: Job, version: str, now: Stamp) -> Step:
    """The unit is as it was, and at work. It is begun anew, with a new go; unless it was tried often enough."""
    if job.old_since_ms is None or now.mono - job.old_since_ms < OLD_FOR_S * 1000:
        return stay(job, old_since_ms=now.mono if job.old_since_ms is None else job.old_since_ms)
    if job.sends > job.facts.recover.same_image:
        return hands(job, "still_old_version", now, version=version)
    return move(job, State.WAITING, Cause(word="old_version_answers", evidence={"version": version}), now)


def _silent(job: Job, event: Probed) -> Step:
    now = event.now
    if event.mains is False:  # without mains a unit in its boot loader is dark; it will be there with them
        return stay(job, since=now)
    if job.state is State.REBOOTING and is_over(job, now, 1):
        return recovering_from(job, Cause(word="silent"), now)
    if job.state is not State.REBOOTING and is_over(job, now, PATIENCE):
        return hands(job, "silent", now)
    return stay(job)


def _send(job: Job, cause: Cause, now: Stamp) -> Step:
    """From block 1: XMODEM resumes nothing. The same image so often, then the fallback, then a person (A5)."""
    if job.sends <= job.facts.recover.same_image:
        begun = changed(job, sends=job.sends + 1, blocks=0)
    elif job.sending == 0 and len(job.images) > 1:
        begun = changed(job, sending=1, sends=1, blocks=0)
    else:
        return hands(job, "tries_spent", now, **_sent(job))
    source = begun.image
    send = SendImage(target=source.target, sha256=source.sha256, transfer=source.facts.transfer)
    return move(begun, State.TRANSFERRING, cause, now, send)


def _sent(job: Job) -> dict[str, Scalar]:
    return {"target": job.image.target, "sends": job.sends, "blocks": job.blocks}
