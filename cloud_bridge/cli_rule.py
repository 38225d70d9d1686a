"""`ridethrough cloud rule`, `silence`, `route`: what else is an alert, what is none for a while, and who of the
operator's is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from cloud_bridge.cli_administer import (
    SEVERITIES,
    Administering,
    Duration,
    Instant,
    by_name,
    conditions,
    duration,
    enabling,
    given,
    new_name,
    of_owner,
    opened,
    print_all,
    print_one,
    scope,
    whose,
    words,
)
from cloud_bridge.cli_options import Command, as_json, directory

if TYPE_CHECKING:
    from cloud_bridge.administration.forms import RuleShown, SilenceShown

ROUTES_CHARS = 256 * 1024


@click.group(cls=Administering)
def rule() -> None:
    """Rules: thresholds of your own on any reading. A NAME may be OWNER/NAME."""


def _limits(command: Command) -> Command:
    """Options that `add` and `set` share."""
    for option in (
        scope,
        click.option("--severity", type=SEVERITIES, help="By default warning."),
        click.option("--for", "for_s", type=Duration(), help="So long before it is an alert; by default 60s."),
        click.option("--clear", type=float, help="Over once the reading is back here; by default the limit."),
        click.option("--below", type=float, help="It is an alert under this."),
        click.option("--above", type=float, help="It is an alert over this."),
    ):
        command = option(command)
    return command


@rule.command("add")
@directory
@click.argument("name")
@whose
@click.option("--reading", metavar="NAME", required=True, help="As load_pct, battery_temp_c, input_v.")
@_limits
def add_rule(folder: Path, **options: object) -> None:
    """Add a rule, as: rule add hot --reading battery_temp_c --above 40 --clear 38 --for 5min."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        print_one(watch.add_rule(office, given(**options)), json_lines=False)


@rule.command("set")
@directory
@click.argument("rule")
@new_name
@click.option("--reading", metavar="NAME", help="As load_pct, battery_temp_c, input_v.")
@_limits
@click.option("--every-device", is_flag=True, help="In place of the devices, sites and tags it names.")
@enabling
def set_rule(folder: Path, rule: str, every_device: bool, **options: object) -> None:
    """Change a rule; what is not named stays as it is."""
    from cloud_bridge.runtime.administer import watch

    everywhere: dict[str, object] = {"devices": (), "sites": (), "tags": ()} if every_device else {}
    with opened(folder) as office:
        print_one(watch.set_rule(office, rule, everywhere | given(**options)), json_lines=False)


@rule.command("remove")
@directory
@click.argument("rule")
def remove_rule(folder: Path, rule: str) -> None:
    """Remove a rule."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        click.echo(f"rule {watch.remove_rule(office, rule).name} is removed")


@rule.command("list")
@directory
@as_json
@of_owner
def list_rules(folder: Path, owner: str | None, json_lines: bool) -> None:
    """All rules."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        found = watch.list_rules(office, owner)
    headings = ("owner", "rule", "reading", "limit", "clear", "for", "severity", "of", "on")
    print_all(found, headings, _rule_cells, json_lines=json_lines)


def _rule_cells(each: RuleShown) -> tuple[object, ...]:
    limit = f"above {each.above:g}" if each.above is not None else f"below {each.below:g}"
    about = words((*each.devices, *each.sites, *each.tags) or "every device")
    named = (each.owner or "operator", each.name, each.reading, limit, each.clear, duration(each.for_s))
    return (*named, each.severity, about, each.enabled)


@rule.command("show")
@directory
@as_json
@click.argument("rule")
def show_rule(folder: Path, rule: str, json_lines: bool) -> None:
    """One rule."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        print_one(watch.show_rule(office, rule), json_lines=json_lines)


@click.group(cls=Administering)
def silence() -> None:
    """Silences and maintenance windows: nothing is said meanwhile; what happens is recorded all the same."""


@silence.command("add")
@directory
@whose
@scope
@conditions
@click.option("--for", "for_s", type=Duration(), help="So long, as 2h.")
@click.option("--from", "starts_at", type=Instant(), help="From then on; by default now.")
@click.option("--until", "ends_at", type=Instant(), help="Until then, as 2026-11-24T18:00:00Z.")
@click.option("--maintenance", "kind", flag_value="maintenance", help="Work on the devices, not just quiet.")
@click.option("--critical", is_flag=True, default=None, help="Of criticals too, which are told otherwise.")
@click.option("--why", help="For whoever wonders later.")
@by_name
def add_silence(folder: Path, **options: object) -> None:
    """Say nothing of some devices, or some conditions, for a while.

    Critical alerts are told all the same, unless --critical is given or --condition names theirs.
    """
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        made = watch.add_silence(office, given(**options))
    of = words((*made.devices, *made.sites, *made.tags) or "every device")
    until = words(made.ends_at)
    click.echo(f"silence {made.id} of {of} lasts until {until}; `cloud silence end {made.id}` ends it before")


@silence.command("end")
@directory
@click.argument("number", type=int)
def end_silence(folder: Path, number: int) -> None:
    """End a silence now."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        click.echo(f"silence {watch.end_silence(office, number).id} is over")


@silence.command("list")
@directory
@as_json
@click.option("--all", "ended", is_flag=True, help="With those that ended in the last 90 days.")
def list_silences(folder: Path, ended: bool, json_lines: bool) -> None:
    """Silences in force, and those to come."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        found = watch.list_silences(office, ended=ended)
    headings = ("silence", "in force", "owner", "kind", "from", "until", "of", "conditions", "critical", "by", "why")
    print_all(found, headings, _silence_cells, json_lines=json_lines)


def _silence_cells(each: SilenceShown) -> tuple[object, ...]:
    about = words((*each.devices, *each.sites, *each.tags) or "every device")
    span = (each.starts_at, each.ends_at)
    named = (each.id, each.in_force, each.owner or "operator", each.kind, *span, about)
    return (*named, each.conditions or "all", each.critical, each.by, each.why)


@silence.command("show")
@directory
@as_json
@click.argument("number", type=int)
def show_silence(folder: Path, number: int, json_lines: bool) -> None:
    """One silence."""
    from cloud_bridge.runtime.administer import watch

    with opened(folder) as office:
        print_one(watch.show_silence(office, number), json_lines=json_lines)


@click.group(cls=Administering)
def route() -> None:
    """The operator's routing tree: which of the operator's channels hears of what (docs/alerts.md)."""


@route.command("set")
@directory
@click.argument("file", type=click.File("r", encoding="utf-8"))
def set_routes(folder: Path, file: TextIO) -> None:
    """Take the tree in FILE (YAML; `-`: standard input) in place of the last one."""
    from cloud_bridge.runtime.administer import wishes

    text = file.read(ROUTES_CHARS + 1)
    with opened(folder) as office:
        wishes.set_routes(office, text, file.name)
    click.echo("the routes are taken")


@route.command("show")
@directory
def show_routes(folder: Path) -> None:
    """The tree as it was given."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        text = wishes.show_routes(office)
    if text:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        click.echo("there are no routes: `cloud route set FILE` takes some", err=True)


@route.command("remove")
@directory
def remove_routes(folder: Path) -> None:
    """No routes any more."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        wishes.remove_routes(office)
    click.echo("there are no routes any more")


@route.command("test")
@directory
@as_json
@click.argument("device")
@click.argument("condition")
@click.option("--severity", type=SEVERITIES, help="By default the catalogue's.")
def test_routes(folder: Path, device: str, condition: str, severity: str | None, json_lines: bool) -> None:
    """Who would hear of CONDITION (as `outage`, or an event type) of a DEVICE, by policies and routes, and why.

    As things are now: with the silences, mutes and quiet hours in force.
    """
    from cloud_bridge.runtime.administer import reach

    with opened(folder) as office:
        found = reach.who_hears(office, device, condition, severity)
    print_all(
        found,
        ("told", "policy", "channel", "why"),
        lambda each: (each.told, each.policy, each.channel, f"{each.reason} ({each.code})"),
        json_lines=json_lines,
    )


GROUPS = (rule, silence, route)
"""The commands of this module."""
