"""`ridethrough gateway`: run the gateway, look for what is wrong with its settings, accept an exchanged unit.

Further commands have modules of their own, imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import msgspec

from config.runtime.files import load
from config.text import one_line
from gateway.order import Source
from gateway.settings import GatewaySettings, UnitSettings, unit_from_text, with_units

MAX_FINDING_CHARS = 2000

Command = Callable[..., Any]

_ELSEWHERE = {
    "audit": ("gateway.cli_audit:audit", "Show what was asked of this gateway from afar."),
    "claim-code": ("gateway.cli_enrol:claim_code", "Get a code with which an owner claims this gateway's units."),
    "emergency-test": ("gateway.cli_emergency:emergency_test", "Send a test message by the emergency route."),
    "enroll": ("gateway.cli_enrol:enroll", "Make this machine a gateway of a cloud, by the cloud's token."),
    "status": ("gateway.cli_status:status", "Show the units and the outbox of the running gateway."),
}
"""Where each further command is, as MODULE:NAME, and its help in the list of commands."""


class _Commands(click.Group):
    """Those of this module, and those that are elsewhere."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = _ELSEWHERE[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            own = {name: command.get_short_help_str() for name, command in self.commands.items()}
            rows = own | {name: short_help for name, (_, short_help) in _ELSEWHERE.items()}
            formatter.write_dl(sorted(rows.items()))


class UnitParameter(click.ParamType[UnitSettings]):
    """NAME=URL."""

    name = "NAME=URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UnitSettings:
        if isinstance(value, UnitSettings):
            return value
        try:
            return unit_from_text(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def configured(command: Command) -> Command:
    """The options that say which gateway."""
    units = click.option(
        "--unit",
        "units",
        type=UnitParameter(),
        multiple=True,
        help="A UPS beside those of the settings; repeatable.",
    )
    config = click.option(
        "--config",
        "path",
        required=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="The gateway's settings, as `cloud init` wrote them.",
    )
    return config(units(command))


def _settings(path: Path, units: tuple[UnitSettings, ...]) -> GatewaySettings:
    try:
        return with_units(load(path, GatewaySettings), units)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _source(path: Path, units: tuple[UnitSettings, ...]) -> Source:
    texts = tuple(f"{unit.name}={unit.url}" for unit in units)
    return Source(str(path), texts, _log_level())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def gateway() -> None:
    """Run the gateway beside the UPSs."""


@gateway.command()
@configured
def run(path: Path, units: tuple[UnitSettings, ...]) -> None:
    """Watch the UPSs and tell the cloud, until SIGTERM or Ctrl-C.

    Prints `ready: gateway NAME` once it watches. What the cloud has not stored yet is kept in the folder
    `data` of the settings, through power cuts.
    """
    from gateway.runtime.launch import launch
    from gateway.runtime.read import read_usable

    source = _source(path, units)
    launch(read_usable(source), source)


@gateway.command()
@configured
@click.option("--json", "json_lines", is_flag=True, help="JSON lines, one object each.")
def check(path: Path, units: tuple[UnitSettings, ...], json_lines: bool) -> None:
    """Look for what is wrong: settings, policy, keys and their modes, certificates, addresses, unit URLs.

    Nothing is connected to, and no serial line is opened.

    Exit status 1 if anything was found, 2 if the settings can't be read.
    """
    from gateway.runtime.read import found

    findings = found(_source(path, units))
    for finding in findings:
        if json_lines:
            click.echo(msgspec.json.encode(finding))
        else:
            click.echo(one_line(f"{'error' if finding.fatal else 'warning'}: {finding}", MAX_FINDING_CHARS))
    if findings:
        raise click.exceptions.Exit(1)
    if not json_lines:
        click.echo(f"{path}: nothing is wrong")


@gateway.command("accept-unit")
@configured
@click.argument("name")
@click.argument("serial", required=False)
def accept_unit(path: Path, units: tuple[UnitSettings, ...], name: str, serial: str | None) -> None:
    """Accept that another UPS answers under NAME, after `unit_identity_changed`.

    Without SERIAL it is the one that the gateway has seen there. A running gateway notices by itself.
    """
    from gateway.runtime.accept import accept_unit as accept

    taken = accept(_settings(path, units), name, serial)
    click.echo(f"{name}: serial number {taken} is accepted")


def _log_level() -> str:
    context = click.get_current_context()
    return str(context.find_root().params.get("log_level", "info"))
