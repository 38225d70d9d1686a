"""The driver on Debian's apcupsd, which reads the simulator's serial line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from drivers.driver import Driver
from drivers.errors import LineDown, LineError, PortLost, Stale
from drivers.open import open_driver
from drivers.ups import Snapshot, State
from tests.conftest import Start
from tests.peers.apcupsd import Apcupsd
from tests.peers.simulated import Simulated

pytestmark = [pytest.mark.peer, pytest.mark.slow]


async def once(driver: Driver, come: Callable[[Snapshot], bool]) -> Snapshot:
    """The first reading that is so; errors of the line are waited out."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(LineError):
                if come(snapshot := await driver.full()):
                    return snapshot


async def answer(driver: Driver) -> Snapshot:
    """What the driver makes of the next answer; a connection that apcupsd closed is opened anew."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(PortLost, LineDown):
                return await driver.full()


def age_s(said: dict[str, str]) -> float:
    """How long ago apcupsd read its unit."""
    told_at, read_at = (datetime.fromisoformat(said[key]) for key in ("END APC", "DATE"))
    return (told_at - read_at).total_seconds()


@pytest.mark.timeout(300)
async def test_a_unit_that_apcupsd_holds_is_followed_through_an_outage_and_its_loss(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path
) -> None:
    unit = await asyncio.to_thread(lambda: Simulated(start, "--modbus-rtu", str(tmp_path / "ups"), ready="modbus-rtu"))
    apcupsd = Apcupsd(start_peer, apcupsd_dir, tmp_path, unit.address)
    driver = open_driver(f"nis://{apcupsd.address}?reconnect_s=1&max_age_s=10")
    reading = await once(driver, lambda snapshot: snapshot.state is not None)
    assert reading.state is State.ONLINE, "an apcupsd that has read nothing yet tells zeros, which are no reading"
    truth = await asyncio.to_thread(unit.truth)
    assert (await driver.connect()).serial is not None
    assert reading.input_v == pytest.approx(truth["input_v"], abs=0.2)
    assert reading.charge_pct == pytest.approx(truth["charge_pct"], abs=0.2)
    assert reading.battery_v == pytest.approx(truth["battery_v"], abs=0.2)

    await asyncio.to_thread(unit.ctl, "mains", "off")
    outage = await once(driver, lambda snapshot: snapshot.state is State.ON_BATTERY)
    assert outage.input_v == 0
    await asyncio.to_thread(unit.ctl, "mains", "on")
    await once(driver, lambda snapshot: snapshot.state is State.ONLINE)

    await asyncio.to_thread(unit.end)
    said = await asyncio.to_thread(apcupsd.once, lambda said: "COMMLOST" in said.get("STATUS", "") or age_s(said) > 11)
    assert "LINEV" in said, "apcupsd goes on telling its last readings"
    with pytest.raises(Stale, match=r"COMMLOST|\d s ago"):
        await answer(driver)
    await driver.close()
