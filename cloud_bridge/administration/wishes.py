"""Channels and policies: what was asked, as the registry will have it. Pure. Instants are UTC milliseconds.

Each function takes the fields of a form, those of one that is changed alone where there is a `before`. Each raises
Wrong with every mistake, or Taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cloud_bridge.administration.checks import (
    condition_mistakes,
    demand,
    email_mistakes,
    filled,
    name_mistakes,
    tag_mistakes,
    text_mistakes,
)
from cloud_bridge.administration.forms import ChannelForm, EscalationForm, PolicyForm
from cloud_bridge.administration.names import check_free, owner_name
from cloud_bridge.administration.scopes import channel_name, channel_of, owner_of, scope_names, scope_of
from cloud_bridge.alerts.terms import Channel, Directory, Escalation, Policy, Quiet
from cloud_bridge.errors import Mistake

Fields = Mapping[str, object]

CheckTarget = Callable[[str, str], Mistake | None]
"""Of a kind and a target: why nothing can be sent there."""


def channel(directory: Directory, fields: Fields, check: CheckTarget, before: Channel | None = None) -> Channel:
    form = filled(ChannelForm, fields, channel_form(directory, before) if before else None)
    whose = owner_of(directory, form.owner, before)
    demand((*name_mistakes("name", form.name), *_target_mistakes(form, check)))
    check_free(directory, "channel", directory.channels, form.name, whose, before.id if before else 0)
    return Channel(
        id=before.id if before else 0,
        owner=whose,
        name=form.name,
        kind=form.kind,
        target=form.target,
        per_minute=form.per_minute,
        enabled=form.enabled,
    )


def _target_mistakes(form: ChannelForm, check: CheckTarget) -> Iterator[Mistake]:
    wrong = [*(email_mistakes if form.kind == "mail" else text_mistakes)("target", form.target)]
    yield from wrong
    if not wrong and (mistake := check(form.kind, form.target)):
        yield mistake


def channel_form(directory: Directory, it: Channel) -> ChannelForm:
    """With its target as it is: not for showing."""
    return ChannelForm(
        owner=owner_name(directory, it.owner),
        name=it.name,
        kind=it.kind,
        target=it.target or "unreadable",
        per_minute=it.per_minute,
        enabled=it.enabled,
    )


def policy(directory: Directory, fields: Fields, now: int, before: Policy | None = None) -> Policy:
    form = filled(PolicyForm, fields, policy_form(directory, before) if before else None)
    whose = owner_of(directory, form.owner, before)
    demand(
        (
            *name_mistakes("name", form.name),
            *tag_mistakes("tags", form.tags),
            *condition_mistakes("conditions", form.conditions),
            *_quiet_mistakes(form.quiet),
        )
    )
    check_free(directory, "policy", directory.policies, form.name, whose, before.id if before else 0)
    return Policy(
        id=before.id if before else 0,
        owner=whose,
        name=form.name,
        channel=channel_of(directory, "channel", form.channel, whose).id,
        least=form.least,
        scope=scope_of(directory, form, whose),
        conditions=form.conditions,
        quiet=form.quiet,
        escalation=_escalation(directory, form.escalation, whose),
        resolves=form.resolves,
        group_s=form.group_s,
        enabled=form.enabled,
        saved_at=now,
    )


def policy_form(directory: Directory, it: Policy) -> PolicyForm:
    devices, sites, tags = scope_names(directory, it.scope)
    return PolicyForm(
        owner=owner_name(directory, it.owner),
        name=it.name,
        channel=channel_name(directory, it.channel),
        least=it.least,
        devices=devices,
        sites=sites,
        tags=tags,
        conditions=it.conditions,
        quiet=it.quiet,
        escalation=_escalation_form(directory, it.escalation),
        resolves=it.resolves,
        group_s=it.group_s,
        enabled=it.enabled,
    )


def _escalation(directory: Directory, form: EscalationForm | None, whose: int | None) -> Escalation | None:
    if form is None:
        return None
    channel = channel_of(directory, "escalation.channel", form.channel, whose)
    return Escalation(after_s=form.after_s, channel=channel.id)


def _escalation_form(directory: Directory, it: Escalation | None) -> EscalationForm | None:
    return EscalationForm(after_s=it.after_s, channel=channel_name(directory, it.channel)) if it else None


def _quiet_mistakes(quiet: Quiet | None) -> Iterator[Mistake]:
    if quiet and quiet.since == quiet.until:
        yield Mistake("quiet.until", f"it begins and ends at {quiet.since}: expected two times, as 22:00 and 06:30")
