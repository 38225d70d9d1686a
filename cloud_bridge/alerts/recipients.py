"""Who might be told: the owners' policies, the operator's policies, the leaves of the operator's tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cloud_bridge.alerts.inhibition import Held
from cloud_bridge.alerts.matching import Case, Matter, at_least, facts, names, touches
from cloud_bridge.alerts.model import Kind, Subject, What
from cloud_bridge.alerts.standing import Standing
from cloud_bridge.alerts.terms import Channel, Directory, Policy, Quiet, Scope
from cloud_bridge.alerts.tree import DEFAULT_GROUP_BY, DEFAULT_GROUP_S, Leaf, every_leaf, leaves
from drivers.ups import Severity

POLICY, ROUTE = "policy:", "route:"
"""Begin `Change.by` of an escalation: a policy's id, a leaf's path."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to be told by one channel. `label`: for reasons. `owner` None: the operator. `channel` None: the one that
    is named is not there. `time_zone`: of its quiet hours."""

    label: str
    channel: int | None
    policy: int | None = None
    owner: int | None = None
    least: Severity = Severity.INFORMATIONAL
    scope: Scope = Scope()
    conditions: tuple[str, ...] = ()
    quiet: Quiet | None = None
    time_zone: str = "UTC"
    group_by: tuple[str, ...] = DEFAULT_GROUP_BY
    group_s: int = DEFAULT_GROUP_S
    resolves: bool = True
    enabled: bool = True


def recipients(case: Case) -> list[Recipient]:
    """Everybody who might hear of the change. Of an end: those who heard of its beginning."""
    if case.change.what is What.ESCALATED:
        return list(_escalated(case))
    if case.change.what is What.RESOLVED:
        return [_hears_of_the_end(case, channel) for channel in case.directory.channels if _told(case, channel)]
    return [*_by_policies(case), *_by_routes(case)]


def declined(recipient: Recipient, case: Case, severity: Severity) -> Held | None:
    """Why this one does not want it, or can't be reached; None: it is to be told."""
    channel = case.directory.channels.get(recipient.channel) if recipient.channel is not None else None
    if channel is None:
        return Held("no_channel", f"{recipient.label}: its channel is not there")
    if not channel.enabled:
        return Held("channel_disabled", f"{recipient.label}: channel {channel.name} is switched off")
    if case.matter.channel == channel.id:
        return Held("itself", f"{recipient.label}: channel {channel.name} can't tell of its own failure")
    if is_unsubscribed(channel, recipient.policy, case.standing):
        return Held("unsubscribed", f"{recipient.label}: {channel.target} has unsubscribed from it")
    return _not_wished(recipient, case, severity)


def is_unsubscribed(channel: Channel, policy: int | None, standing: Standing) -> bool:
    """Whether the mail address has unsubscribed from the policy (S23)."""
    return channel.kind == "mail" and policy is not None and (channel.target.lower(), policy) in standing.unsubscribed


def fails(channel: int, case: Case) -> bool:
    """Whether an open alert says that nothing gets through by it."""
    return any(other.subject == Subject(Kind.CHANNEL, str(channel)) for other in case.others)


def of_policy(policy: Policy, directory: Directory) -> Recipient:
    """`label`: with its owner's name."""
    owner = directory.owners.get(policy.owner) if policy.owner is not None else None
    return Recipient(
        label=f"policy {policy.name} of {owner.name if owner else 'the operator'}",
        channel=policy.channel,
        policy=policy.id,
        owner=policy.owner,
        least=policy.least,
        scope=policy.scope,
        conditions=policy.conditions,
        quiet=policy.quiet,
        time_zone=owner.time_zone if owner else "UTC",
        group_s=policy.group_s,
        resolves=policy.resolves,
        enabled=policy.enabled,
    )


def of_leaf(leaf: Leaf, directory: Directory) -> Recipient:
    return Recipient(
        label=f"route {leaf.path}",
        channel=operators_channel(leaf.channel, directory),
        least=leaf.least,
        group_by=leaf.group_by,
        group_s=leaf.group_s,
    )


def operators_channel(name: str, directory: Directory) -> int | None:
    """Id of the operator's channel of that name."""
    return next((each.id for each in directory.channels_of.get(None, ()) if each.name == name), None)


def policies_for(matter: Matter, directory: Directory) -> Iterator[Policy]:
    """Of its owners, and the operator's."""
    for owner in (*matter.owners, None):
        yield from directory.policies_of.get(owner, ())


def leaves_of(case: Case) -> list[Leaf]:
    """What the operator's tree says of the alert; nodes without a channel tell nobody."""
    routes = case.directory.routes
    return [leaf for leaf in leaves(routes, facts(case)) if leaf.channel] if routes else []


def _not_wished(recipient: Recipient, case: Case, severity: Severity) -> Held | None:
    if case.change.what is What.RESOLVED:
        return None if recipient.resolves else Held("no_resolves", f"{recipient.label} asks for no word of ends")
    if not recipient.enabled:
        return Held("disabled", f"{recipient.label} is switched off")
    if not touches(recipient.scope, case.matter, recipient.owner):
        return Held("out_of_scope", f"{recipient.label} is not for {case.matter.label}")
    asked = not recipient.conditions or names(recipient.conditions, case.alert)
    if not asked and not _told(case, recipient.channel):
        return Held("other_conditions", f"{recipient.label} is for other conditions than {case.alert.condition}")
    if not at_least(severity, recipient.least):
        return Held("below_least", f"{recipient.label} asks for {recipient.least} and above; this is {severity}")
    return None


def _told(case: Case, channel: int | None) -> bool:
    return channel is not None and (case.alert.id, channel) in case.standing.told


def _by_policies(case: Case) -> Iterator[Recipient]:
    return (of_policy(policy, case.directory) for policy in policies_for(case.matter, case.directory))


def _by_routes(case: Case) -> Iterator[Recipient]:
    return (of_leaf(leaf, case.directory) for leaf in leaves_of(case))


def _hears_of_the_end(case: Case, channel: int) -> Recipient:
    """By the wish that leads there, whatever else it asks for; a wish that is there no more leaves the debt."""
    leading = [each for each in _leading(case) if each.channel == channel]
    open_ones = [each for each in leading if _can_hear(case, each)] or leading
    willing = [each for each in open_ones if each.resolves and each.enabled] or open_ones
    fallback = Recipient(label="whoever was told that it began", channel=channel)
    return willing[0] if willing else fallback


def _can_hear(case: Case, recipient: Recipient) -> bool:
    channel = case.directory.channels[recipient.channel] if recipient.channel is not None else None
    return channel is not None and not is_unsubscribed(channel, recipient.policy, case.standing)


def _leading(case: Case) -> Iterator[Recipient]:
    for policy in policies_for(case.matter, case.directory):
        recipient = of_policy(policy, case.directory)
        yield recipient
        if policy.escalation is not None:
            yield msgspec.structs.replace(recipient, channel=policy.escalation.channel)
    for leaf in every_leaf(case.directory.routes) if case.directory.routes else ():
        yield of_leaf(leaf, case.directory)


def _escalated(case: Case) -> Iterator[Recipient]:
    by = case.change.by
    for policy in policies_for(case.matter, case.directory):
        if by == f"{POLICY}{policy.id}" and policy.escalation is not None:
            asks = of_policy(policy, case.directory)
            anyhow = {"least": Severity.INFORMATIONAL, "conditions": ()}
            yield msgspec.structs.replace(asks, channel=policy.escalation.channel, **anyhow)
    for leaf in leaves_of(case):
        if by == f"{ROUTE}{leaf.path}" and leaf.escalate_to:
            to = msgspec.structs.replace(leaf, channel=leaf.escalate_to, least=Severity.INFORMATIONAL)
            yield of_leaf(to, case.directory)
