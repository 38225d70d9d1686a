"""`ridethrough demo`."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec
from rich.console import Console

from simulator.rig.demo import run_demo
from simulator.rig.summary import lines


@click.command()
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="Run unattended, then tell what happened.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object; no live view.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Work in this new folder and keep it: settings, keys, databases, logs.",
)
def demo(seconds: float | None, as_json: bool, folder: Path | None) -> int:
    """All of it on this machine: three simulated Smart-UPS, gateway, TLS broker, ingest.

    Mains fail after 10 seconds and return after 40, again and again. Ctrl-C ends it and leaves no process and no file
    behind; --dir keeps the files.
    """
    # Unattended means: nobody looks, so the summary is all that is printed.
    console = None if as_json or seconds is not None else Console()
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="ridethrough-") as where:
        summary = asyncio.run(run_demo(Path(where), seconds, console))
    if as_json:
        click.echo(msgspec.json.encode(summary).decode())
    else:
        click.echo("\n".join(lines(summary)))
    return 0 if summary.complete or seconds is None else 1
