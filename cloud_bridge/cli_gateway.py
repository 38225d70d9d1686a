"""`ridethrough cloud gateway`: gateways of a cloud, how one gets in, and how one is kept out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from cloud_bridge.cli_options import as_json, assignments, directory, seconds_of
from cloud_bridge.register import TOKEN_VALID_S, Gateway
from config.text import one_line

WHY_LENGTH = 200
PIPE_COLUMNS = 240


@click.group()
def gateway() -> None:
    """Gateways of this cloud."""


@gateway.command()
@directory
@click.argument("name")
@click.option(
    "--unit",
    "units",
    metavar="NAME=URL",
    callback=assignments,
    multiple=True,
    help="A UPS, for its gateway.yaml; repeatable.",
)
def add(folder: Path, name: str, units: dict[str, str]) -> None:
    """Make keys and settings for one more gateway. One that is there is left as it is.

    For a first try on one machine: with `cloud gateway token` the key is made on the gateway and never leaves it.
    """
    from cloud_bridge.runtime.init import add_gateway

    path, made = add_gateway(folder, name, units)
    if not made:
        click.echo(f"{path} is there already: nothing was changed", err=True)
    tell_gateway(path)


def tell_gateway(folder: Path) -> None:
    click.echo(f"{folder} is for the gateway: ridethrough gateway run --config {folder / 'gateway.yaml'}")


def _duration(_context: click.Context, _option: click.Parameter, value: str) -> int:
    found = seconds_of(value)
    if not found or found > TOKEN_VALID_S:
        raise click.BadParameter(f"expected a time up to an hour, as 90s, 15min, 1h; got {value!r}")
    return found


@gateway.command()
@directory
@click.argument("name")
@click.option(
    "--valid",
    metavar="TIME",
    default=f"{TOKEN_VALID_S / 3600:.0f}h",
    show_default=True,
    callback=_duration,
    help="How long it can be used.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this new file, which only you can read, instead of standard output.",
)
def token(folder: Path, name: str, valid: int, out: Path | None) -> None:
    """Make an enrolment token, for `ridethrough gateway enroll` on the gateway.

    Good once, for this gateway, and a secret until it is used. An earlier one that waits for the same gateway is void
    from now on. For a gateway that was revoked it lets a new one in under the name; the old certificates stay revoked.
    """
    from cloud_bridge.runtime.enrolling import new_token

    if out and out.exists():
        raise click.BadParameter(f"{out} is there already", param_hint="--out")
    text, until = new_token(folder, name, valid)
    if out:
        _write_secret(out, text)
    else:
        click.echo(text)
    click.echo(f"for {name}, good once, until {_instant(until)}", err=True)


def _write_secret(out: Path, text: str) -> None:
    from cloud_bridge.runtime.files import write_new

    try:
        write_new(out, f"{text}\n".encode())
    except OSError as error:
        lost = f"{out}: can't be written: {error.strerror}; the token is lost: make another"
        raise click.ClickException(lost) from error


@gateway.command("list")
@directory
@as_json
def list_(folder: Path, json_lines: bool) -> None:
    """All gateways: since when, until when their certificate is good, and who is revoked."""
    from cloud_bridge.runtime.enrolling import all_gateways

    rows = all_gateways(folder)
    if json_lines:
        for row in rows:
            click.echo(msgspec.json.encode(_with_instants(row)))
        return
    # A pipe has no width: rich would fold lines at 80 columns.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    table = Table("gateway", "known since", "certificate until", "note", box=None, header_style="dim")
    for row in rows:
        table.add_row(row.name, _instant(row.created_at), _instant(row.expires_at), one_line(_note(row), WHY_LENGTH))
    console.print(table)


@gateway.command()
@directory
@click.argument("name")
@click.option("--why", default="", help="For whoever reads the list later.")
def revoke(folder: Path, name: str, why: str) -> None:
    """Keep a gateway out from now on: it was stolen, or is retired.

    What it says is dropped at once, the embedded broker closes its connection, and its certificates go into the
    revocation list that other brokers read.
    """
    from cloud_bridge.runtime.enrolling import revoke as keep_out

    if len(why) > WHY_LENGTH:
        raise click.BadParameter(f"at most {WHY_LENGTH} characters", param_hint="--why")
    click.echo(f"{name} is revoked; {keep_out(folder, name, one_line(why, WHY_LENGTH))}")


@gateway.command()
@directory
@click.argument("name")
def restore(folder: Path, name: str) -> None:
    """Take a revocation back: its certificates are good again.

    For one made by mistake. A gateway whose keys may be in other hands gets a new token instead.
    """
    from cloud_bridge.runtime.enrolling import restore as let_in

    click.echo(f"{name} is no longer revoked; {let_in(folder, name)}")


def _note(row: Gateway) -> str:
    if row.revoked_at is not None:
        return f"revoked {_instant(row.revoked_at)}" + (f": {row.revoked_why}" if row.revoked_why else "")
    if row.token_until is not None:
        return f"token until {_instant(row.token_until)}"
    return "" if row.certificates else "not enrolled yet"


def _with_instants(row: Gateway) -> dict[str, object]:
    instants = {key: value for key, value in msgspec.structs.asdict(row).items() if key.endswith(("_at", "_until"))}
    return msgspec.structs.asdict(row) | {key: _iso(value) for key, value in instants.items()}


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(milliseconds: int | None) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC" if milliseconds is not None else ""
