"""`ridethrough cloud alert`, `why`: what is wrong, and why who was told."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from cloud_bridge import alert_views
from cloud_bridge.alerts.model import Phase
from cloud_bridge.cli_administer import LINE_CHARS, Administering, by_name, opened
from cloud_bridge.cli_options import as_json, directory
from cloud_bridge.cli_views import console, print_table
from config.text import one_line

NEWEST = 50
MOST = 10_000


@click.group(cls=Administering)
def alert() -> None:
    """Alerts: what is wrong now, and what was. An ALERT is its id, or enough of its first digits."""


@alert.command("list")
@directory
@as_json
@click.option("--open/--all", "is_open", default=True, help="Those that are not over, as by default; or all.")
@click.option("--device", metavar="DEVICE", default="", help="Of this device alone.")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    help=f"At most so many, those that changed last; {MOST} with --json and {NEWEST} otherwise, unless given.",
)
def list_alerts(folder: Path, is_open: bool, device: str, limit: int | None, json_lines: bool) -> None:
    """Alerts, those that changed last first."""
    from cloud_bridge.runtime.administer import alerts

    phases = alerts.OPEN if is_open else tuple(Phase)
    with opened(folder) as office:
        count = limit or (MOST if json_lines else NEWEST)
        found = alerts.list_alerts(office, device=device, phases=phases, count=count)
        names = alerts.directory_of(office)
    if json_lines:
        for each in found:
            click.echo(alert_views.alert_json(each, names))
    elif not found:
        none = "no alert is open: `--all` lists those that are over too" if is_open else "there are no alerts"
        click.echo(none, err=True)
    else:
        print_table(console(), alert_views.HEADINGS, [alert_views.alert_cells(each, names) for each in found])


@alert.command("show")
@directory
@as_json
@click.argument("alert")
def show_alert(folder: Path, alert: str, json_lines: bool) -> None:
    """One alert: what it means, and what to do now."""
    from cloud_bridge.runtime.administer import alerts

    with opened(folder) as office:
        found, names = alerts.find(office, alert), alerts.directory_of(office)
    if json_lines:
        click.echo(alert_views.alert_json(found, names))
        return
    lines = list(alert_views.alert_text(found, names))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{one_line(name, LINE_CHARS):{width}}  {one_line(value, LINE_CHARS)}")


@alert.command("ack")
@directory
@by_name
@click.argument("alert")
def acknowledge(folder: Path, alert: str, by: str) -> None:
    """Say that somebody looks after it: it does not escalate any more."""
    from cloud_bridge.runtime.administer import alerts

    with opened(folder) as office:
        found = alerts.acknowledge(office, alert, by)
    click.echo(f"{found.id[: alert_views.SHORT_ID]} is acknowledged by {one_line(by, LINE_CHARS)}")


@alert.command("assign")
@directory
@by_name
@click.argument("alert")
@click.argument("name")
def assign(folder: Path, alert: str, name: str, by: str) -> None:
    """Say who looks after it; '' for nobody."""
    from cloud_bridge.runtime.administer import alerts

    with opened(folder) as office:
        found = alerts.assign(office, alert, name, by)
    whom = one_line(name, LINE_CHARS) or "nobody"
    click.echo(f"{found.id[: alert_views.SHORT_ID]} is assigned to {whom}")


@alert.command("note")
@directory
@by_name
@click.argument("alert")
@click.argument("text")
def note(folder: Path, alert: str, text: str, by: str) -> None:
    """Add a note; `cloud why` shows it among what happened."""
    from cloud_bridge.runtime.administer import alerts

    with opened(folder) as office:
        found = alerts.note(office, alert, text, by)
    click.echo(f"{found.id[: alert_views.SHORT_ID]} has the note")


@click.command()
@directory
@as_json
@click.argument("alert")
def why(folder: Path, alert: str, json_lines: bool) -> None:
    """Everything that happened to an ALERT, and why who was told of it, or was not."""
    from cloud_bridge.runtime.administer import alerts

    with opened(folder) as office:
        found, reasons = alerts.why(office, alert)
        names = alerts.directory_of(office)
    if json_lines:
        for each in reasons:
            click.echo(alert_views.reason_json(each, names))
        return
    out = console()
    heading = f"{found.condition} of {alert_views.label(found.subject, names)}, {alert_views.state(found)}"
    out.print(Text(one_line(heading, LINE_CHARS), "bold"), soft_wrap=True)
    for each in reasons:
        out.print(alert_views.reason_text(each, names), soft_wrap=True)


COMMANDS = (alert, why)
"""The commands of this module."""
