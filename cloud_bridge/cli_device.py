"""`ridethrough cloud device`, `mute`: the units that gateways speak of."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloud_bridge.cli_administer import (
    Administering,
    Day,
    by_name,
    given,
    new_name,
    of_owner,
    opened,
    print_all,
    print_one,
)
from cloud_bridge.cli_options import as_json, directory

if TYPE_CHECKING:
    from cloud_bridge.administration.forms import DeviceShown


@click.group(cls=Administering)
def device() -> None:
    """Devices: the units that gateways speak of. A DEVICE is GATEWAY/UNIT, a serial number, or its own name."""


@device.command("list")
@directory
@as_json
@of_owner
def list_devices(folder: Path, owner: str | None, json_lines: bool) -> None:
    """All devices, or those of one owner; `--owner operator`: those that nobody owns."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        found = people.list_devices(office, owner)
    print_all(
        found,
        ("device", "name", "owner", "site", "tags", "model", "serial", "battery due", "muted until"),
        _device_cells,
        json_lines=json_lines,
    )


def _device_cells(each: DeviceShown) -> tuple[object, ...]:
    named = (f"{each.gateway}/{each.unit}", each.name, each.owner, each.site, each.tags)
    return (*named, each.model, each.serial, each.battery_due_on, each.muted_until)


@device.command("show")
@directory
@as_json
@click.argument("device")
def show_device(folder: Path, device: str, json_lines: bool) -> None:
    """One device."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        print_one(people.show_device(office, device), json_lines=json_lines)


@device.command("add")
@directory
@click.argument("device")
@click.option("--owner", "whose", metavar="NAME", default="", help="Whose it is.")
def add_device(folder: Path, device: str, whose: str) -> None:
    """Add a device (GATEWAY/UNIT) before its gateway has spoken of it. Others come by themselves."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        print_one(people.add_device(office, device, {"owner": whose}), json_lines=False)


@device.command("assign")
@directory
@click.argument("devices", nargs=-1, required=True)
@click.option("--owner", metavar="NAME", help="Whose it is; `operator`: nobody's. Site and tags go with another owner.")
@click.option("--site", metavar="NAME", help="Where it stands, of the owner's sites; '' for none.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="In place of its tags; repeatable.")
@click.option("--no-tags", is_flag=True, help="Takes its tags away.")
@click.option(
    "--battery-due",
    metavar="DAY",
    type=Day(),
    help="When its battery is to be replaced; or `none`: as the unit says.",
)
@click.option("--warranty", metavar="DAY", type=Day(), help="Until when its warranty lasts; or `none`.")
@click.option(
    "--test-every", metavar="DAYS", type=click.IntRange(0, 3650), help="A self-test is due so often; 0: none."
)
@new_name
def assign_devices(
    folder: Path,
    devices: tuple[str, ...],
    owner: str | None,
    site: str | None,
    tags: tuple[str, ...],
    no_tags: bool,
    battery_due: date | str | None,
    warranty: date | str | None,
    test_every: int | None,
    name: str | None,
) -> None:
    """Say whose DEVICES are, where they stand, and what is due. * and ? in GATEWAY/UNIT stand for any.

    What is not named stays as it is.
    """
    from cloud_bridge.runtime.administer import people

    fields = given(
        owner=owner,
        site=site,
        tags=tags,
        battery_due_on=battery_due,
        warranty_until=warranty,
        test_every_days=test_every,
        name=name,
    ) | ({"tags": ()} if no_tags else {})
    fields = {field: None if value == Day.NONE else value for field, value in fields.items()}
    if not fields:
        raise click.UsageError("nothing to change: name --owner, --site, --tag, …")
    with opened(folder) as office:
        found = people.assign_devices(office, devices, fields)
    print_all(
        found, ("device", "name", "owner", "site", "tags"), lambda each: _device_cells(each)[:5], json_lines=False
    )


@device.command("tag")
@directory
@click.argument("device")
@click.argument("tags", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take them away.")
def tag_device(folder: Path, device: str, tags: tuple[str, ...], remove: bool) -> None:
    """Add TAGS to a device's, or take them away."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        shown = people.tag_device(office, device, () if remove else tags, tags if remove else ())
    print_all([shown], ("device", "tags"), lambda each: (f"{each.gateway}/{each.unit}", each.tags), json_lines=False)


@device.command("remove")
@directory
@click.argument("device")
def remove_device(folder: Path, device: str) -> None:
    """Forget a device that was retired. It comes back when its gateway speaks of it again."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        gone = people.remove_device(office, device)
    click.echo(f"{gone.gateway}/{gone.unit} is forgotten")


@device.command("unmute")
@directory
@by_name
@click.argument("device")
def unmute_device(folder: Path, device: str, by: str) -> None:
    """Turn notifications of a device on again that the flood rule turned off."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        shown = people.unmute_device(office, device, by)
    click.echo(f"notifications of {shown.gateway}/{shown.unit} are on again")


@click.group(cls=Administering)
def mute() -> None:
    """Devices whose notifications are off by the flood rule (docs/alerts.md)."""


@mute.command("list")
@directory
@as_json
def list_mutes(folder: Path, json_lines: bool) -> None:
    """All of them, and until when. `cloud device unmute DEVICE` ends one."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        found = people.list_mutes(office)
    print_all(
        found,
        ("device", "owner", "since", "until", "left out"),
        lambda each: (each.device, each.owner, each.since, each.until, each.left_out),
        json_lines=json_lines,
    )


GROUPS = (device, mute)
"""The commands of this module."""
