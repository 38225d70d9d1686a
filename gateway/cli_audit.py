"""`ridethrough gateway audit`: what was asked of this gateway from afar, and whether the log of it is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from config.runtime.files import load
from config.text import one_line
from gateway.audit import Broken, Entry, Line, entry, verify
from gateway.settings import GatewaySettings

MAX_LINE_CHARS = 600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@click.command()
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's settings.",
)
@click.option("--verify", "verifying", is_flag=True, help="Only say whether the log is whole; exit status 1 if not.")
@click.option("--json", "json_lines", is_flag=True, help="JSON lines, one object each.")
def audit(path: Path, verifying: bool, json_lines: bool) -> None:
    """Show what was asked of this gateway by the cloud, what became of it, and what was changed here.

    Each line is chained to the one before it. The last line's digest goes to the cloud each minute: the same digest and
    number of lines there and here mean that nobody has changed the log.
    """
    from gateway.runtime.audit import read_audit

    lines = read_audit(load(path, GatewaySettings).data)
    if verifying:
        _verified(lines_of=list(lines), json_lines=json_lines)
        return
    for line in lines:
        click.echo(_as_json(line) if json_lines else one_line(_as_text(line), MAX_LINE_CHARS))


def _verified(lines_of: list[Line], json_lines: bool) -> None:
    found = verify(lines_of)
    if json_lines:
        click.echo(msgspec.json.encode({"whole": not isinstance(found, Broken), **msgspec.structs.asdict(found)}))
    elif isinstance(found, Broken):
        click.echo(f"line {found.number} {found.why}")
    else:
        click.echo(f"{found.length} lines, nothing is missing or changed; the last digest is {found.digest}")
    if isinstance(found, Broken):
        raise click.exceptions.Exit(1)


def _as_json(line: Line) -> bytes:
    try:
        return msgspec.json.encode({**msgspec.to_builtins(entry(line)), "digest": line.digest})
    except msgspec.MsgspecError:
        return msgspec.json.encode({"number": line.number, "damaged": line.text, "digest": line.digest})


def _as_text(line: Line) -> str:
    try:
        said = entry(line)
    except msgspec.MsgspecError:
        return f"{line.number:>5}  (damaged) {line.text}"
    what = " ".join(filter(None, (said.what, said.unit, said.serial, said.verb, said.stage, said.reason)))
    by = f" (by {said.by})" if said.by else ""
    return f"{said.number:>5}  {_time(said)}  {what}{by}{': ' if said.detail else ''}{said.detail}"


def _time(said: Entry) -> str:
    try:
        return f"{_EPOCH + timedelta(milliseconds=said.at):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return f"{said.at} ms"
