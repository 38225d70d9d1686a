"""Owners, sites, devices, and devices' mutes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from cloud_bridge.administration.forms import (
    DeviceForm,
    DeviceShown,
    MuteShown,
    OwnerForm,
    OwnerShown,
    SiteForm,
    SiteShown,
)
from cloud_bridge.runtime.administer import people
from cloud_bridge.runtime.administer.reach import Reached, who_hears
from cloud_bridge.runtime.api.admitted import Who
from cloud_bridge.runtime.api.operations import Body, Listed, Opened, OwnerAsked, Paged, answer, by_id, fields_of, says
from drivers.ups import Severity

owners = APIRouter(tags=["owners"])
sites = APIRouter(tags=["sites"])
devices = APIRouter(tags=["devices"])
mutes = APIRouter(tags=["mutes"])

Condition = Annotated[str, Query(max_length=128, description="As `outage` or `replace_battery` (docs/conditions.md).")]


class Reach(msgspec.Struct, frozen=True):
    ways: tuple[Reached, ...]


_ADA = {"name": "ada", "email": "ada@example.net", "time_zone": "Europe/Berlin"}
_RACK = {"name": "Rack 1", "owner": "ada", "site": "cellar", "tags": ["office"], "battery_due_on": "2028-05-01"}


@owners.get("/v1/owners", **says(Listed[OwnerShown]))
def list_owners(_who: Who, office: Opened, part: Paged) -> Response:
    return answer(part.of(people.list_owners(office), by_id))


@owners.post("/v1/owners", **says(OwnerShown, takes=OwnerForm, status=201, example=_ADA))
def add_owner(_who: Who, office: Opened, body: Body) -> Response:
    """With a channel `mail` to the owner's address and a policy `default`: warning and above, of every device."""
    return answer(people.add_owner(office, fields_of(body)), 201)


@owners.get("/v1/owners/{owner}", **says(OwnerShown))
def show_owner(_who: Who, office: Opened, owner: str) -> Response:
    return answer(people.show_owner(office, owner))


@owners.patch("/v1/owners/{owner}", **says(OwnerShown, changes=OwnerForm, example={"time_zone": "Europe/Paris"}))
def change_owner(_who: Who, office: Opened, owner: str, body: Body) -> Response:
    """What is not named stays. A mail channel that goes to the old address goes to the new one."""
    return answer(people.set_owner(office, owner, fields_of(body)))


@owners.delete("/v1/owners/{owner}", **says(OwnerShown))
def remove_owner(_who: Who, office: Opened, owner: str) -> Response:
    """With all that is theirs but their devices, which nobody owns then."""
    return answer(people.remove_owner(office, owner))


@sites.get("/v1/sites", **says(Listed[SiteShown]))
def list_sites(_who: Who, office: Opened, part: Paged, owner: OwnerAsked = None) -> Response:
    return answer(part.of(people.list_sites(office, owner or ""), by_id))


@sites.post("/v1/sites", **says(SiteShown, takes=SiteForm, status=201, example={"owner": "ada", "name": "cellar"}))
def add_site(_who: Who, office: Opened, body: Body) -> Response:
    """A place whose units share their mains."""
    return answer(people.add_site(office, fields_of(body)), 201)


@sites.get("/v1/sites/{owner}/{site}", **says(SiteShown))
def show_site(_who: Who, office: Opened, owner: str, site: str) -> Response:
    return answer(people.show_site(office, f"{owner}/{site}"))


@sites.patch("/v1/sites/{owner}/{site}", **says(SiteShown, changes=SiteForm, example={"name": "attic"}))
def change_site(_who: Who, office: Opened, owner: str, site: str, body: Body) -> Response:
    return answer(people.set_site(office, f"{owner}/{site}", fields_of(body)))


@sites.delete("/v1/sites/{owner}/{site}", **says(SiteShown))
def remove_site(_who: Who, office: Opened, owner: str, site: str) -> Response:
    """Its devices stay their owner's."""
    return answer(people.remove_site(office, f"{owner}/{site}"))


@devices.get("/v1/devices", **says(Listed[DeviceShown]))
def list_devices(_who: Who, office: Opened, part: Paged, owner: OwnerAsked = None) -> Response:
    return answer(part.of(people.list_devices(office, owner), by_id))


@devices.get("/v1/devices/{gateway}/{unit}", **says(DeviceShown))
def show_device(_who: Who, office: Opened, gateway: str, unit: str) -> Response:
    return answer(people.show_device(office, f"{gateway}/{unit}"))


@devices.get("/v1/devices/{gateway}/{unit}/reach", **says(Reach))
def reach_of_device(
    _who: Who, office: Opened, gateway: str, unit: str, condition: Condition, severity: Severity | None = None
) -> Response:
    """Who would hear of it, by each policy and route, as things are now."""
    return answer(Reach(tuple(who_hears(office, f"{gateway}/{unit}", condition, severity))))


@devices.post("/v1/devices/{gateway}/{unit}", **says(DeviceShown, takes=DeviceForm, status=201, example=_RACK))
def add_device(_who: Who, office: Opened, gateway: str, unit: str, body: Body) -> Response:
    """One that no gateway spoke of yet. Others come by themselves."""
    return answer(people.add_device(office, f"{gateway}/{unit}", fields_of(body)), 201)


@devices.patch("/v1/devices/{gateway}/{unit}", **says(DeviceShown, changes=DeviceForm, example=_RACK))
def assign_device(_who: Who, office: Opened, gateway: str, unit: str, body: Body) -> Response:
    """Whose it is, where it is, how it is called, when its battery is due. What is not named stays; one that changes
    its owner leaves site and tags behind."""
    return answer(people.assign_devices(office, [f"{gateway}/{unit}"], fields_of(body))[0])


@devices.delete("/v1/devices/{gateway}/{unit}", **says(DeviceShown))
def remove_device(_who: Who, office: Opened, gateway: str, unit: str) -> Response:
    """It comes back, without an owner, when its gateway speaks of it again."""
    return answer(people.remove_device(office, f"{gateway}/{unit}"))


@mutes.get("/v1/mutes", **says(Listed[MuteShown]))
def list_mutes(_who: Who, office: Opened, part: Paged) -> Response:
    """Devices whose notifications are off by the flood rule."""
    return answer(part.of(people.list_mutes(office), lambda mute: mute.device))


@mutes.delete("/v1/mutes/{gateway}/{unit}", **says(DeviceShown))
def end_mute(who: Who, office: Opened, gateway: str, unit: str) -> Response:
    """Its notifications are on again, counted from zero."""
    return answer(people.unmute_device(office, f"{gateway}/{unit}", who.name))
