"""`ridethrough cloud policy`: who is told of what, and when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloud_bridge.cli_administer import (
    LINE_CHARS,
    SEVERITIES,
    Administering,
    Duration,
    conditions,
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
from config.text import one_line

if TYPE_CHECKING:
    from cloud_bridge.administration.forms import PolicyShown
    from cloud_bridge.alerts.terms import Quiet

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@click.group(cls=Administering)
def policy() -> None:
    """Policies: who is told of what, and when. A NAME may be OWNER/NAME. Saving one subscribes its readers again."""


def _span(_context: click.Context, _option: click.Parameter, value: str | None) -> dict[str, object] | None:
    if value is None:
        return None
    since, dash, until = value.partition("-")
    if not dash:
        raise click.BadParameter(f"expected two times as 22:00-06:30; got {value!r}")
    return {"since": since, "until": until}


def _days(_context: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    names = [name.strip().lower() for name in value.split(",")]
    if wrong := [name for name in names if name not in _DAYS]:
        raise click.BadParameter(f"expected some of {','.join(_DAYS)}; got {wrong[0]!r}")
    return [_DAYS.index(name) for name in dict.fromkeys(names)]


def _wishes(command: Command) -> Command:
    """Options that `add` and `set` share."""
    for option in (
        click.option("--group", "group_s", type=Duration(), help="What follows a first notice within it, together."),
        click.option("--resolves/--no-resolves", default=None, help="Whether also of ends; by default yes."),
        click.option("--escalate-to", metavar="CHANNEL", help="Told too if nobody acknowledges."),
        click.option("--escalate-after", type=Duration(), help="So long after, as 15min."),
        click.option(
            "--quiet-breaks-through",
            type=click.Choice([*SEVERITIES.choices, "none"]),
            help="This severity and above does not wait for the end of quiet hours; by default critical.",
        ),
        click.option("--quiet-days", metavar="DAYS", callback=_days, help="On which it begins, as mon,tue,fri."),
        click.option(
            "--quiet",
            metavar="HH:MM-HH:MM",
            callback=_span,
            help="Hours in the owner's time zone in which notices wait for their end, as 22:00-06:30.",
        ),
        conditions,
        scope,
        click.option("--least", type=SEVERITIES, help="This severity and above; by default warning."),
    ):
        command = option(command)
    return command


def _fields(
    quiet: dict[str, object] | None,
    quiet_days: list[int] | None,
    quiet_breaks_through: str | None,
    escalate_after: int | None,
    escalate_to: str | None,
    **others: object,
) -> dict[str, object]:
    """As the form has them."""
    fields = given(**others)
    if (quiet_days or quiet_breaks_through) and quiet is None:
        raise click.UsageError("--quiet-days and --quiet-breaks-through belong to --quiet")
    if quiet is not None:
        through = None if quiet_breaks_through == "none" else quiet_breaks_through or "critical"
        fields["quiet"] = quiet | {"breaks_through": through} | ({"days": quiet_days} if quiet_days else {})
    if (escalate_after is None) != (escalate_to is None):
        raise click.UsageError("--escalate-after and --escalate-to belong together")
    if escalate_to is not None:
        fields["escalation"] = {"after_s": escalate_after, "channel": escalate_to}
    return fields


@policy.command("add")
@directory
@click.argument("name")
@whose
@click.option("--channel", metavar="NAME", required=True, help="Where its notices go: one of the same owner's.")
@_wishes
def add_policy(folder: Path, **options: object) -> None:
    """Add a policy. Without --device, --site and --tag it is about every device of its owner."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        shown = wishes.add_policy(office, _fields(**options))  # type: ignore[arg-type]  # click knows their types
    _print_policy(shown, json_lines=False)


@policy.command("set")
@directory
@click.argument("policy")
@new_name
@click.option("--channel", metavar="NAME", help="Where its notices go.")
@_wishes
@click.option("--every-device", is_flag=True, help="In place of the devices, sites and tags it names.")
@click.option("--every-condition", is_flag=True, help="In place of the conditions it names.")
@click.option("--no-quiet", is_flag=True, help="No quiet hours.")
@click.option("--no-escalation", is_flag=True, help="Nobody else is told.")
@enabling
def set_policy(
    folder: Path,
    policy: str,
    every_device: bool,
    every_condition: bool,
    no_quiet: bool,
    no_escalation: bool,
    **options: object,
) -> None:
    """Change a policy; what is not named stays as it is. Without any option it is saved as it is.

    Whoever had unsubscribed from it gets its notices again.
    """
    from cloud_bridge.runtime.administer import wishes

    fields: dict[str, object] = {"devices": (), "sites": (), "tags": ()} if every_device else {}
    fields |= {"conditions": ()} if every_condition else {}
    fields |= {"quiet": None} if no_quiet else {}
    fields |= {"escalation": None} if no_escalation else {}
    fields |= _fields(**options)  # type: ignore[arg-type]  # click knows their types
    with opened(folder) as office:
        shown, back = wishes.set_policy(office, policy, fields)
    _print_policy(shown, json_lines=False)
    if back:
        click.echo(f"subscribed again: {one_line(', '.join(back), LINE_CHARS)}", err=True)


@policy.command("remove")
@directory
@click.argument("policy")
def remove_policy(folder: Path, policy: str) -> None:
    """Remove a policy: nothing more goes by it."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        click.echo(f"policy {wishes.remove_policy(office, policy).name} is removed")


@policy.command("list")
@directory
@as_json
@of_owner
def list_policies(folder: Path, owner: str | None, json_lines: bool) -> None:
    """All policies. Whoever gets no mails looks here first: who unsubscribed stands in the last column."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        found = wishes.list_policies(office, owner)
    headings = ("owner", "policy", "channel", "least", "of", "conditions", "quiet", "on", "unsubscribed")
    print_all(found, headings, _policy_cells, json_lines=json_lines)


def _policy_cells(each: PolicyShown) -> tuple[object, ...]:
    quiet = f"{each.quiet.since}-{each.quiet.until}" if each.quiet else ""
    about = words((*each.devices, *each.sites, *each.tags) or "every device")
    named = (each.owner or "operator", each.name, each.channel, each.least, about, each.conditions or "all")
    return (*named, quiet, each.enabled, each.unsubscribed)


@policy.command("show")
@directory
@as_json
@click.argument("policy")
def show_policy(folder: Path, policy: str, json_lines: bool) -> None:
    """One policy."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        shown = wishes.show_policy(office, policy)
    _print_policy(shown, json_lines=json_lines)


def _print_policy(shown: PolicyShown, *, json_lines: bool) -> None:
    print_one(shown, json_lines=json_lines, said={"quiet": _quiet(shown.quiet)})


def _quiet(quiet: Quiet | None) -> str:
    """As in `22:00-06:30 on sat, sun; critical goes at once`."""
    if quiet is None:
        return "-"
    every_day = len(set(quiet.days)) == len(_DAYS)
    days = "" if every_day else f" on {', '.join(_DAYS[day] for day in quiet.days)}"
    through = f"{quiet.breaks_through} and above" if quiet.breaks_through else "nothing"
    return f"{quiet.since}-{quiet.until}{days}; {through} goes at once"


GROUPS = (policy,)
"""The commands of this module."""
