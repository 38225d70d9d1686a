"""What the registry has, as people are shown it: names for ids, targets without their secrets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cloud_bridge.administration.forms import (
    ChannelShown,
    DeviceShown,
    MuteShown,
    OwnerShown,
    PolicyShown,
    RuleShown,
    SilenceShown,
    SiteShown,
)
from cloud_bridge.administration.names import owner_name
from cloud_bridge.administration.people import device_form, owner_form, site_form
from cloud_bridge.administration.rules import instant, rule_form, silence_form
from cloud_bridge.administration.wishes import channel_form, policy_form
from cloud_bridge.alerts.standing import Mute
from cloud_bridge.alerts.terms import Channel, Device, Directory, Owner, Policy, Rule, Silence, Site

UNREADABLE = "(can't be decrypted: set it again)"


def owner_shown(directory: Directory, it: Owner) -> OwnerShown:
    devices = sum(device.owner == it.id for device in directory.devices.values())
    return OwnerShown(**_fields(owner_form(it)), id=it.id, created_at=instant(it.created_at), devices=devices)


def site_shown(directory: Directory, it: Site) -> SiteShown:
    there = sorted(f"{each.gateway}/{each.unit}" for each in directory.devices.values() if each.site == it.id)
    return SiteShown(**_fields(site_form(directory, it)), id=it.id, devices=tuple(there))


def device_shown(directory: Directory, it: Device, mutes: Mapping[int, Mute]) -> DeviceShown:
    mute = mutes.get(it.id)
    return DeviceShown(
        **_fields(device_form(directory, it)),
        id=it.id,
        gateway=it.gateway,
        unit=it.unit,
        serial=it.serial,
        model=it.model,
        muted_until=instant(mute.until) if mute else None,
    )


def channel_shown(directory: Directory, it: Channel) -> ChannelShown:
    fields = _fields(channel_form(directory, it))
    return ChannelShown(**(fields | {"target": masked(it.kind, it.target)}), id=it.id)


def masked(kind: str, target: str) -> str:
    """A mail address is none; of a URL all but scheme and host may be one, and with Apprise the host too."""
    if not target:
        return UNREADABLE
    if kind == "mail":
        return target
    try:
        url = urlsplit(target.partition(" ")[0])
    except ValueError:
        return "…"
    return f"{url.scheme}://{url.hostname if kind == 'webhook' and url.hostname else ''}/…"


def policy_shown(directory: Directory, it: Policy, unsubscribed: Collection[str]) -> PolicyShown:
    return PolicyShown(
        **_fields(policy_form(directory, it)),
        id=it.id,
        saved_at=instant(it.saved_at),
        unsubscribed=tuple(sorted(unsubscribed)),
    )


def rule_shown(directory: Directory, it: Rule) -> RuleShown:
    return RuleShown(**_fields(rule_form(directory, it)), id=it.id)


def silence_shown(directory: Directory, it: Silence, now: int) -> SilenceShown:
    return SilenceShown(**_fields(silence_form(directory, it)), id=it.id, in_force=it.starts_at <= now < it.ends_at)


def mute_shown(directory: Directory, it: Mute) -> MuteShown:
    device = directory.devices[it.device]
    return MuteShown(
        device=f"{device.gateway}/{device.unit}",
        owner=owner_name(directory, device.owner),
        since=instant(it.since),
        until=instant(it.until),
        left_out=it.left_out,
    )


def _fields(form: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(form)
