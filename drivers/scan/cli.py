"""`ridethrough scan`: find UPSs on the lines and addresses named."""

from __future__ import annotations

import asyncio
import logging
import shlex
import sys
from collections.abc import Iterable, Sequence

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from drivers.cli import SMART_CABLE
from drivers.errors import BadUrl
from drivers.runtime.port import SystemClock
from drivers.scan.plan import Found, Place, Result, places
from drivers.scan.runtime import scan as runtime
from drivers.scan.runtime.devices import serial_devices
from drivers.scan.targets import NETWORK_LIMIT, read_target
from drivers.scan.units import read_units
from drivers.ups import clean_text

HELP = f"""Find UPSs on the serial devices, hosts and networks that you name, and nowhere else.

{SMART_CABLE}

A TARGET is a serial device (/dev/ttyUSB0), HOST, HOST:PORT, a network of at most {NETWORK_LIMIT} addresses
(10.0.0.0/24), or a URL. With none, this machine's serial devices are listed and nothing is opened. Nothing is
written but what reads, and the character Y that starts UPS-Link. A SmartConnect port serves one master at a
time: stop the gateway that polls it first.

\b
Looked for:
  serial device   UPS-Link at 2400 baud, then Modbus RTU at 9600
  host            Modbus TCP on 502, NUT on 3493, apcupsd on 3551
  HOST:PORT       NUT or apcupsd on their ports, Modbus TCP on any other

\b
Examples:
  ridethrough scan
  ridethrough scan /dev/ttyUSB0 ups-rack-1
  ridethrough scan 10.0.0.0/24 --json

Exit status is 1 if nothing was found.
"""

NOTE_LIMIT = 300


def _units(_ctx: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return read_units(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(help=HELP, short_help="Find the UPSs on the lines and addresses named.")
@click.argument("targets", nargs=-1, metavar="[TARGET ...]")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a UPS found.")
@click.option(
    "--units",
    default="1",
    show_default=True,
    metavar="LIST",
    callback=_units,
    help="Modbus unit ids to ask, as 1,3-5. A TCP port is left alone for 15 s between two.",
)
def scan(targets: tuple[str, ...], as_json: bool, units: tuple[int, ...]) -> int:
    if not targets:
        return _list_devices(as_json)
    try:
        found_at = [place for text in targets for place in places(text, read_target(text), units)]
    except BadUrl as error:
        raise click.UsageError(str(error)) from None
    logging.getLogger("drivers").setLevel(logging.ERROR)  # what did not answer is told below
    hits = _Hits(list(dict.fromkeys(found_at)), as_json)
    try:
        hits.run()
    finally:
        hits.show()
    return 0 if hits.found else 1


class _Hits:
    """A scan with its progress on standard error, and what it found: told at once where a program reads it, after the
    progress where a person does.
    """

    def __init__(self, wanted: Sequence[Place], as_json: bool) -> None:
        self.found: list[Found] = []
        self._notes: list[tuple[Place, Result]] = []
        self._lucky: set[str] = set()
        self._wanted = wanted
        self._as_json = as_json
        self._at_once = as_json and not sys.stdout.isatty()
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("scanning", total=len(wanted))

    def run(self) -> None:
        with self._progress:
            asyncio.run(runtime.scan(self._wanted, SystemClock(), self._tell, self._done))

    def _tell(self, place: Place, result: Result) -> None:
        self.found += result.found
        if self._at_once:
            self._print(result.found)
        self._lucky |= {place.name} if result.found else set()
        if result.note and (place.named or result.opened):
            self._notes.append((place, result))

    def _done(self, place: Place) -> None:
        self._progress.update(self._task, advance=1, description=f"scanning, {len(self.found)} found")

    def _print(self, these: Iterable[Found]) -> None:
        for found in these:
            click.echo(msgspec.json.encode(found).decode() if self._as_json else "\n".join(_lines(found)))

    def show(self) -> None:
        """What was found and not told yet, and why nothing was found elsewhere."""
        if not self._at_once:
            self._print(self.found)
        for place, result in self._notes:
            if result.spoke or place.name not in self._lucky:
                click.echo(f"  {clean_text(result.note or '', NOTE_LIMIT)}", err=True)
        if not self.found:
            click.echo(f"no UPS found at {len(self._wanted)} place(s)", err=True)


def _lines(found: Found) -> list[str]:
    """The URL as a shell takes it, and what is there."""
    says = [("model", found.model), ("SKU", found.sku), ("serial number", found.serial), ("firmware", found.firmware)]
    known = ", ".join(f"{label} {clean_text(value)}" for label, value in says if value)
    return [shlex.quote(found.url), f"  {found.protocol}: {known or 'it says nothing of itself'}"]


def _list_devices(as_json: bool) -> int:
    devices = serial_devices()
    for device in devices:
        told = f"{device.path}" + (f"  ({device.description})" if device.description else "")
        click.echo(msgspec.json.encode(device).decode() if as_json else clean_text(told, 300))
    if not devices:
        click.echo("this machine has no serial device", err=True)
    click.echo("name the devices, hosts or networks to look at: ridethrough scan /dev/ttyUSB0 10.0.0.5", err=True)
    return 0 if devices else 1
