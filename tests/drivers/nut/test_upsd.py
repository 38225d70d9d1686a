"""The driver on Debian's upsd: data that go stale and come back, and an older unit behind apcsmart on the simulator."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from drivers.driver import Driver
from drivers.errors import BadUrl, LineError, PeerError, Stale
from drivers.open import open_driver
from drivers.ups import Command, Outcome, Snapshot, State, Verb
from tests.conftest import Start
from tests.gateway.site import Site
from tests.peers.nut import PASSWORD, USER, NutUnit, Upsd, apcsmart, dummy
from tests.peers.simulated import Simulated
from tests.process import PROGRAM

pytestmark = pytest.mark.peer

DEV = """\
battery.charge: 87
device.type: ups
ups.model: Smart-UPS 750
ups.serial: AS9999999999
ups.status: OL CHRG
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A driver's socket lies in it, and a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="nut") as folder:
        yield Path(folder)


def with_user(url: str, folder: Path) -> str:
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return f"{url}?user={USER}&password_file={password}"


async def once(read: Callable[[], Awaitable[Snapshot]], come: Callable[[Snapshot], bool], within_s: float) -> Snapshot:
    """The first reading that is so; errors of the line are waited out."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                if come(snapshot := await read()):
                    return snapshot
            except LineError:
                continue


async def fails(read: Callable[[], Awaitable[object]]) -> LineError:
    """The first error of the line."""
    async with asyncio.timeout(30):
        while True:
            try:
                await read()
            except LineError as error:
                return error


async def test_a_driver_that_stops_is_stale_and_reads_again_on_the_same_connection(
    start_peer: Start, nut_dir: Path, short_folder: Path
) -> None:
    dev = short_folder / "unit.dev"
    dev.write_text(DEV)
    upsd = Upsd(start_peer, nut_dir, short_folder, {"rack": dummy(dev)})
    driver = open_driver(f"nut://{upsd.address}/rack")
    assert (await driver.connect()).serial == "AS9999999999"
    assert (await driver.full()).charge_pct == 87
    await asyncio.to_thread(upsd.stop_driver, "rack")
    for read in (driver.fast, driver.full, driver.connect):
        error = await fails(read)
        assert isinstance(error, Stale), error
    await asyncio.to_thread(upsd.start_driver, "rack")
    assert (await driver.fast()).charge_pct == 87
    assert driver.counters.reopens == 0
    await driver.close()


async def test_what_upsd_refuses_is_told_in_its_own_word(start_peer: Start, nut_dir: Path, short_folder: Path) -> None:
    dev = short_folder / "unit.dev"
    dev.write_text(DEV)
    upsd = Upsd(start_peer, nut_dir, short_folder, {"rack": dummy(dev)})
    for url, token in (
        (f"nut://{upsd.address}/none", "UNKNOWN-UPS"),
        (f"nut://{upsd.address}/rack?tls=require", "FEATURE"),
    ):
        driver = open_driver(url)
        with pytest.raises(PeerError, match=token):
            await driver.connect()
        await driver.close()
    with pytest.raises(BadUrl):
        open_driver(f"nut://{upsd.address}")


async def test_a_setting_of_a_name_goes_through_upsd_with_login(
    start_peer: Start, nut_dir: Path, short_folder: Path
) -> None:
    dev = short_folder / "unit.dev"
    dev.write_text(DEV + "ups.id: before\n")
    upsd = Upsd(start_peer, nut_dir, short_folder, {"rack": dummy(dev)})
    driver = open_driver(with_user(f"nut://{upsd.address}/rack", short_folder))
    await driver.connect()
    report = await driver.execute(Command(verb=Verb.SELF_TEST, serial="AS9999999999"))
    assert report.outcome is Outcome.UNSUPPORTED
    report = await driver.execute(Command(verb=Verb.SET_NAME, serial="AS9999999999", value="shed 2 = east"))
    assert report.outcome is Outcome.DONE, report
    assert upsd.said("rack")["ups.id"] == "shed 2 = east"
    await driver.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_older_unit_behind_apcsmart_is_followed_through_an_outage_and_a_self_test(
    start: Start, start_peer: Start, nut_dir: Path, short_folder: Path
) -> None:
    unit = await asyncio.to_thread(lambda: Simulated(start, "--upslink", str(short_folder / "ups"), ready="upslink"))
    upsd = await asyncio.to_thread(lambda: Upsd(start_peer, nut_dir, short_folder, {"rack": apcsmart(unit.address)}))
    driver = open_driver(with_user(f"nut://{upsd.address}/rack", short_folder))
    try:
        await follow_the_unit(driver, unit)
    finally:
        await driver.close()


async def follow_the_unit(driver: Driver, unit: Simulated) -> None:
    identity = await driver.connect()
    assert identity.serial is not None
    truth = await asyncio.to_thread(unit.truth)
    reading = await driver.full()
    assert reading.state is State.ONLINE
    assert reading.input_v == pytest.approx(truth["input_v"], abs=2)
    assert reading.battery_v == pytest.approx(truth["battery_v"], abs=0.5)
    assert reading.load_pct == pytest.approx(truth["load_pct"], abs=1)
    assert reading.input_hz == pytest.approx(50, abs=1)

    await asyncio.to_thread(unit.ctl, "mains", "off")
    await once(driver.fast, lambda snapshot: snapshot.state is State.ON_BATTERY, 30)
    outage = await once(driver.full, lambda snapshot: snapshot.input_v == 0, 30)
    assert outage.state is State.ON_BATTERY
    await asyncio.to_thread(unit.ctl, "mains", "on")
    await once(driver.fast, lambda snapshot: snapshot.state is State.ONLINE, 60)

    await asyncio.to_thread(unit.ctl, "battery", "100")
    report = await driver.execute(Command(verb=Verb.SELF_TEST, serial=identity.serial))
    assert report.outcome is Outcome.DONE, report
    await once(driver.full, lambda snapshot: snapshot.state is State.ONLINE, 60)


@pytest.mark.slow
def test_a_gateway_tells_what_a_unit_behind_upsd_does_and_its_stale_data_as_lost_communication(
    start: Start, start_peer: Start, nut_dir: Path, short_folder: Path, tmp_path: Path
) -> None:
    dev = short_folder / "unit.dev"
    dev.write_text(DEV)
    upsd = Upsd(start_peer, nut_dir, short_folder, {"rack": NutUnit("dummy-ups", str(dev), {"mode": "dummy-loop"})})
    site = Site(tmp_path, start)
    unit = f"--unit=rack=nut://{upsd.address}/rack?fast_s=0.5"
    gateway = start("gateway", "run", "--config", site.config, unit, ready=["gateway"])
    gateway.logged("Smart-UPS 750 AS9999999999 answers")
    dev.write_text(DEV.replace("OL CHRG", "OB DISCHRG"))
    gateway.logged("rack: on_battery")
    dev.write_text(DEV)
    gateway.logged("rack: mains_restored")
    upsd.stop_driver("rack")
    gateway.logged("rack: communication_lost: ", within_s=60)
    assert "has no fresh data of this unit" in gateway.stderr
    upsd.start_driver("rack")
    gateway.logged("rack: communication_restored")
    printed = subprocess.run(
        [PROGRAM, "poll", f"nut://{upsd.address}/rack", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(printed.stdout)["snapshot"]["charge_pct"] == 87
