"""Who else is told when nobody acknowledges. Pure. Instants are UTC milliseconds."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cloud_bridge.alerts.matching import Case, matter_of, touches
from cloud_bridge.alerts.model import Alert, Change, Phase, What
from cloud_bridge.alerts.recipients import POLICY, ROUTE, leaves_of, operators_channel, policies_for
from cloud_bridge.alerts.standing import Standing, Told
from cloud_bridge.alerts.terms import Directory
from cloud_bridge.alerts.tree import every_leaf


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """`by`: as Change.by; `label`: of whose wish it was told."""

    alert: Alert
    by: str
    label: str
    after_s: int
    due_at: int


def escalations(standing: Standing, now: int) -> list[Change]:
    """One change for each alert and policy, or leaf of the operator's tree, whose time is over; once each."""
    return [
        Change(
            alert=wait.alert,
            what=What.ESCALATED,
            at=wait.due_at,
            reason=f"nobody acknowledged within {wait.after_s / 60:g} min of the notice by {wait.label}",
            by=wait.by,
        )
        for wait in _waits(standing)
        if wait.due_at <= now
    ]


def due_at(standing: Standing) -> int | None:
    """When the next one is due; it may be over already."""
    return min((wait.due_at for wait in _waits(standing)), default=None)


def _waits(standing: Standing) -> Iterator[Wait]:
    first = _first_channels(standing.directory)
    if not first:
        return
    for alert in standing.alerts.values():
        if alert.phase is not Phase.FIRING or alert.acknowledged_at is not None:
            continue
        if any((alert.id, channel) in standing.told for channel in first):
            yield from (wait for wait in _of_alert(alert, standing) if (alert.id, wait.by) not in standing.escalated)


def _first_channels(directory: Directory) -> frozenset[int]:
    """Those after which another one would be told."""
    channels = {policy.channel for policy in directory.policies.values() if policy.escalation is not None}
    for leaf in every_leaf(directory.routes) if directory.routes else ():
        channel = operators_channel(leaf.channel, directory) if leaf.escalate_to else None
        channels |= set() if channel is None else {channel}
    return frozenset(channels)


def _of_alert(alert: Alert, standing: Standing) -> Iterator[Wait]:
    """Of each wish that leads to a channel which was told."""
    matter = matter_of(alert.subject, standing.directory)
    for policy in policies_for(matter, standing.directory):
        told = standing.told.get((alert.id, policy.channel))
        if told and policy.escalation and policy.enabled and touches(policy.scope, matter, policy.owner):
            yield _wait(alert, f"{POLICY}{policy.id}", f"policy {policy.name}", told, policy.escalation.after_s)
    change = Change(alert=alert, what=What.ESCALATED, at=alert.changed_at, reason="")
    for leaf in leaves_of(Case(change, matter, standing, alert.changed_at)):
        channel = operators_channel(leaf.channel, standing.directory)
        told = standing.told.get((alert.id, channel)) if channel is not None else None
        if told and leaf.escalate_after_s is not None and leaf.escalate_to:
            yield _wait(alert, f"{ROUTE}{leaf.path}", f"route {leaf.path}", told, leaf.escalate_after_s)


def _wait(alert: Alert, by: str, label: str, told: Told, after_s: int) -> Wait:
    return Wait(alert=alert, by=by, label=label, after_s=after_s, due_at=told.at + after_s * 1000)
