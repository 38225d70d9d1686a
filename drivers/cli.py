"""`ridethrough poll`: read one UPS now."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import aclosing
from typing import TextIO

import click
import msgspec
from rich.console import Console

from drivers import open as drivers_open
from drivers.driver import Driver
from drivers.errors import BadUrl, DriverError
from drivers.modbus.options import PARAMETERS
from drivers.nis.options import PARAMETERS as NIS_PARAMETERS
from drivers.nut.options import PARAMETERS as NUT_PARAMETERS
from drivers.runtime.port import SystemClock
from drivers.runtime.watch import readings, watch_in_terminal
from drivers.show import table
from drivers.ups import Identity, Settings, Snapshot
from drivers.upslink.options import PARAMETERS as UPSLINK_PARAMETERS

SMART_CABLE = (
    "Before the first open of a serial line: use a smart cable only (940-0625A for Modbus, 940-0024C for "
    "UPS-Link). On a plain cable the lines DTR and RTS can switch the load off."
)
EXAMPLES = """\b
Examples:
  ridethrough poll modbus+tcp://10.0.0.5?unit=1
  ridethrough poll "modbus+rtu:///dev/ttyUSB0?baud=9600&unit=1" --settings
  ridethrough poll modbus+rtu://socket://10.0.0.9:4001 --json
  ridethrough poll modbus+tcp://10.0.0.5 --watch
  ridethrough poll upslink:///dev/ttyS0
  ridethrough poll nut://127.0.0.1/rack-1
"""


class Poll(msgspec.Struct, omit_defaults=True):
    """What `--json` prints: one object, with `--watch` one a line."""

    identity: Identity
    snapshot: Snapshot
    settings: Settings | None = None


def _parameter_help() -> str:
    tables = (
        ("a Modbus URL", PARAMETERS),
        ("a UPS-Link URL", UPSLINK_PARAMETERS),
        ("a nut URL", NUT_PARAMETERS),
        ("a nis URL", NIS_PARAMETERS),
    )
    return "\n\n".join(
        f"\b\nParameters of {what}:\n" + "\n".join(f"  {p.name}={p.allowed}: {p.meaning}" for p in parameters)
        for what, parameters in tables
    )


HELP = f"""Read one UPS now and print what it says.

URL is modbus+tcp://HOST[:PORT], modbus+rtu://DEVICE, upslink://DEVICE, nut://HOST[:PORT]/NAME or
nis://HOST[:PORT]; in place of a DEVICE, socket://HOST:PORT names a serial server. Nothing is written to the
unit but the `Y` that starts UPS-Link.

{SMART_CABLE}

{EXAMPLES}
{_parameter_help()}
"""


@click.command(help=HELP, short_help="Read one UPS now.")
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: identity, snapshot and, if asked, settings.")
@click.option("--watch", is_flag=True, help="A live view at the driver's pace, until Ctrl-C.")
@click.option("--settings", "with_settings", is_flag=True, help="Read the unit's settings too.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Give up after so many seconds without a first reading.",
)
def poll(url: str, as_json: bool, watch: bool, with_settings: bool, timeout_s: float) -> None:
    try:
        driver = drivers_open.open_driver(url)
    except BadUrl as error:
        raise click.UsageError(str(error)) from None
    if not (watch and as_json):
        logging.getLogger("drivers").setLevel(logging.ERROR)  # the one error is printed below, or shown in the view
    try:
        asyncio.run(_poll(driver, as_json, watch, with_settings, timeout_s))
    except TimeoutError:
        raise click.ClickException(f"{url}: no reading within {timeout_s:g} s") from None
    except DriverError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        if not watch:
            raise


async def _poll(driver: Driver, as_json: bool, watch: bool, with_settings: bool, timeout_s: float) -> None:
    try:
        if watch:
            await _watch(driver, as_json, with_settings, timeout_s)
        else:
            async with asyncio.timeout(timeout_s):
                reading = await _read(driver, with_settings)
            _print(reading, as_json)
    finally:
        await driver.close()


async def _read(driver: Driver, with_settings: bool) -> Poll:
    identity = await driver.connect()
    snapshot = await driver.full()
    return Poll(identity, snapshot, await driver.settings() if with_settings else None)


def _print(reading: Poll, as_json: bool, to: TextIO | None = None) -> None:
    if as_json:
        click.echo(msgspec.json.encode(reading, order="deterministic").decode(), file=to)
        return
    Console(file=to or sys.stdout).print(table(reading.identity, reading.snapshot, reading.settings))


async def _watch(driver: Driver, as_json: bool, with_settings: bool, timeout_s: float) -> None:
    """The first reading within the time limit; a line that is lost later is waited for."""
    clock = SystemClock()
    async with asyncio.timeout(timeout_s):
        reading = await _read(driver, with_settings)
    if not as_json:
        await watch_in_terminal(driver, clock, reading.identity, reading.snapshot, Console())
        return
    async with aclosing(readings(driver, clock, reading.snapshot)) as found:
        async for news in found:
            if isinstance(news, Snapshot):
                reading.snapshot = news
                _print(reading, as_json)
