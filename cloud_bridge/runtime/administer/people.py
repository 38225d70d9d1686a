"""Owners, sites and devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloud_bridge.administration import people as asked
from cloud_bridge.administration.checks import OPERATOR
from cloud_bridge.administration.forms import DeviceShown, MuteShown, OwnerShown, SiteShown
from cloud_bridge.administration.names import find_device, find_devices, find_owner, find_site, owner_id
from cloud_bridge.administration.showing import device_shown, mute_shown, owner_shown, site_shown
from cloud_bridge.administration.users import moved_channels, users_of_device, users_of_site
from cloud_bridge.alerts.standing import Mute
from cloud_bridge.alerts.terms import Device, Directory
from cloud_bridge.errors import InUse, NotThere
from cloud_bridge.runtime.administer.office import Desk, Office
from cloud_bridge.store.registry import heard, leaving, people, values, wishes

Fields = Mapping[str, object]


def list_owners(office: Office) -> list[OwnerShown]:
    with office.reading() as desk:
        owners = sorted(desk.directory.owners.values(), key=lambda each: each.name.casefold())
        return [owner_shown(desk.directory, each) for each in owners]


def show_owner(office: Office, name: str) -> OwnerShown:
    with office.reading() as desk:
        return owner_shown(desk.directory, find_owner(desk.directory, name))


def add_owner(office: Office, fields: Fields) -> OwnerShown:
    """With a mail channel and the policy that a new owner has (S22)."""
    with office.writing() as desk:
        made = values.added(desk.connection, asked.owner(desk.directory, fields, desk.now))
        channel = asked.first_channel(made)
        channel = wishes.add_channel(desk.connection, channel, office.vault.seal(channel.target))
        wishes.add_policy(desk.connection, asked.first_policy(made, channel, desk.now))
        return owner_shown(desk.directory, made)


def set_owner(office: Office, name: str, fields: Fields) -> OwnerShown:
    """A mail channel that goes to the owner's old address goes to the new one."""
    with office.writing() as desk:
        before = find_owner(desk.directory, name)
        after = asked.owner(desk.directory, fields, desk.now, before)
        values.saved(desk.connection, after)
        for channel in moved_channels(desk.directory, before, after):
            wishes.save_channel(desk.connection, channel, office.vault.seal(channel.target))
        return owner_shown(desk.directory, after)


def remove_owner(office: Office, name: str) -> OwnerShown:
    """With all that is theirs but their devices, which nobody owns then."""
    with office.writing() as desk:
        gone = find_owner(desk.directory, name)
        shown = owner_shown(desk.directory, gone)
        for device in desk.directory.devices.values():
            if device.owner == gone.id:
                people.save_device(desk.connection, asked.device(desk.directory, device, {"owner": ""}))
        for channel in desk.directory.channels.values():
            if channel.owner == gone.id:
                wishes.remove_channel(desk.connection, channel)
        values.removed(desk.connection, gone)
        return shown


def list_sites(office: Office, owner: str = "") -> list[SiteShown]:
    """Of one owner, if one is named."""
    with office.reading() as desk:
        whose = find_owner(desk.directory, owner).id if owner else None
        found = [each for each in desk.directory.sites.values() if whose in (None, each.owner)]
        return sorted((site_shown(desk.directory, each) for each in found), key=lambda each: (each.owner, each.name))


def show_site(office: Office, name: str) -> SiteShown:
    with office.reading() as desk:
        return site_shown(desk.directory, find_site(desk.directory, name))


def add_site(office: Office, fields: Fields) -> SiteShown:
    with office.writing() as desk:
        return site_shown(desk.directory, values.added(desk.connection, asked.site(desk.directory, fields)))


def set_site(office: Office, name: str, fields: Fields) -> SiteShown:
    with office.writing() as desk:
        after = asked.site(desk.directory, fields, find_site(desk.directory, name))
        values.saved(desk.connection, after)
        return site_shown(desk.directory, after)


def remove_site(office: Office, name: str) -> SiteShown:
    """Its devices stay their owner's. Raises InUse while a policy, rule or silence is about it."""
    with office.writing() as desk:
        gone = find_site(desk.directory, name)
        shown = site_shown(desk.directory, gone)
        if users := users_of_site(desk.directory, gone, desk.now):
            raise InUse("site", f"{shown.owner}/{shown.name}", users)
        values.removed(desk.connection, gone)
        return shown


def list_devices(office: Office, owner: str | None = None) -> list[DeviceShown]:
    """Of one owner, if one is named; `operator`: those that nobody owns."""
    with office.reading() as desk:
        mutes = _mutes(desk)
        found = _of(desk.directory, owner)
        return [device_shown(desk.directory, each, mutes) for each in found]


def _of(directory: Directory, owner: str | None) -> Sequence[Device]:
    found = sorted(directory.devices.values(), key=lambda each: (each.gateway, each.unit))
    if owner is None:
        return found
    whose = owner_id(directory, owner)
    return [each for each in found if each.owner == whose]


def show_device(office: Office, name: str) -> DeviceShown:
    with office.reading() as desk:
        return _device_shown(desk, find_device(desk.directory, name))


def add_device(office: Office, name: str, fields: Fields) -> DeviceShown:
    """One that no gateway spoke of yet: GATEWAY/UNIT. Others come by themselves."""
    with office.writing() as desk:
        made = asked.device(desk.directory, asked.new_device(desk.directory, name), fields)
        return _device_shown(desk, people.add_device(desk.connection, made))


def assign_devices(office: Office, names: Sequence[str], fields: Fields) -> list[DeviceShown]:
    """All of them, or none."""
    with office.writing() as desk:
        after = [asked.device(desk.directory, each, fields) for each in find_devices(desk.directory, names)]
        for device in after:
            people.save_device(desk.connection, device)
        return [_device_shown(desk, device) for device in after]


def tag_device(office: Office, name: str, add: Sequence[str], remove: Sequence[str]) -> DeviceShown:
    with office.writing() as desk:
        before = find_device(desk.directory, name)
        tags = sorted({*before.tags, *add} - set(remove))
        after = asked.device(desk.directory, before, {"tags": tags})
        people.save_device(desk.connection, after)
        return _device_shown(desk, after)


def remove_device(office: Office, name: str) -> DeviceShown:
    """It comes back, without an owner, when its gateway speaks of it again. Raises InUse as remove_site does."""
    with office.writing() as desk:
        gone = find_device(desk.directory, name)
        if users := users_of_device(desk.directory, gone, desk.now):
            raise InUse("device", f"{gone.gateway}/{gone.unit}", users)
        shown = _device_shown(desk, gone)
        people.remove_device(desk.connection, gone)
        return shown


def list_mutes(office: Office) -> list[MuteShown]:
    """Devices whose notifications are off by the flood rule."""
    with office.reading() as desk:
        return [mute_shown(desk.directory, each) for each in _mutes(desk).values()]


def unmute_device(office: Office, name: str, by: str) -> DeviceShown:
    """Its notifications are on again, counted from zero. Raises NotThere if they are on."""
    with office.writing() as desk:
        device = find_device(desk.directory, name)
        mute = _mutes(desk).get(device.id)
        if mute is None or not leaving.turn_on(desk.connection, mute.id, desk.now, f"by {by or OPERATOR}"):
            raise NotThere("mute", name, "its notifications are on")
        return _device_shown(desk, device)


def _device_shown(desk: Desk, device: Device) -> DeviceShown:
    return device_shown(desk.directory, device, _mutes(desk))


def _mutes(desk: Desk) -> Mapping[int, Mute]:
    """Those in force; one that ran out is for the alerts role to end."""
    return {device: mute for device, mute in heard.all_mutes(desk.connection).items() if mute.until > desk.now}
