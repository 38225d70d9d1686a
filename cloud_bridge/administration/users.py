"""What needs a channel, a site or a device, so that none goes while something still leads to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from cloud_bridge.administration.names import address
from cloud_bridge.alerts.terms import Channel, Device, Directory, Owner, Scope, Site
from cloud_bridge.alerts.tree import channels_of

ROUTES = "the operator's routes"


def users_of_channel(directory: Directory, channel: Channel) -> list[str]:
    policies = [
        f"policy {address(directory, policy)}"
        for policy in directory.policies.values()
        if channel.id in (policy.channel, policy.escalation and policy.escalation.channel)
    ]
    return policies + users_of_name(directory, channel)


def users_of_name(directory: Directory, channel: Channel) -> list[str]:
    """What leads to it by its name."""
    routes = directory.routes
    is_routed = channel.owner is None and routes is not None and channel.name in channels_of(routes)
    return [ROUTES] if is_routed else []


def users_of_site(directory: Directory, site: Site, now: int) -> list[str]:
    return [user for user, scope in _scopes(directory, now) if site.id in scope.sites]


def users_of_device(directory: Directory, device: Device, now: int) -> list[str]:
    return [user for user, scope in _scopes(directory, now) if device.id in scope.devices]


def _scopes(directory: Directory, now: int) -> Iterator[tuple[str, Scope]]:
    for policy in directory.policies.values():
        yield f"policy {address(directory, policy)}", policy.scope
    for rule in directory.rules.values():
        yield f"rule {address(directory, rule)}", rule.scope
    for silence in directory.silences.values():
        if silence.ends_at > now:
            yield f"silence {silence.id}", silence.scope


def moved_channels(directory: Directory, before: Owner, after: Owner) -> list[Channel]:
    """The owner's mail channels that go to the address that has changed, as they are to be."""
    theirs = (each for each in directory.channels.values() if each.owner == after.id and each.kind == "mail")
    moved = [each for each in theirs if each.target == before.email != after.email]
    return [replace(each, target=after.email) for each in moved]
