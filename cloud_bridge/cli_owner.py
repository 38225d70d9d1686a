"""`ridethrough cloud owner`, `site`: whose the devices are, and where they stand."""

from __future__ import annotations

from pathlib import Path

import click

from cloud_bridge.cli_administer import Administering, given, opened, print_all, print_one
from cloud_bridge.cli_options import as_json, directory


@click.group(cls=Administering)
def owner() -> None:
    """Owners of devices: who is told, and in which time zone they live."""


@owner.command("add")
@directory
@click.argument("name")
@click.option("--mail", "email", metavar="ADDRESS", required=True, help="Where notices go.")
@click.option("--time-zone", metavar="ZONE", default="UTC", show_default=True, help="As Europe/Berlin.")
def add_owner(folder: Path, name: str, email: str, time_zone: str) -> None:
    """Add an owner, with a mail channel `mail` and a policy `default`: warning and above, of every device of theirs.

    Then give them their devices: `cloud device assign GATEWAY/UNIT --owner NAME`.
    """
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        made = people.add_owner(office, {"name": name, "email": email, "time_zone": time_zone})
        if office.settings.smtp is None:
            click.echo("cloud.yaml names no mail server: without `smtp` no mail leaves (docs/channels.md)", err=True)
    click.echo(f"{made.name} is told by mail to {made.email} of what is a warning or worse")


@owner.command("set")
@directory
@click.argument("name")
@click.option("--name", "another", metavar="NAME", help="Another name.")
@click.option("--mail", "email", metavar="ADDRESS", help="Mail channels that went to the old address follow.")
@click.option("--time-zone", metavar="ZONE", help="As Europe/Berlin.")
def set_owner(folder: Path, name: str, another: str | None, email: str | None, time_zone: str | None) -> None:
    """Change an owner."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        fields = given(name=another, email=email, time_zone=time_zone)
        print_one(people.set_owner(office, name, fields), json_lines=False)


@owner.command("remove")
@directory
@click.argument("name")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def remove_owner(folder: Path, name: str, yes: bool) -> None:
    """Remove an owner with all channels, policies, rules, silences and sites of theirs. Their devices are nobody's."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        shown = people.show_owner(office, name)
        if not yes:
            click.confirm(f"{shown.devices} devices of {shown.name} will be nobody's. Go on?", abort=True, err=True)
        people.remove_owner(office, name)
    click.echo(f"{shown.name} is removed; {shown.devices} devices are nobody's now")


@owner.command("list")
@directory
@as_json
def list_owners(folder: Path, json_lines: bool) -> None:
    """All owners."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        found = people.list_owners(office)
    print_all(
        found,
        ("owner", "mail", "time zone", "devices"),
        lambda each: (each.name, each.email, each.time_zone, each.devices),
        json_lines=json_lines,
    )


@owner.command("show")
@directory
@as_json
@click.argument("name")
def show_owner(folder: Path, name: str, json_lines: bool) -> None:
    """One owner."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        print_one(people.show_owner(office, name), json_lines=json_lines)


@click.group(cls=Administering)
def site() -> None:
    """Sites: places whose devices share their mains. An outage of many devices of one is told once."""


@site.command("add")
@directory
@click.argument("name")
@click.option("--owner", "whose", metavar="NAME", required=True, help="Whose it is.")
def add_site(folder: Path, name: str, whose: str) -> None:
    """Add a site of an owner. Then: `cloud device assign GATEWAY/UNIT --site NAME`."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        made = people.add_site(office, {"owner": whose, "name": name})
    click.echo(f"{made.owner}/{made.name} is made")


@site.command("set")
@directory
@click.argument("name")
@click.option("--name", "another", metavar="NAME", required=True, help="Another name.")
def set_site(folder: Path, name: str, another: str) -> None:
    """Give a site (NAME, or OWNER/NAME) another name."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        print_one(people.set_site(office, name, {"name": another}), json_lines=False)


@site.command("remove")
@directory
@click.argument("name")
def remove_site(folder: Path, name: str) -> None:
    """Remove a site (NAME, or OWNER/NAME). Its devices stay their owner's."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        gone = people.remove_site(office, name)
    click.echo(f"{gone.owner}/{gone.name} is removed")


@site.command("list")
@directory
@as_json
@click.option("--owner", "whose", metavar="NAME", default="", help="Of this owner alone.")
def list_sites(folder: Path, whose: str, json_lines: bool) -> None:
    """All sites, with the devices there."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        found = people.list_sites(office, whose)
    print_all(
        found,
        ("owner", "site", "devices"),
        lambda each: (each.owner, each.name, each.devices),
        json_lines=json_lines,
    )


@site.command("show")
@directory
@as_json
@click.argument("name")
def show_site(folder: Path, name: str, json_lines: bool) -> None:
    """One site (NAME, or OWNER/NAME)."""
    from cloud_bridge.runtime.administer import people

    with opened(folder) as office:
        print_one(people.show_site(office, name), json_lines=json_lines)


GROUPS = (owner, site)
"""The commands of this module."""
