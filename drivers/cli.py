"""`ridethrough poll`: read one UPS now."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TextIO

import click
import msgspec
from rich.console import Console
from rich.live import Live

from drivers import open as drivers_open
from drivers.driver import Driver
from drivers.errors import BadUrl, DriverError, LineDown, LineError
from drivers.modbus.options import PARAMETERS
from drivers.show import table
from drivers.ups import Identity, Settings, Snapshot

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
"""


class Poll(msgspec.Struct, omit_defaults=True):
    """What `--json` prints: one object, with `--watch` one a line."""

    identity: Identity
    snapshot: Snapshot
    settings: Settings | None = None


def _parameter_help() -> str:
    lines = [f"  {p.name}={p.allowed}: {p.meaning}" for p in PARAMETERS]
    return "\b\nParameters of a Modbus URL:\n" + "\n".join(lines)


HELP = f"""Read one UPS now and print what it says.

URL is modbus+tcp://HOST[:PORT], modbus+rtu://DEVICE or modbus+rtu://socket://HOST:PORT. Nothing is
written to the unit.

{SMART_CABLE}

{EXAMPLES}
{_parameter_help()}
"""


@click.command(help=HELP, short_help="Read one UPS now.")
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: identity, snapshot and, if asked, settings.")
@click.option("--watch", is_flag=True, help="Keep reading at the driver's pace until interrupted.")
@click.option("--settings", "with_settings", is_flag=True, help="Read the unit's settings too.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Give up after so many seconds without a reading.",
)
def poll(url: str, as_json: bool, watch: bool, with_settings: bool, timeout_s: float) -> None:
    try:
        driver = drivers_open.open_driver(url)
    except BadUrl as error:
        raise click.UsageError(str(error)) from None
    if not watch:
        logging.getLogger("drivers").setLevel(logging.ERROR)  # the one error is printed below
    try:
        asyncio.run(_poll(driver, as_json, watch, with_settings, timeout_s))
    except TimeoutError:
        raise click.ClickException(f"{url}: no reading within {timeout_s:g} s") from None
    except DriverError as error:
        raise click.ClickException(str(error)) from None


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
    async with aclosing(_readings(driver, with_settings, timeout_s)) as readings:
        if as_json:
            async for reading in readings:
                _print(reading, as_json)
            return
        with Live(console=Console(), auto_refresh=False) as live:
            async for reading in readings:
                live.update(table(reading.identity, reading.snapshot, reading.settings), refresh=True)


async def _readings(driver: Driver, with_settings: bool, timeout_s: float) -> AsyncGenerator[Poll, None]:
    """Readings at the driver's pace; a line that is lost is waited for, but no longer than `timeout_s`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        reading = await _read(driver, with_settings)
    full_at = loop.time()
    while True:
        yield reading
        await asyncio.sleep(driver.pace.fast_s)
        async with asyncio.timeout(timeout_s):
            full = loop.time() - full_at >= driver.pace.full_s
            reading.snapshot = await _again(driver, full=full)
        full_at = loop.time() if full else full_at


async def _again(driver: Driver, *, full: bool) -> Snapshot:
    while True:
        try:
            return await (driver.full() if full else driver.fast())
        except LineDown as error:
            await asyncio.sleep(error.retry_in_s)
        except LineError:
            await asyncio.sleep(driver.pace.fast_s)
