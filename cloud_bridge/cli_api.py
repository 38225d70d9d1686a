"""`ridethrough cloud api`: tokens of the REST API, and its description."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from cloud_bridge.api_access import VALID_AT_MOST_S, Scope, TokenForm, TokenMade, TokenShown
from cloud_bridge.cli_options import as_json, directory, seconds_of
from cloud_bridge.cli_views import settings_of

PIPE_COLUMNS = 240


@click.group()
def api() -> None:
    """The REST API: who may use it over the network, and what it can do (docs/api.md)."""


@api.group()
def token() -> None:
    """Tokens of the API. The unix socket needs none."""


def _valid(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = seconds_of(value)
    if found is None or not 60 <= found <= VALID_AT_MOST_S:
        raise click.BadParameter(f"expected a time of at least a minute, as 2h, 90d; got {value!r}")
    return found


@token.command()
@directory
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may do; repeatable. None holds another: `write` alone reads nothing.",
)
@click.option("--valid", metavar="TIME", callback=_valid, help="How long it is good, as 90d; by default until revoked.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this new file, which only you can read, instead of standard output.",
)
def add(folder: Path, name: str, scopes: tuple[str, ...], valid: int | None, out: Path | None) -> None:
    """Make a token. It is told this once: the registry keeps its digest alone."""
    from cloud_bridge.runtime import api_tokens
    from cloud_bridge.store.registry.registry import Registry

    if out and out.exists():
        raise click.BadParameter(f"{out} is there already", param_hint="--out")
    try:
        form = msgspec.convert({"name": name, "scopes": list(scopes), "valid_s": valid}, TokenForm)
    except msgspec.ValidationError:
        raise click.BadParameter("expected 1 to 64 of A-Z, a-z, 0-9 and . _ -", param_hint="NAME") from None
    with Registry(settings_of(folder).registry_at) as registry:
        made = api_tokens.make(registry, form)
    if out:
        _write_secret(out, made)
    else:
        click.echo(made.token)
    until = f"until {_day(made.expires_at)}" if made.expires_at else "until it is revoked"
    click.echo(f"{made.name} may {', '.join(made.scopes)}; good {until}", err=True)


def _write_secret(out: Path, made: TokenMade) -> None:
    from cloud_bridge.runtime.files import write_new

    try:
        write_new(out, f"{made.token}\n".encode())
    except OSError as error:
        lost = f"{out}: can't be written: {error.strerror}; the token is lost: revoke {made.name} and make another"
        raise click.ClickException(lost) from error


@token.command("list")
@directory
@as_json
def list_(folder: Path, json_lines: bool) -> None:
    """All tokens, and what each may do."""
    from cloud_bridge.runtime import api_tokens
    from cloud_bridge.store.registry.registry import Registry

    with Registry(settings_of(folder).registry_at) as registry:
        tokens = api_tokens.all_tokens(registry)
    if json_lines:
        for each in tokens:
            click.echo(msgspec.json.encode(each))
        return
    # A pipe has no width: rich would fold lines at 80 columns.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    table = Table("token", "may", "made", "good until", box=None, header_style="dim")
    for each in tokens:
        table.add_row(each.name, ", ".join(each.scopes), _day(each.created_at), _until(each))
    console.print(table)


@token.command()
@directory
@click.argument("name")
def revoke(folder: Path, name: str) -> None:
    """Take a token back, for good: it is refused from the next request on."""
    from cloud_bridge.runtime import api_tokens
    from cloud_bridge.store.registry.registry import Registry

    with Registry(settings_of(folder).registry_at) as registry:
        api_tokens.revoke(registry, name)
    click.echo(f"{name} is revoked")


@api.command()
def openapi() -> None:
    """Print the description of the API, as OpenAPI 3.1 in JSON."""
    from cloud_bridge.runtime.api.app import application

    click.echo(msgspec.json.format(msgspec.json.encode(application().openapi()), indent=2))


def _until(each: TokenShown) -> str:
    if each.revoked_at:
        return f"revoked {_day(each.revoked_at)}"
    return _day(each.expires_at) if each.expires_at else "without end"


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
