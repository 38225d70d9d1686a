"""`make bench`, `python -m simulator.rig.bench [PART ...]`: measures and prints; status 1 if a limit is missed."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from simulator.rig.bench import carried, disk, drain, footprint, lines, mails, storm, transfers
from simulator.rig.bench.part import Part
from simulator.rig.errors import RigError, told
from simulator.rig.figures import Findings, result_table

WIDTH = 120
"""The tables', also where no terminal tells one."""
PARTS = {
    "carried": Part("from the mains to the committed event, leg by leg", carried.measure),
    "lines": Part("how well a serial line is used", lines.measure),
    "footprint": Part("memory and processor, beside modpoll and thingsboard-gateway", footprint.measure),
    "transfers": Part("how late an outage is known at each line's own pace, beside NUT", transfers.measure),
    "mails": Part("from the mains to the mail, beside NUT's upssched", mails.measure),
    "storm": Part("10,000 events in a minute: what people get of them", storm.measure),
    "disk": Part("bytes written a day", disk.measure),
    "drain": Part("a backlog, and live events in the midst of it", drain.measure),
}


@click.command(epilog="Parts: " + "; ".join(f"{name}: {part.about}" for name, part in PARTS.items()) + ".")
@click.argument("parts", nargs=-1, metavar="[PART]...", type=click.Choice(list(PARTS)))
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object, by part.")
def bench(parts: Sequence[str], as_json: bool) -> None:
    """How fast and how small Ridethrough is, held against its limits. Without PART: all of it, in 50 minutes."""
    logging.basicConfig(level=logging.ERROR)  # that a gateway ended is no news where a part restarts it
    console = Console(stderr=as_json)
    console.width = max(console.width, WIDTH)
    try:
        found = asyncio.run(_measure(set(parts) or PARTS.keys(), console))
    except* RigError as errors:
        raise click.ClickException(told(errors)) from None
    if as_json:
        click.echo(msgspec.json.encode({name: each.results for name, each in found.items()}))
    else:
        _show(found, console)
    sys.exit(0 if all(result.holds for each in found.values() for result in each.results) else 1)


async def _measure(names: Collection[str], console: Console) -> dict[str, Findings]:
    found = {}
    with Progress(console=console, transient=True) as progress, tempfile.TemporaryDirectory(prefix="bench-") as where:
        for name, part in PARTS.items():
            if name in names:
                found[name] = await part.measure(Path(where) / name, progress)
    return found


def _show(found: Mapping[str, Findings], console: Console) -> None:
    console.print(f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}, Python {platform.python_version()}")
    for each in found.values():
        for table in each.tables:
            console.print(table)
    console.print(result_table({name: each.results for name, each in found.items()}))


def _machine() -> str:
    names = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    }
    return f"{os.cpu_count()} cores of {', '.join(sorted(names)) or platform.machine()}"


if __name__ == "__main__":
    bench()
