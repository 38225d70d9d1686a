"""Tries one protocol at one door. Nothing but reads and UPS-Link's `Y` leaves here (S5): the drivers' `connect`."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from drivers import open as drivers_open
from drivers import url as urls
from drivers.driver import Driver, Transport
from drivers.errors import BadUrl, LineError, PortBusy, PortLost, Refused
from drivers.modbus.options import read_options
from drivers.modbus.runtime.driver import DEFAULT_PORT, ModbusDriver
from drivers.nut.options import read_options as read_nut_options
from drivers.nut.protocol import listing
from drivers.nut.runtime.link import Link
from drivers.runtime.port import SystemClock
from drivers.runtime.tcp import TcpPort
from drivers.scan.plan import NIS_PORT, NUT_PORT, Found, Protocol, Result, Try
from drivers.ups import Identity, clean_text

UNIT_S = 30.0
"""Longest time for one unit to say who it is; a chatty UPS-Link start-up takes ten."""
PROBLEM_LIMIT = 300


async def attempt(this: Try, patience_s: float) -> Result:
    """What is there. `patience_s` limits the making of a connection."""
    if this.protocol is Protocol.NUT:
        return await _nut(this, patience_s)
    if this.protocol is Protocol.NIS and (problem := await _knock(this, patience_s)):
        return Result(note=problem)
    try:
        driver = _driver(this, patience_s)
    except BadUrl as error:
        return Result(opened=True, note=str(error))
    return await _met(driver, this)


def _driver(this: Try, patience_s: float) -> Driver:
    if this.protocol is not Protocol.MODBUS_TCP:
        return drivers_open.open_driver(this.url)
    # A port with one session (S4) can't be knocked at first: the driver's own connection has the scan's patience.
    url = urls.parse(this.url)
    port = TcpPort(urls.address(url, url.target, DEFAULT_PORT), patience_s=patience_s)
    return ModbusDriver(this.url, port, read_options(url, Transport.TCP))


async def _met(driver: Driver, this: Try) -> Result:
    try:
        async with asyncio.timeout(UNIT_S):
            identity = await driver.connect()
    except TimeoutError:
        return Result(opened=True, spoke=driver.counters.answers > 0, note=f"{this.url}: no identity in {UNIT_S:g} s")
    except (PortLost, PortBusy, Refused) as error:
        return Result(note=_told(error))
    except LineError as error:
        return Result(opened=True, spoke=driver.counters.answers > 0, note=_told(error))
    finally:
        await driver.close()
    return Result(found=(_found(this, identity),), opened=True, spoke=True)


def _found(this: Try, identity: Identity) -> Found:
    return Found(
        target=this.door,
        protocol=this.url.partition("://")[0],
        url=this.url,
        model=identity.model,
        sku=identity.sku,
        serial=identity.serial,
        firmware=identity.firmware,
        name=identity.name,
    )


def _told(error: LineError, daemon: str | None = None) -> str:
    """`daemon`: who would have answered, where the drivers' hint to a unit's menu would mislead."""
    if daemon and isinstance(error, Refused):
        return f"{error.port}: refused: no {daemon} listens there"
    return clean_text(str(error), PROBLEM_LIMIT)


async def _knock(this: Try, patience_s: float) -> str | None:
    """Why the door does not open; None if it does. For daemons, which serve many at a time."""
    url = urls.parse(this.url)
    port = TcpPort(urls.address(url, url.target, NIS_PORT), patience_s=patience_s)
    try:
        await port.open()
    except LineError as error:
        return _told(error, "apcupsd")
    finally:
        await port.close()
    return None


async def _nut(this: Try, patience_s: float) -> Result:
    """Each UPS that upsd has, by the driver of its own."""
    url = urls.parse(this.url)
    try:
        names = await _names(urls.address(url, url.target, NUT_PORT), patience_s)
    except (PortLost, Refused) as error:
        return Result(note=_told(error, "NUT server"))
    except LineError as error:
        return Result(opened=True, note=_told(error))
    found: list[Found] = []
    notes: list[str] = []
    for name in names:
        one = Try(Protocol.URL, this.door, f"{this.url}/{quote(name, safe='')}")
        result = await attempt(one, patience_s)
        found += result.found
        notes += [result.note] if result.note else []
    note = "; ".join(notes) or (None if found else f"{this.url}: the server has no UPS")
    return Result(found=tuple(found), opened=True, spoke=True, note=note)


async def _names(address: urls.Address, patience_s: float) -> tuple[str, ...]:
    """The UPSs of an upsd, by their names. Raises LineError."""
    options = read_nut_options(urls.parse(f"nut://{address}/-?tls=no"))
    link = Link(TcpPort(address, patience_s=patience_s), options, SystemClock(), None, None)
    try:
        await link.open()
        return tuple(row[0] for row in (await link.ask(listing("UPS"))).rows if row)
    finally:
        await link.close()
