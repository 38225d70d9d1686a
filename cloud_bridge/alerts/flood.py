"""The flood rule (smartconnect.md, "Events and notifications"): what one device may say, counted before fan-out. Pure.

More than `flood_more_than` steps of a device's alerts told within a sliding `flood_window_s` mute it for
`flood_mute_s`: a notice stands in the place of the one too many. Criticals break through unless `mute_critical`; they
count all the same. While it is muted nothing counts, so that afterwards the count is zero. Instants are UTC
milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from cloud_bridge.alerts.deciding import quiet_end
from cloud_bridge.alerts.matching import CRITICAL, Case
from cloud_bridge.alerts.model import digest
from cloud_bridge.alerts.notice import About, Notification
from cloud_bridge.alerts.recipients import is_unsubscribed, of_policy
from cloud_bridge.alerts.standing import Lost, Mute, Standing
from cloud_bridge.alerts.terms import Terms
from drivers.ups import Severity

OUTSIDE = frozenset({"gateway_lost", "certificate_near_end", "unit_identity_changed", "unit_accepted"})
"""Conditions that the rule never counts or mutes, whatever they are of (S22); of gateways, sites, channels and the
cloud it counts and mutes none."""
DIGEST_EVERY_MS = 86_400_000


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What is due of one mute: notices of what was left out, and the mute as it is afterwards. None: it is over, and
    what was counted of the device before is forgotten."""

    device: int
    notifications: tuple[Notification, ...]
    mute: Mute | None


def counts(case: Case) -> int | None:
    """The device whose rule the change falls under; None: the rule does not see it."""
    device = case.matter.device
    outside = case.alert.condition.partition(":")[0] in OUTSIDE
    return None if device is None or outside else device.id


def muted(device: int, standing: Standing, now: int) -> Mute | None:
    """The mute that holds now."""
    mute = standing.mutes.get(device)
    return mute if mute is not None and now < mute.until else None


def counted(device: int, standing: Standing, now: int) -> int:
    """How many of its notifications count now; after a mute it begins at zero."""
    since = now - round(standing.terms.flood_window_s * 1000)
    if mute := standing.mutes.get(device):
        since = max(since, mute.until)
    return sum(since < at <= now for at in standing.counted.get(device, ()))


def begun(device: int, case: Case) -> Mute:
    """The mute that the change begins. The same whenever it is worked out."""
    terms = case.standing.terms
    return Mute(
        device=device,
        id=digest("mute", str(device), case.alert.id, str(case.alert.number)),
        since=case.now,
        until=case.now + round(terms.flood_mute_s * 1000),
        digest_at=case.now + DIGEST_EVERY_MS,
    )


def breaks_through(severity: Severity, terms: Terms) -> bool:
    return severity is CRITICAL and not terms.mute_critical


def left_out(mute: Mute, lost: Mapping[int, int | None]) -> Mute:
    """The mute after one more step that was not told. `lost`: to which channels, by which policies."""
    known = {each.channel: each for each in mute.lost}
    for channel, policy in lost.items():
        count = known[channel].count if channel in known else 0
        known[channel] = Lost(channel=channel, policy=policy, count=count + 1)
    return msgspec.structs.replace(mute, left_out=mute.left_out + 1, lost=tuple(known.values()))


def owed_at(mute: Mute) -> int:
    """When the ends of what was told before the mute leave: with the next digest."""
    return min(mute.digest_at, mute.until)


def group_of_digest(device: int, channel: int) -> str:
    return f"{channel}|muted={device}"


def digests(standing: Standing, now: int) -> list[Digest]:
    """What is due now: once a day one notice to each who lost something, the last when the mute is over."""
    return list(_digests(standing, now))


def due_at(standing: Standing) -> int | None:
    """When `digests` has something next."""
    return min((owed_at(mute) for mute in standing.mutes.values()), default=None)


def brought_forward(waiting: Iterable[Notification], device: int, now: int) -> list[Notification]:
    """Of notifications that wait, those that waited for the digest of a device that is muted no longer; due now."""
    return [
        msgspec.structs.replace(one, due_at=now)
        for one in waiting
        if one.device == device and one.group == group_of_digest(device, one.channel) and one.due_at > now
    ]


def _digests(standing: Standing, now: int) -> Iterator[Digest]:
    for mute in standing.mutes.values():
        if now < owed_at(mute):
            continue
        notices = tuple(_digest(mute, lost, standing, now) for lost in mute.lost if _reaches(lost, standing))
        days = (now - mute.digest_at) // DIGEST_EVERY_MS + 1
        later = mute.digest_at + max(days, 1) * DIGEST_EVERY_MS
        goes_on = msgspec.structs.replace(mute, left_out=0, lost=(), digest_at=later) if now < mute.until else None
        yield Digest(device=mute.device, notifications=notices, mute=goes_on)


def _reaches(lost: Lost, standing: Standing) -> bool:
    channel = standing.directory.channels.get(lost.channel)
    return channel is not None and channel.enabled and not is_unsubscribed(channel, lost.policy, standing)


def _digest(mute: Mute, lost: Lost, standing: Standing, now: int) -> Notification:
    policy = standing.directory.policies.get(lost.policy) if lost.policy is not None else None
    waits = quiet_end(of_policy(policy, standing.directory), Severity.INFORMATIONAL, now) if policy else None
    return Notification(
        id=digest("digest", mute.id, str(owed_at(mute)), str(lost.channel)),
        channel=lost.channel,
        policy=lost.policy,
        device=mute.device,
        about=About.DIGEST,
        severity=Severity.INFORMATIONAL,
        alerts=(),
        group=group_of_digest(mute.device, lost.channel),
        created_at=now,
        due_at=waits or now,
        until=mute.until,
        left_out=lost.count,
    )
