"""`ridethrough gateway`: run the gateway, look for what is wrong with its settings, accept an exchanged
unit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from config.errors import SettingsError
from config.runtime.files import load
from config.text import one_line
from gateway.settings import GatewaySettings, UnitSettings, unit_from_text, with_units

MAX_FINDING_CHARS = 2000

Command = Callable[..., Any]


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def gateway() -> None:
    """Run the gateway beside the UPSs."""


@gateway.command()
@configured
def run(path: Path, units: tuple[UnitSettings, ...]) -> None:
    """Watch the UPSs and tell the cloud, until SIGTERM or Ctrl-C.

    Prints `ready: gateway NAME` once it watches. What the cloud has not stored yet is kept in the folder
    `data` of the settings, through power cuts.
    """
    from gateway.runtime.check import check as look
    from gateway.runtime.launch import launch

    settings = _settings(path, units)
    findings = look(settings)
    for finding in findings:
        if not finding.fatal:
            logging.getLogger("gateway").warning("%s", finding)
    if fatal := [str(finding) for finding in findings if finding.fatal]:
        raise SettingsError(reason="\n".join(fatal))
    launch(settings, _log_level())


@gateway.command()
@configured
@click.option("--json", "json_lines", is_flag=True, help="JSON lines, one object each.")
def check(path: Path, units: tuple[UnitSettings, ...], json_lines: bool) -> None:
    """Look for what is wrong: settings, key file modes, certificates, unit URLs. Nothing is connected to.

    Exit status 1 if anything was found, 2 if the settings can't be read.
    """
    from gateway.runtime.check import check as look

    findings = look(_settings(path, units))
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
