"""By which names people address things, and what they mean. Pure.

An owner is its name. What an owner has is OWNER/NAME, or NAME where no other owner has one of that name; the
operator's are operator/NAME. A device is GATEWAY/UNIT, its serial number, its own name, or UNIT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

from cloud_bridge.administration.checks import OPERATOR
from cloud_bridge.alerts.terms import Channel, Device, Directory, Owner, Policy, Rule, Site
from cloud_bridge.errors import Ambiguous, Mistake, NotThere, Taken, Wrong

Owned = TypeVar("Owned", Channel, Policy, Rule, Site)

_EACH_AT_MOST = 200
"""Channels, policies, rules of one owner, each."""
_SITES_AT_MOST = 1000


def find_owner(directory: Directory, name: str) -> Owner:
    """Raises NotThere."""
    for owner in directory.owners.values():
        if owner.name.casefold() == name.casefold():
            return owner
    raise NotThere("owner", name, "`ridethrough cloud owner list` names all")


def owner_id(directory: Directory, name: str) -> int | None:
    """None is the operator. Raises NotThere."""
    return None if name.casefold() in ("", OPERATOR) else find_owner(directory, name).id


def owner_name(directory: Directory, owner: int | None) -> str:
    """Empty: the operator."""
    found = directory.owners.get(owner) if owner is not None else None
    return found.name if found else ""


def address(directory: Directory, owned: Channel | Policy | Rule | Site) -> str:
    """OWNER/NAME."""
    return f"{owner_name(directory, owned.owner) or OPERATOR}/{owned.name}"


def find_channel(directory: Directory, name: str, owner: int | None | str = "") -> Channel:
    """Of this owner, if one is named at all. Raises NotThere, Ambiguous; so do those below."""
    return _find(directory, "channel", directory.channels, name, owner)


def find_policy(directory: Directory, name: str) -> Policy:
    return _find(directory, "policy", directory.policies, name)


def find_rule(directory: Directory, name: str) -> Rule:
    return _find(directory, "rule", directory.rules, name)


def find_site(directory: Directory, name: str, owner: int | None | str = "") -> Site:
    return _find(directory, "site", directory.sites, name, owner)


def _find(
    directory: Directory, kind: str, among: Mapping[int, Owned], name: str, owner: int | None | str = ""
) -> Owned:
    whose, slash, own = name.rpartition("/")
    if slash:
        owner, name = owner_id(directory, whose), own
    named = [each for each in among.values() if each.name.casefold() == name.casefold()]
    found = named if owner == "" else [each for each in named if each.owner == owner]
    if len(found) > 1:
        raise Ambiguous(kind, name, [address(directory, each) for each in found])
    if not found:
        raise NotThere(kind, name, f"`ridethrough cloud {kind} list` names all")
    return found[0]


def check_free(
    directory: Directory, kind: str, among: Mapping[int, Owned], name: str, owner: int | None, besides: int = 0
) -> None:
    """Raises Taken, or Wrong where an owner has as many as one may. The database takes two operators' for different
    ones, since it compares no NULL."""
    theirs = [each for each in among.values() if each.owner == owner and each.id != besides]
    if any(each.name.casefold() == name.casefold() for each in theirs):
        raise Taken(kind, f"{owner_name(directory, owner) or OPERATOR}/{name}")
    most = _SITES_AT_MOST if kind == "site" else _EACH_AT_MOST
    if len(theirs) >= most:
        raise Wrong(Mistake("", f"{most} of an owner's, the most there may be: remove one first"))


def find_device(directory: Directory, name: str) -> Device:
    """Raises NotThere, Ambiguous."""
    found = _called(directory, name)
    if len(found) > 1:
        raise Ambiguous("device", name, [f"{each.gateway}/{each.unit}" for each in found])
    if not found:
        raise NotThere("device", name, "`ridethrough cloud device list` names all")
    return found[0]


def find_devices(directory: Directory, names: Iterable[str]) -> list[Device]:
    """`*` and `?` in GATEWAY/UNIT stand for any text and any letter. Raises as find_device."""
    found: dict[int, Device] = {}
    for name in names:
        fit = _fitting(directory, name) if "*" in name or "?" in name else [find_device(directory, name)]
        found |= {each.id: each for each in fit}
    return list(found.values())


def _fitting(directory: Directory, pattern: str) -> list[Device]:
    fit = [each for each in directory.devices.values() if fnmatchcase(f"{each.gateway}/{each.unit}", pattern)]
    if not fit:
        raise NotThere("device", pattern, "`ridethrough cloud device list` names all")
    return fit


def _called(directory: Directory, name: str) -> list[Device]:
    """A name for good goes before one that may be another's tomorrow."""
    every = directory.devices.values()
    for is_it in (
        lambda device: f"{device.gateway}/{device.unit}" == name,
        lambda device: bool(device.serial) and device.serial == name,
        lambda device: bool(device.name) and device.name.casefold() == name.casefold(),
        lambda device: device.unit == name,
    ):
        if found := [each for each in every if is_it(each)]:
            return found
    return []
