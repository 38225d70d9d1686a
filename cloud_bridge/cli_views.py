"""`ridethrough cloud status`, `events`, `outages`, `dead-letters`: read what is stored."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloud_bridge import outages as outage_views
from cloud_bridge import presence, views
from cloud_bridge.cli_options import as_json, directory, seconds_of
from cloud_bridge.folder import Folder
from cloud_bridge.health import concerns
from cloud_bridge.rows import EventFilter, EventRow, OutageFilter
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from config.runtime.files import load
from drivers.ups import Severity

FOLLOW_S = 0.1
"""How often `events --follow` looks whether anything was stored; a look reads no table."""

NEWEST = 50
"""Rows that a terminal is shown unless told otherwise."""

PIPE_COLUMNS = 240


def settings_of(folder: Path) -> CloudSettings:
    """Raises SettingsError."""
    return load(Folder(folder).settings, CloudSettings)


def _since(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """An ISO 8601 instant, or how long ago, as UTC milliseconds."""
    if value is None:
        return None
    if (ago_s := seconds_of(value)) is not None:
        return now_ms() - ago_s * 1000
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"expected a time as 2026-11-24T08:00:00Z, or how long ago as 90s, 15min, 2h, 7d; got {value!r}"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


_since_when = click.option(
    "--since",
    metavar="WHEN",
    callback=_since,
    help="Not older than this: 2026-11-24T08:00:00Z (UTC unless it says), or 90s, 15min, 2h, 7d ago.",
)
_of_gateway = click.option("--gateway", "gateway_name", metavar="NAME", help="Of this gateway.")
_of_units = click.option("--unit", metavar="NAME", help="Of units of this name.")


@click.command()
@directory
@as_json
def status(folder: Path, json_lines: bool) -> None:
    """Gateways and units as they were heard last; what is old is never shown as if it were now."""
    with _reader(folder) as reader:
        now = now_ms()
        ingest, gateways, units = reader.ingest(), reader.gateways(), reader.units()
    revoked = _revoked(folder)
    links = {row.name: presence.link_state(row, ingest, now, revoked) for row in gateways}
    shown = [presence.unit_view(row, links[row.gateway], now) for row in units]
    if json_lines:
        click.echo(presence.ingest_json(ingest, now))
        for row in gateways:
            click.echo(presence.gateway_json(row, links[row.name]))
        for unit in shown:
            click.echo(presence.unit_json(unit))
        return
    out = console()
    if warning := presence.ingest_warning(ingest, now):
        out.print(warning)
    for row in gateways:
        for concern in concerns(row, now):
            out.print(Text(concern, "yellow"), soft_wrap=True)
    headings = ("gateway", "link", "last word", "version", "stored", "waiting", "dead letters")
    print_table(out, headings, [presence.gateway_cells(row, links[row.name], now) for row in gateways])
    print_table(
        out,
        ("unit", "state", "charge", "load", "runtime", "input", "age"),
        [presence.unit_cells(unit) for unit in shown],
    )


def _revoked(folder: Path) -> frozenset[str]:
    """None before the cloud has run for the first time."""
    from cloud_bridge.store.registry.errors import NoRegistry
    from cloud_bridge.store.registry.registry import Registry

    try:
        with Registry(settings_of(folder).registry_at) as registry:
            return registry.revoked_gateways()
    except NoRegistry:
        return frozenset()


@click.command()
@directory
@as_json
@click.option("--follow", is_flag=True, help="Go on with what is stored from now on, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"At most so many, the newest; all with --json and {NEWEST} otherwise, unless given.",
)
@_since_when
@_of_gateway
@_of_units
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
    out = console()
    with _reader(folder) as reader:
        for row in _following(reader, wanted) if follow else reader.events(wanted):
            if json_lines:
                click.echo(views.event_json(row))
            else:
                out.print(views.event_line(row), soft_wrap=True)


def _following(reader: Reader, wanted: EventFilter) -> Iterator[EventRow]:
    """What is wanted of the events there are, then of those that come."""
    while True:
        version = reader.version()
        wanted = msgspec.structs.replace(wanted, up_to_id=reader.last_id())
        yield from reader.events(wanted)
        wanted = msgspec.structs.replace(wanted, after_id=wanted.up_to_id, newest=None)
        while reader.version() == version:
            time.sleep(FOLLOW_S)  # SQLite tells no other process of a commit


@click.command("dead-letters")
@directory
@as_json
def dead_letters(folder: Path, json_lines: bool) -> None:
    """What gateways said that could not be taken, and why; the newest of each gateway are kept."""
    out = console()
    with _reader(folder) as reader:
        for row in reader.dead_letters():
            if json_lines:
                click.echo(views.letter_json(row))
            else:
                out.print(views.letter_line(row), soft_wrap=True)


@click.command()
@directory
@as_json
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"At most so many, the newest; all with --json and {NEWEST} otherwise, unless given.",
)
@_since_when
@_of_gateway
@_of_units
def outages(
    folder: Path, json_lines: bool, limit: int | None, since: int | None, gateway_name: str | None, unit: str | None
) -> None:
    """Outages and tests on battery, as the gateways' black boxes saw them, oldest first.

    With --json each has its trace: milliseconds since it began, input V, output V, load %, charge %, on battery.
    """
    wanted = OutageFilter(
        newest=limit if json_lines or limit is not None else NEWEST, since=since, gateway=gateway_name, unit=unit
    )
    with _reader(folder) as reader:
        rows = reader.outages(wanted)
        if not json_lines:
            print_table(console(), outage_views.HEADINGS, [outage_views.outage_cells(row) for row in rows])
            return
        for row in rows:
            click.echo(outage_views.outage_json(row))


VIEWS = (status, events, outages, dead_letters)
"""The commands of this module."""


def _reader(folder: Path) -> Reader:
    return Reader(settings_of(folder).data / FILE_NAME)


def console() -> Console:
    # A pipe has no width: rich would fold lines at 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def print_table(out: Console, headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    table = Table(*headings, box=None, header_style="dim")
    for cells in rows:
        table.add_row(*cells)
    out.print(table)
