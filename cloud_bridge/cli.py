"""`ridethrough cloud`: make a cloud's folder, run its roles, read what is stored."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from cloud_bridge import cli_alert, cli_api, cli_channel, cli_device, cli_owner, cli_policy, cli_rule
from cloud_bridge.cli_command import commands, operator_key, order
from cloud_bridge.cli_gateway import gateway, tell_gateway
from cloud_bridge.cli_options import as_json, assignments, directory
from cloud_bridge.cli_views import VIEWS, settings_of
from config.text import one_line

MAX_PROBLEM_CHARS = 2000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cloud() -> None:
    """Run the cloud side: broker, ingest, and what is stored."""


@cloud.command()
@click.option(
    "--dir",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder to make; it must be new or empty.",
)
@click.option(
    "--mqtts",
    metavar="HOST:PORT",
    default="127.0.0.1:8883",
    show_default=True,
    help="What gateways will connect to. The broker listens on loopback only, unless another is named.",
)
@click.option(
    "--https",
    metavar="HOST:PORT",
    help="Where gateways will enrol; by default the host of --mqtts at port 8443. Listens as --mqtts does.",
)
@click.option("--gateway", "gateways", metavar="NAME", multiple=True, help="A gateway to make keys for; repeatable.")
@click.option(
    "--unit",
    "units",
    metavar="NAME=URL",
    callback=assignments,
    multiple=True,
    help="A UPS of the one gateway named, for its gateway.yaml; repeatable.",
)
def init(folder: Path, mqtts: str, https: str | None, gateways: tuple[str, ...], units: dict[str, str]) -> None:
    """Make a cloud: its settings, authorities, keys and certificates, and a folder for each gateway."""
    from cloud_bridge.runtime.init import init as make

    if units and len(gateways) != 1:
        raise click.UsageError("--unit belongs to one gateway: name exactly one with --gateway")
    made = make(folder, mqtts, gateways, https=https, units={gateways[0]: units} if units else {})
    click.echo(f"made {made.root}; start it: ridethrough cloud run --dir {folder}")
    for name in gateways:
        tell_gateway(made.gateway(name))


PEOPLE = (*cli_owner.GROUPS, *cli_device.GROUPS, *cli_channel.GROUPS, *cli_policy.GROUPS, *cli_rule.GROUPS)
for command in (gateway, commands, operator_key, order, *VIEWS, *PEOPLE, *cli_alert.COMMANDS, cli_api.api):
    cloud.add_command(command)


@cloud.command()
@directory
@click.option(
    "--only",
    type=click.Choice(["broker", "ingest", "enrol", "alerts", "api", "links"]),
    help="Play this one role, in this very process.",
)
@click.pass_context
def run(context: click.Context, folder: Path, only: str | None) -> None:
    """Run all roles until SIGTERM or Ctrl-C; one that dies is started again.

    Prints `ready: broker HOST:PORT`, `ready: ingest HOST:PORT` (the broker it hears), `ready: enrol HOST:PORT`,
    `ready: alerts SOCKET` (by which it is woken), `ready: api SOCKET`; `ready: api-tls HOST:PORT` and
    `ready: links HOST:PORT` where cloud.yaml names addresses for them.
    """
    from cloud_bridge.runtime import roles

    settings = settings_of(folder)
    if only:
        roles.play(only, settings)
    else:
        roles.prepare(folder, settings)
        level = str(context.find_root().params.get("log_level", "info"))
        roles.supervise_all(roles.roles_of(folder, settings, level))


@cloud.command()
@directory
@as_json
def check(folder: Path, json_lines: bool) -> None:
    """Look for what is wrong with a cloud's folder: files, modes, certificates, addresses.

    Exit status 1 if anything keeps it from working; a warning alone does not.
    """
    from cloud_bridge.runtime.check import check as look

    problems = look(folder)
    for problem in problems:
        if json_lines:
            click.echo(msgspec.json.encode(problem))
        else:
            click.echo(one_line(str(problem), MAX_PROBLEM_CHARS))
    if any(problem.serious for problem in problems):
        sys.exit(1)
    if not json_lines and not problems:
        click.echo(f"{folder}: nothing wrong found")
