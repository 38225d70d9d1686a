"""`ridethrough record`: store what a unit says, for a bug report or to replay it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

import click

from drivers import url as urls
from drivers.capture.mask import mask, without_place
from drivers.capture.model import Header, Step, Wire
from drivers.capture.runtime.open import open_recorder
from drivers.capture.runtime.record import record as run
from drivers.capture.text import header_text, step_text
from drivers.cli import SMART_CABLE
from drivers.errors import BadUrl, DriverError
from drivers.runtime.port import SystemClock
from drivers.ups import clean_text

HELP = f"""Store what one unit says in FILE (- is standard output), as text fit for a bug report.

{SMART_CABLE}

URL is one that `ridethrough poll` takes. Everything that the unit can be asked is asked once; its state is
asked again at the driver's pace, and written where it changed. Nothing is written to the unit. Serial numbers
are masked and the host left out, unless you ask for them. `ridethrough sim run --replay FILE` serves the file.

\b
Examples:
  ridethrough record "modbus+tcp://10.0.0.5?unit=1" rack-1.capture
  ridethrough record modbus+rtu:///dev/ttyUSB0 outage.capture --for 600
"""


@click.command(help=HELP, short_help="Store what a unit says, to report or replay it.")
@click.argument("url")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option(
    "--for",
    "for_s",
    type=click.FloatRange(0, 31 * 24 * 3600),
    default=30.0,
    show_default=True,
    help="How many seconds to watch the state; Ctrl-C ends it earlier and keeps what there is.",
)
@click.option("--keep-serial", is_flag=True, help="Do not mask serial numbers.")
@click.option("--keep-host", is_flag=True, help="Write the URL as it is, with its host or device.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def record(url: str, file: Path, for_s: float, keep_serial: bool, keep_host: bool, force: bool) -> None:
    clock = SystemClock()
    try:
        parsed = urls.parse(url)
        recorder = open_recorder(parsed, clock)
    except BadUrl as error:
        raise click.UsageError(str(error)) from None
    header = Header(
        made_by=f"ridethrough {version('ridethrough')}",
        wire=Wire(parsed.scheme),
        url=url if keep_host else without_place(parsed),
        recorded_at=clock.utc(),
        serials_kept=keep_serial,
        unit=recorder.unit,
    )
    with _opened(file, force=force) as out:
        out.write(header_text(header))

        def write(step: Step) -> None:
            kept = step if keep_serial else Step(step.at_ms, tuple(map(mask, step.said)))
            out.write(step_text(kept))
            out.flush()

        click.echo(f"recording for {for_s:g} s; Ctrl-C ends it earlier", err=True)
        try:
            asyncio.run(run(recorder, clock, write, for_s))
        except KeyboardInterrupt:
            click.echo("ended early; what was recorded is kept", err=True)
        except DriverError as error:
            raise click.ClickException(clean_text(str(error), 500)) from None


@contextlib.contextmanager
def _opened(file: Path, *, force: bool) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdout
        return
    try:
        out = file.open("w" if force else "x", encoding="ascii")
    except FileExistsError:
        raise click.UsageError(f"{file} is there already; name another file, or --force to replace it") from None
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    with out:
        yield out
