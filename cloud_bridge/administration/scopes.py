"""Whose something is, which channel it leads to, and which devices it is about: by names there, by ids here. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cloud_bridge.administration.checks import placed
from cloud_bridge.administration.forms import PolicyForm, RuleForm, SilenceForm
from cloud_bridge.administration.names import (
    address,
    find_channel,
    find_devices,
    find_site,
    owner_id,
    owner_name,
)
from cloud_bridge.alerts.terms import Channel, Directory, Policy, Rule, Scope
from cloud_bridge.errors import Mistake, Wrong


def owner_of(directory: Directory, name: str, before: Channel | Policy | Rule | None) -> int | None:
    whose = placed("owner", lambda: owner_id(directory, name))
    if before and before.owner != whose:
        raise Wrong(Mistake("owner", "it keeps its owner: make another for the other owner"))
    return whose


def channel_of(directory: Directory, place: str, name: str, whose: int | None) -> Channel:
    found = placed(place, lambda: find_channel(directory, name, whose))
    if found.owner != whose:
        raise Wrong(Mistake(place, f"{address(directory, found)} is another owner's"))
    return found


def channel_name(directory: Directory, channel_id: int) -> str:
    return directory.channels[channel_id].name if channel_id in directory.channels else f"#{channel_id}"


def scope_of(directory: Directory, form: PolicyForm | RuleForm | SilenceForm, whose: int | None) -> Scope:
    """An owner's own; the operator names any."""
    devices: list[int] = []
    for index, name in enumerate(form.devices):
        place = f"devices[{index}]"
        for device in placed(place, partial(find_devices, directory, (name,))):
            if whose is not None and device.owner != whose:
                raise Wrong(Mistake(place, f"{device.gateway}/{device.unit} is not {owner_name(directory, whose)}'s"))
            devices.append(device.id)
    sites: list[int] = []
    for index, name in enumerate(form.sites):
        place = f"sites[{index}]"
        site = placed(place, partial(find_site, directory, name, "" if whose is None else whose))
        if whose is not None and site.owner != whose:
            raise Wrong(Mistake(place, f"{address(directory, site)} is not {owner_name(directory, whose)}'s"))
        sites.append(site.id)
    return Scope(devices=_once(devices), sites=_once(sites), tags=tuple(sorted(set(form.tags))))


def _once(ids: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ids))


def scope_names(directory: Directory, scope: Scope) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What is gone keeps its number: left out it would make the scope every device."""
    devices = [directory.devices.get(each) for each in scope.devices]
    sites = [directory.sites.get(each) for each in scope.sites]
    return (
        tuple(it.gateway + "/" + it.unit if it else f"#{id_}" for it, id_ in zip(devices, scope.devices, strict=True)),
        tuple(address(directory, it) if it else f"#{id_}" for it, id_ in zip(sites, scope.sites, strict=True)),
        scope.tags,
    )
