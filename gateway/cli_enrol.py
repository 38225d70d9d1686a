"""`ridethrough gateway enroll` and `claim-code`: how a gateway joins its cloud, and how an owner claims its units."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click
import msgspec

from gateway.wire import token as tokens
from gateway.wire.errors import WireError
from gateway.wire.limits import TOKEN_LENGTH

MOST_TOKEN_CHARS = TOKEN_LENGTH + 100
"""White space around it included."""

as_json = click.option("--json", "json_line", is_flag=True, help="One JSON object.")


@click.command()
@click.option(
    "--dir",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The gateway's folder: made if it is not there.",
)
@click.option(
    "--token-file",
    default="-",
    show_default=True,
    type=click.File("r", encoding="ascii", errors="replace"),
    help="A file with the token; - is standard input. Never an argument: other users of the machine see those.",
)
@as_json
def enroll(folder: Path, token_file: IO[str], json_line: bool) -> None:
    """Join a cloud, by a token that `ridethrough cloud gateway token NAME` made there.

    The key is made here and stays here. Nothing is sent before the cloud has shown the authority, the command key and
    the firmware root that the token names. Then the folder has all that `ridethrough gateway run` needs but the UPSs:
    name them in its gateway.yaml. If it is cut short, do it again with the same token.
    """
    from gateway.runtime.enrol import enrol

    enrolled = enrol(folder, _token(token_file), lambda step: click.echo(step, err=True))
    if json_line:
        click.echo(msgspec.json.encode(enrolled, enc_hook=str))
        return
    click.echo(f"{enrolled.gateway} is enrolled, until {enrolled.certificate_expires_at:%Y-%m-%d}")
    click.echo(f"name its UPSs in {enrolled.config}, then: ridethrough gateway run --config {enrolled.config}")


@click.command("claim-code")
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's settings.",
)
@click.option("--unit", default="", metavar="NAME", help="For this UPS alone; else for all of the gateway's.")
@as_json
def claim_code(path: Path, unit: str, json_line: bool) -> None:
    """Print a code by which an owner claims this gateway's UPSs, good for a quarter of an hour."""
    from config.runtime.files import load
    from gateway.runtime.claim import claim_code as ask
    from gateway.settings import GatewaySettings

    claimed = ask(load(path, GatewaySettings), unit)
    until = datetime.fromtimestamp(claimed.expires_at / 1000, UTC)
    if json_line:
        at = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        click.echo(msgspec.json.encode({"code": claimed.code, "expires_at": at}))
        return
    click.echo(claimed.code)
    click.echo(f"good once, until {until:%Y-%m-%d %H:%M} UTC", err=True)


def _token(file: IO[str]) -> tokens.Token:
    if file.isatty():
        click.echo("paste the token, then Enter:", err=True)
    text = file.readline(MOST_TOKEN_CHARS) if file.isatty() else file.read(MOST_TOKEN_CHARS)
    try:
        return tokens.decode(text)
    except WireError as error:
        raise click.UsageError(str(error)) from error
