"""`ridethrough gateway status`: what the gateway beside us sees, without any cloud."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.live import Live

from config.runtime.files import load
from gateway.runtime.status import VIEW, WATCH, within_reach
from gateway.settings import GatewaySettings
from gateway.show import view_table
from gateway.view import GatewayView

PATIENCE_S = 10.0
OUTAGES = 5
PIPE_COLUMNS = 200


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's settings; they say where its socket is.",
)
@click.option("--socket", "at", type=click.Path(path_type=Path), help="The gateway's socket, instead of --config.")
@click.option("--watch", is_flag=True, help="Go on each second, until Ctrl-C.")
@click.option("--json", "json_lines", is_flag=True, help="JSON; with --watch a line each second.")
def status(path: Path | None, at: Path | None, watch: bool, json_lines: bool) -> None:
    """Show the units, the link to the cloud, the outbox and the last outages of a gateway that runs on this machine.

    Exit status 1 if no gateway answers.
    """
    if (path is None) == (at is None):
        raise click.UsageError("name the gateway by --config or by --socket")
    where = at or load(path, GatewaySettings).status_socket if path is not None else at
    assert where is not None
    views = _views(where, WATCH if watch else VIEW)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_COLUMNS)
    if json_lines:
        for line in views:
            click.echo(line)
    elif watch and console.is_terminal:
        with Live(console=console, auto_refresh=False, screen=False) as live:
            for line in views:
                live.update(view_table(_view(line), OUTAGES), refresh=True)
    else:
        for line in views:
            console.print(view_table(_view(line), OUTAGES))


def _views(where: Path, question: bytes) -> Iterator[str]:
    """The gateway's answers, a line each. Raises click.ClickException."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(PATIENCE_S)
        try:
            with within_reach(where) as address:
                connection.connect(address)
            connection.sendall(question + b"\n")
            with connection.makefile(encoding="utf-8") as lines:
                found = False
                for line in lines:
                    found = True
                    yield line.rstrip("\n")
        except PermissionError:
            raise click.ClickException(f"{where}: only the gateway's user and its group may ask") from None
        except (FileNotFoundError, ConnectionError):
            raise click.ClickException(f"{where}: no gateway runs there") from None
        except TimeoutError:
            raise click.ClickException(f"{where}: the gateway does not answer within {PATIENCE_S:.0f} s") from None
    if not found:
        raise click.ClickException(f"{where}: the gateway closed the connection: too many ask at once?")


def _view(line: str) -> GatewayView:
    return msgspec.json.decode(line, type=GatewayView)
