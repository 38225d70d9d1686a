"""`ridethrough cloud`: make a cloud's folder, run its roles, read what is stored."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloud_bridge import presence, views
from cloud_bridge.folder import Folder
from cloud_bridge.rows import EventFilter, EventRow
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from config.runtime.files import load
from config.text import one_line
from drivers.ups import Severity

FOLLOW_S = 0.1
"""How often `events --follow` looks whether anything was stored; a look reads no table."""

NEWEST = 50
"""Events that a terminal is shown unless told otherwise."""

MAX_PROBLEM_CHARS = 2000
PIPE_COLUMNS = 240

_AGO = re.compile(r"(\d{1,9})\s*(s|min|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}

Command = TypeVar("Command", bound=Callable[..., object])


def directory(command: Command) -> Command:
    """The option that says which cloud."""
    return click.option(
        "--dir",
        "folder",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="The cloud's folder, as `cloud init` made it.",
    )(command)


as_json = click.option("--json", "json_lines", is_flag=True, help="JSON lines, one object each.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cloud() -> None:
    """Run the cloud side: broker, ingest, and what is stored."""


def _assignments(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """`NAME=URL`, each name once."""
    assigned: dict[str, str] = {}
    for value in values:
        name, equals, url = value.partition("=")
        if not (equals and name and url):
            raise click.BadParameter(f"expected NAME=URL, as in rack-1=modbus+tcp://10.0.0.5:502, got {value!r}")
        if name in assigned:
            raise click.BadParameter(f"{name!r} is named twice")
        assigned[name] = url
    return assigned


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
@click.option("--gateway", "gateways", metavar="NAME", multiple=True, help="A gateway to make keys for; repeatable.")
@click.option(
    "--unit",
    "units",
    metavar="NAME=URL",
    callback=_assignments,
    multiple=True,
    help="A UPS of the one gateway named, for its gateway.yaml; repeatable.",
)
def init(folder: Path, mqtts: str, gateways: tuple[str, ...], units: dict[str, str]) -> None:
    """Make a cloud: its settings, authorities, keys and certificates, and a folder for each gateway."""
    from cloud_bridge.runtime.init import init as make

    if units and len(gateways) != 1:
        raise click.UsageError("--unit belongs to one gateway: name exactly one with --gateway")
    made = make(folder, mqtts, gateways, units={gateways[0]: units} if units else {})
    click.echo(f"made {made.root}; start it: ridethrough cloud run --dir {folder}")
    for name in gateways:
        _tell_gateway(made.gateway(name))


def _tell_gateway(folder: Path) -> None:
    click.echo(f"{folder} is for the gateway: ridethrough gateway run --config {folder / 'gateway.yaml'}")


@cloud.group()
def gateway() -> None:
    """Gateways of this cloud."""


@gateway.command()
@directory
@click.argument("name")
@click.option(
    "--unit",
    "units",
    metavar="NAME=URL",
    callback=_assignments,
    multiple=True,
    help="A UPS, for its gateway.yaml; repeatable.",
)
def add(folder: Path, name: str, units: dict[str, str]) -> None:
    """Make keys and settings for one more gateway. One that is there is left as it is."""
    from cloud_bridge.runtime.init import add_gateway

    path, made = add_gateway(folder, name, units)
    if not made:
        click.echo(f"{path} is there already: nothing was changed", err=True)
    _tell_gateway(path)


@cloud.command()
@directory
@click.option("--only", type=click.Choice(["broker", "ingest"]), help="Play this one role, in this very process.")
@click.pass_context
def run(context: click.Context, folder: Path, only: str | None) -> None:
    """Run broker and ingest until SIGTERM or Ctrl-C; one that dies is started again.

    Prints `ready: broker HOST:PORT` and `ready: ingest HOST:PORT` (the broker it hears).
    """
    from cloud_bridge.runtime import roles

    settings = _settings(folder)
    if only:
        roles.play(only, settings)
    else:
        level = str(context.find_root().params.get("log_level", "info"))
        roles.supervise_all(roles.roles_of(folder, settings, level))


def _settings(folder: Path) -> CloudSettings:
    return load(Folder(folder).settings, CloudSettings)


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


@cloud.command()
@directory
@as_json
def status(folder: Path, json_lines: bool) -> None:
    """Gateways and units as they were heard last; what is old is never shown as if it were now."""
    with _reader(folder) as reader:
        now = _now_ms()
        ingest, gateways, units = reader.ingest(), reader.gateways(), reader.units()
    links = {row.name: presence.link_state(row, ingest, now) for row in gateways}
    shown = [presence.unit_view(row, links[row.gateway], now) for row in units]
    if json_lines:
        click.echo(presence.ingest_json(ingest, now))
        for row in gateways:
            click.echo(presence.gateway_json(row, links[row.name]))
        for unit in shown:
            click.echo(presence.unit_json(unit))
        return
    console = _console()
    if warning := presence.ingest_warning(ingest, now):
        console.print(warning)
    headings = ("gateway", "link", "last word", "version", "stored", "waiting", "dead letters")
    _print_table(console, headings, [presence.gateway_cells(row, links[row.name], now) for row in gateways])
    _print_table(
        console,
        ("unit", "state", "charge", "load", "runtime", "input", "age"),
        [presence.unit_cells(unit) for unit in shown],
    )


def _since(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """An ISO 8601 instant, or how long ago, as UTC milliseconds."""
    if value is None:
        return None
    if ago := _AGO.match(value):
        return _now_ms() - int(ago[1]) * _SECONDS[ago[2]] * 1000
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"expected a time as 2026-11-24T08:00:00Z, or how long ago as 90s, 15min, 2h, 7d; got {value!r}"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


@cloud.command()
@directory
@as_json
@click.option("--follow", is_flag=True, help="Go on with what is stored from now on, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"At most so many, the newest; all with --json and {NEWEST} otherwise, unless given.",
)
@click.option(
    "--since",
    metavar="WHEN",
    callback=_since,
    help="Not older than this: 2026-11-24T08:00:00Z (UTC unless it says), or 90s, 15min, 2h, 7d ago.",
)
@click.option("--gateway", "gateway_name", metavar="NAME", help="Of this gateway.")
@click.option("--unit", metavar="NAME", help="Of units of this name.")
@click.option("--severity", type=click.Choice([one.value for one in Severity]), help="Of this severity.")
def events(
    folder: Path,
    json_lines: bool,
    follow: bool,
    limit: int | None,
    since: int | None,
    gateway_name: str | None,
    unit: str | None,
    severity: str | None,
) -> None:
    """Stored events in the order of storing, oldest first."""
    wanted = EventFilter(
        newest=limit if json_lines or limit is not None else NEWEST,
        since=since,
        gateway=gateway_name,
        unit=unit,
        severity=Severity(severity) if severity else None,
    )
    console = _console()
    with _reader(folder) as reader:
        for row in _following(reader, wanted) if follow else reader.events(wanted):
            if json_lines:
                click.echo(views.event_json(row))
            else:
                console.print(views.event_line(row), soft_wrap=True)


def _following(reader: Reader, wanted: EventFilter) -> Iterator[EventRow]:
    """What is wanted of the events there are, then of those that come."""
    while True:
        version = reader.version()
        wanted = msgspec.structs.replace(wanted, up_to_id=reader.last_id())
        yield from reader.events(wanted)
        wanted = msgspec.structs.replace(wanted, after_id=wanted.up_to_id, newest=None)
        while reader.version() == version:
            time.sleep(FOLLOW_S)  # SQLite tells no other process of a commit


@cloud.command("dead-letters")
@directory
@as_json
def dead_letters(folder: Path, json_lines: bool) -> None:
    """What gateways said that could not be taken, and why; the newest of each gateway are kept."""
    console = _console()
    with _reader(folder) as reader:
        for row in reader.dead_letters():
            if json_lines:
                click.echo(views.letter_json(row))
            else:
                console.print(views.letter_line(row), soft_wrap=True)


def _reader(folder: Path) -> Reader:
    return Reader(_settings(folder).data / FILE_NAME)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _console() -> Console:
    # A pipe has no width: rich would fold lines at 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def _print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    table = Table(*headings, box=None, header_style="dim")
    for cells in rows:
        table.add_row(*cells)
    console.print(table)
