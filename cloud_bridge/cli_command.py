"""`ridethrough cloud command`, `commands`, `operator-key`: tell a unit something, and see what became of it."""

from __future__ import annotations

import getpass
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from cloud_bridge import command_views
from cloud_bridge.cli_options import as_json, directory, seconds_of
from cloud_bridge.cli_views import NEWEST, console, print_table, settings_of
from cloud_bridge.commands import EXPIRES_S, LONGEST_S, Command, Request, State, problem
from drivers.ups import Verb, clean_text
from gateway.wire.classes import CLASSES, CommandClass
from gateway.wire.orders import By

if TYPE_CHECKING:
    from cloud_bridge.runtime.command import Asking, Target

OWNER = "owner"
"""The role of whoever can read the key that signs orders."""

_OPERATOR = re.compile(r"[a-z0-9._-]{1,32}\Z")


def _expiry(_context: click.Context, _option: click.Parameter, value: str) -> int:
    found = seconds_of(value)
    if not found or found > LONGEST_S:
        raise click.BadParameter(f"expected a time up to {LONGEST_S // 60}min, as 60s or 5min; got {value!r}")
    return found


def _operator_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _OPERATOR.match(value):
        raise click.BadParameter(f"expected 1 to 32 of a-z, 0-9 and . _ -; got {value[:80]!r}")
    return value


def _serial(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not value or clean_text(value) != value):
        raise click.BadParameter("expected a serial number as the unit says it, as AS1234567890")
    return value


@click.command("command")
@directory
@click.argument("gateway")
@click.argument("unit")
@click.argument("verb", type=click.Choice([verb.value for verb in Verb]), metavar="VERB")
@click.option("--group", "groups", type=click.IntRange(0, 15), multiple=True, help="An outlet group; repeatable.")
@click.option("--serial", callback=_serial, help="The unit's serial number; by default the one it said last.")
@click.option("--off-delay", is_flag=True, help="Of outlets: only after the unit's own turn-off delay.")
@click.option("--on-delay", is_flag=True, help="Of outlets: on again only after the unit's own turn-on delay.")
@click.option("--cold-boot", is_flag=True, help="Of outlets: wake the unit from sleep for it.")
@click.option(
    "--operator",
    metavar="NAME",
    callback=_operator_name,
    help="Whose key signs it too, by the name in the gateway's policy.yaml.",
)
@click.option(
    "--operator-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="That key, as `cloud operator-key` made it. Never keep it in the cloud's folder.",
)
@click.option("--by", metavar="NAME", default=getpass.getuser, help="Who asks; by default who you are here.")
@click.option(
    "--expires",
    metavar="TIME",
    default=f"{EXPIRES_S}s",
    show_default=True,
    callback=_expiry,
    help="How long the gateway may begin with it.",
)
@click.option("--yes", is_flag=True, help="Ask nothing before what can cut the output.")
@click.option("--no-wait", is_flag=True, help="End once it is signed; `cloud commands` tells the outcome.")
@as_json
def order(
    folder: Path,
    gateway: str,
    unit: str,
    verb: str,
    groups: tuple[int, ...],
    serial: str | None,
    off_delay: bool,
    on_delay: bool,
    cold_boot: bool,
    operator: str | None,
    operator_key: Path | None,
    by: str,
    expires: int,
    yes: bool,
    no_wait: bool,
    json_lines: bool,
) -> None:
    """Tell a unit something: VERB is beep, mute, unmute, self_test, calibration, outlet_off, outlet_reboot, ...

    The gateway's own policy decides, and what can cut the output needs an operator's key too (docs/commands.md).
    Exit status 0 if it was done; 1 if it was refused, failed, ran out, or nobody knows.
    """
    from cloud_bridge.runtime.command import Asking, find_target, load_keys

    request = Request(
        verb=Verb(verb), groups=groups, use_off_delay=off_delay, use_on_delay=on_delay, cold_boot=cold_boot
    )
    _check(folder, request, operator, operator_key)
    settings = settings_of(folder)
    target = find_target(settings, gateway, unit)
    serial = serial or target.serial
    if not serial:
        raise click.UsageError(f"{gateway}/{unit} never said its serial number: name it with --serial")
    keys = load_keys(settings, operator, operator_key)
    if not yes:
        _confirm(request, target, serial)
    if target.warning:
        click.echo(target.warning, err=True)
    with Asking(settings, target, request, keys) as asking:
        begun = asking.begin(serial, By(role=OWNER, name=clean_text(by)), expires)
        ended = _follow(asking, begun, no_wait=no_wait)
    if json_lines:
        click.echo(command_views.command_json(ended))
    if not (ended.is_done or no_wait):
        sys.exit(1)


def _check(folder: Path, request: Request, operator: str | None, operator_key: Path | None) -> None:
    if (operator is None) != (operator_key is None):
        raise click.UsageError("--operator and --operator-key belong together")
    if operator_key and operator_key.resolve().is_relative_to(folder.resolve()):
        raise click.UsageError(f"{operator_key} lies in the cloud's folder: keep operators' keys elsewhere (S9)")
    if what := problem(request, operator=operator is not None):
        raise click.UsageError(what)


def _confirm(request: Request, target: Target, serial: str) -> None:
    if CLASSES[request.verb] is not CommandClass.CUTS_OUTPUT:
        return
    groups = f", outlet groups {', '.join(map(str, request.groups))}," if request.groups else ""
    which = f"{target.gateway}/{target.unit} ({clean_text(target.model or 'unknown model')}, serial {serial})"
    click.confirm(f"{request.verb}{groups} can cut the output of {which}. Go on?", abort=True, err=True)


def _follow(asking: Asking, command: Command, *, no_wait: bool) -> Command:
    """Tells each step on standard error, until it ended or may be left alone."""
    out = Console(stderr=True, highlight=False)
    try:
        for step in asking.follow(command):
            command = step
            out.print(Text(command_views.sentence(step), command_views.style_of(step)), soft_wrap=True)
            if no_wait and step.state in (State.SIGNED, State.ENDED):
                break
    except KeyboardInterrupt:
        if asking.withdraw(command):
            click.echo("taken back: nothing was sent to the gateway", err=True)
        else:
            click.echo(
                f"it is signed and can't be taken back: `cloud commands` tells its outcome ({command.id})", err=True
            )
        raise
    return command


@click.command()
@directory
@as_json
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"At most so many, the newest; all with --json and {NEWEST} otherwise, unless given.",
)
def commands(folder: Path, json_lines: bool, limit: int | None) -> None:
    """Commands that were asked for, oldest first: by whom, how far they came, and what became of them."""
    from cloud_bridge.store.registry import commands as rows
    from cloud_bridge.store.registry.registry import Registry

    with Registry(settings_of(folder).registry_at) as registry, registry.reading() as connection:
        found = rows.newest(connection, limit if json_lines or limit is not None else NEWEST)
    if not json_lines:
        print_table(console(), command_views.HEADINGS, [command_views.command_cells(each) for each in found])
    for each in found if json_lines else ():
        click.echo(command_views.command_json(each))


@click.command("operator-key")
@click.argument("name", callback=_operator_name)
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file, for the key itself."
)
def operator_key(name: str, out: Path) -> None:
    """Make an operator's key, and print its line for policy.yaml.

    The line belongs under `operators:` on each gateway that NAME may cut the output of. The key signs beside the
    cloud's own (`cloud command --operator NAME --operator-key FILE`); keep it off the cloud's machine.
    """
    from cloud_bridge.runtime.command import new_operator_key

    click.echo(f'{name}: "{new_operator_key(out)}"')
    click.echo(f"{out} is the key: only you can read it. The line is for operators: in policy.yaml.", err=True)
