"""Owners, sites and devices: what was asked, as the registry will have it. Pure. Instants are UTC milliseconds.

Each function takes the fields of a form, those of one that is changed alone where there is a `before`. Each raises
Wrong with every mistake, NotThere, Ambiguous or Taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from cloud_bridge.administration.checks import (
    demand,
    email_mistakes,
    filled,
    name_mistakes,
    owner_name_mistakes,
    placed,
    tag_mistakes,
    text_mistakes,
    time_zone_mistakes,
)
from cloud_bridge.administration.forms import DeviceForm, OwnerForm, SiteForm
from cloud_bridge.administration.names import address, check_free, find_owner, find_site, owner_id, owner_name
from cloud_bridge.alerts.terms import Channel, Device, Directory, Owner, Policy, Site
from cloud_bridge.errors import Mistake, Taken, Wrong
from gateway.wire.limits import GATEWAY_NAME_LENGTH
from gateway.wire.topics import is_gateway_name, is_unit_name

Fields = Mapping[str, object]

MAIL, DEFAULT = "mail", "default"
"""Names of the channel and the policy that a new owner has (S22)."""
OWNERS_AT_MOST = 10_000


def owner(directory: Directory, fields: Fields, now: int, before: Owner | None = None) -> Owner:
    form = filled(OwnerForm, fields, owner_form(before) if before else None)
    demand(
        (
            *owner_name_mistakes("name", form.name),
            *email_mistakes("email", form.email),
            *time_zone_mistakes("time_zone", form.time_zone),
        )
    )
    others = [each for each in directory.owners.values() if before is None or each.id != before.id]
    if any(each.name.casefold() == form.name.casefold() for each in others):
        raise Taken("owner", form.name)
    if len(others) >= OWNERS_AT_MOST:
        raise Wrong(Mistake("", f"{OWNERS_AT_MOST} owners, the most there may be"))
    return Owner(
        id=before.id if before else 0,
        name=form.name,
        email=form.email,
        time_zone=form.time_zone,
        created_at=before.created_at if before else now,
    )


def first_channel(whose: Owner) -> Channel:
    return Channel(id=0, owner=whose.id, name=MAIL, kind="mail", target=whose.email)


def first_policy(whose: Owner, channel: Channel, now: int) -> Policy:
    """Warning and above, of every device (S22)."""
    return Policy(id=0, owner=whose.id, name=DEFAULT, channel=channel.id, saved_at=now)


def owner_form(whose: Owner) -> OwnerForm:
    return OwnerForm(name=whose.name, email=whose.email, time_zone=whose.time_zone)


def site(directory: Directory, fields: Fields, before: Site | None = None) -> Site:
    """A site stays its owner's: what is at it is theirs."""
    form = filled(SiteForm, fields, site_form(directory, before) if before else None)
    demand(name_mistakes("name", form.name))
    whose = placed("owner", lambda: find_owner(directory, form.owner)).id
    if before and before.owner != whose:
        raise Wrong(Mistake("owner", "a site keeps its owner: make another for the other owner"))
    check_free(directory, "site", directory.sites, form.name, whose, before.id if before else 0)
    return Site(id=before.id if before else 0, owner=whose, name=form.name)


def site_form(directory: Directory, it: Site) -> SiteForm:
    return SiteForm(owner=owner_name(directory, it.owner), name=it.name)


def new_device(directory: Directory, name: str) -> Device:
    """One that no gateway spoke of yet: GATEWAY/UNIT."""
    gateway, slash, unit = name.partition("/")
    if not (slash and is_gateway_name(gateway) and is_unit_name(unit)):
        expected = f"expected GATEWAY/UNIT, each 1 to {GATEWAY_NAME_LENGTH} of a-z, 0-9 and -, as in pi-1/rack-1"
        raise Wrong(Mistake("device", expected))
    if any((each.gateway, each.unit) == (gateway, unit) for each in directory.devices.values()):
        raise Taken("device", name)
    return Device(id=0, gateway=gateway, unit=unit)


def device(directory: Directory, before: Device, fields: Fields) -> Device:
    """A device that changes its owner leaves its site and its tags behind, unless new ones are named."""
    form = filled(DeviceForm, fields, device_form(directory, before))
    whose = placed("owner", lambda: owner_id(directory, form.owner))
    if whose != before.owner:
        kept = {"site": "", "tags": ()}
        form = filled(DeviceForm, {**kept, **fields}, form)
    demand(_device_mistakes(directory, before, form, whose))
    return msgspec.structs.replace(
        before,
        name=form.name,
        owner=whose,
        site=_site_of(directory, form.site, whose),
        tags=tuple(sorted(set(form.tags))),
        battery_due_on=form.battery_due_on,
        warranty_until=form.warranty_until,
        test_every_days=form.test_every_days,
    )


def device_form(directory: Directory, it: Device) -> DeviceForm:
    place = directory.sites.get(it.site) if it.site is not None else None
    return DeviceForm(
        name=it.name,
        owner=owner_name(directory, it.owner),
        site=place.name if place else "",
        tags=it.tags,
        battery_due_on=it.battery_due_on,
        warranty_until=it.warranty_until,
        test_every_days=it.test_every_days,
    )


def _device_mistakes(directory: Directory, before: Device, form: DeviceForm, whose: int | None) -> Iterator[Mistake]:
    if form.name:
        yield from text_mistakes("name", form.name)
    yield from tag_mistakes("tags", form.tags)
    if form.site and whose is None:
        yield Mistake("site", "a site belongs to an owner: name the device's owner too")
    for other in directory.devices.values():
        same = before.serial and other.serial == before.serial and other.id != before.id
        if same and whose is not None and other.owner not in (None, whose):
            theirs = owner_name(directory, other.owner)
            where = f"{other.gateway}/{other.unit}"
            yield Mistake("owner", f"the unit with serial number {before.serial} is {theirs}'s already, as {where}")


def _site_of(directory: Directory, name: str, whose: int | None) -> int | None:
    if not name:
        return None
    found = placed("site", lambda: find_site(directory, name, whose))
    if found.owner != whose:
        raise Wrong(Mistake("site", f"{address(directory, found)} is another owner's"))
    return found.id
