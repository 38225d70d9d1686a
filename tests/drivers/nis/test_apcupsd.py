"""The driver on Debian's apcupsd, which reads the simulator's serial lines: Modbus, and UPS-Link as apcsmart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.driver import Driver
from drivers.errors import LineDown, LineError, PortLost, Stale
from drivers.open import open_driver
from drivers.ups import Cause, Flag, Snapshot, State, TestResult, TestStatus
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


SHOWN = ("charge_pct", "load_pct", "input_v", "output_v", "battery_v", "battery_temp_c")
SLACK = 0.05 + 1e-9
"""Half of the last digit that UPS-Link has."""


def differing(snapshot: Snapshot, truth: dict[str, Any]) -> list[str]:
    """Fields in which a reading on mains is not the unit's own truth; runtime comes in whole minutes."""
    pairs = {name: (getattr(snapshot, name), truth[name]) for name in SHOWN}
    pairs["input_hz"] = snapshot.input_hz, truth["output_hz"]
    wrong = [name for name, (read, true) in pairs.items() if read is None or abs(read - true) > SLACK]
    return wrong + ["runtime_s"] * (snapshot.runtime_s != truth["runtime_s"] // 60 * 60)


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


@pytest.mark.timeout(300)
async def test_a_unit_that_apcupsd_holds_over_ups_link_is_followed_through_an_outage_a_test_and_its_loss(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path
) -> None:
    unit = await asyncio.to_thread(lambda: Simulated(start, "--upslink", str(tmp_path / "ups"), ready="upslink"))
    apcupsd = Apcupsd(start_peer, apcupsd_dir, tmp_path, unit.address, driver="apcsmart")
    driver = open_driver(f"nis://{apcupsd.address}?reconnect_s=1&max_age_s=10")
    await once(driver, lambda snapshot: snapshot.state is State.ONLINE)
    await asyncio.to_thread(unit.ctl, "load", "37")
    truth = await asyncio.to_thread(unit.hold_once, lambda truth: truth["load_pct"] == 37)
    reading = await once(driver, lambda snapshot: differing(snapshot, truth) == [])
    assert (reading.state, reading.cause) == (State.ONLINE, Cause.SYSTEM_INITIALISATION), "no transfer since turn-on"
    assert reading.self_test == TestResult(status=TestStatus.NONE)
    await asyncio.to_thread(unit.ctl, "release")

    who, settings = await driver.connect(), await driver.settings()
    assert (who.serial, who.model, who.firmware) == ("AS0000000001", "Smart-UPS 1500", "653.18.I")
    assert (who.manufactured_on, who.battery_nominal_v, who.battery_packs) == (date(2005, 9, 6), 24, 0)
    assert (settings.transfer_high_v, settings.transfer_low_v, settings.alarm_delay) == (253, 208, "5s")

    await asyncio.to_thread(unit.ctl, "test")
    tested = await once(driver, lambda snapshot: snapshot.self_test == TestResult(status=TestStatus.PASSED))
    assert (tested.cause, Flag.POWER_FAILURE in tested.flags) == (Cause.AUTOMATIC_TEST, False)

    await asyncio.to_thread(unit.ctl, "mains", "off")
    outage = await once(driver, lambda snapshot: snapshot.state is State.ON_BATTERY and snapshot.input_v == 0)
    assert (outage.cause, Flag.POWER_FAILURE in outage.flags) == (Cause.LOW_INPUT_VOLTAGE, True)
    await asyncio.to_thread(unit.ctl, "mains", "on")
    await once(driver, lambda snapshot: snapshot.state is State.ONLINE)

    await asyncio.to_thread(unit.end)
    await asyncio.to_thread(apcupsd.once, lambda said: "COMMLOST" in said.get("STATUS", "") or age_s(said) > 11)
    with pytest.raises(Stale, match=r"COMMLOST|\d s ago"):
        await answer(driver)
    await driver.close()
