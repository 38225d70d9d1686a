"""The leave to enter: asked for with a challenge of this gateway's, and good for a few minutes from it (A5).

Only the monotonic clock counts, so that no wrong clock and no slow broker can make one last longer. What a halt
promises stands on it: offline or halted, no go comes, and nothing starts.
"""

from __future__ import annotations

from gateway.firmware.hindrance import Hindrance, failing
from gateway.firmware.job import Job
from gateway.wire.firmware import GO_S, Go
from gateway.wire.messages import Stamp


def objection(job: Job, go: Go, now: Stamp) -> Hindrance | None:
    """Why this go is none for this job at this moment."""
    order, asked = job.order, job.asked
    if asked is None:
        return failing("go_not_asked_for", "challenge", go.challenge, "one that is open")
    for reason, found, wanted in (
        ("go_of_another_challenge", go.challenge, asked.challenge),
        ("go_of_another_order", go.order, order.id),
        ("go_of_another_gateway", go.gateway, order.gateway),
        ("go_of_another_unit", go.serial, order.serial),
        ("go_of_another_target", go.target, order.target),
        ("go_of_another_image", go.sha256, order.sha256),
    ):
        if found != wanted:
            return failing(reason, reason.removeprefix("go_of_another_"), found, wanted)
    return _age(asked.since, now, go.lease_s)


def lapsed(job: Job, now: Stamp) -> Hindrance | None:
    """Why the go that the job has is not good any more."""
    if job.asked is None or job.asked.lease_s is None:
        return failing("go_missing", "go", None, "one that is fresh")
    return _age(job.asked.since, now, job.asked.lease_s)


def ends_ms(job: Job) -> int:
    """Until when the job's go is good, by the monotonic clock of the boot it was asked for in; 0 without one."""
    if job.asked is None or job.asked.lease_s is None:
        return 0
    return job.asked.since.mono + min(job.asked.lease_s, GO_S) * 1000


def _age(since: Stamp, now: Stamp, lease_s: int) -> Hindrance | None:
    good_s = min(lease_s, GO_S)
    age_s = (now.mono - since.mono) / 1000
    if now.boot != since.boot or not 0 <= age_s <= good_s:
        found = "of another boot" if now.boot != since.boot else age_s
        return failing("go_lapsed", "seconds since it was asked for", found, good_s)
    return None
