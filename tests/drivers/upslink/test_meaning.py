"""What the gateway makes of a UPS-Link unit: low battery (S18), tests (S19), shutdowns, alerts (S4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drivers.driver import Driver
from drivers.open import open_driver
from drivers.upslink import decode
from drivers.upslink.abilities import told as abilities_told
from drivers.upslink.decode import Image
from gateway.detect import step
from gateway.runtime.outbox import Outbox
from gateway.unit_state import UnitState
from tests.conftest import Start
from tests.drivers.upslink.memory import LISTED
from tests.drivers.upslink.test_against_simulator import quick
from tests.gateway.polled import outbox_in, poller, told

START = datetime(2026, 1, 1, tzinfo=UTC)
ON_MAINS = {"Q": "08", "9": "FF", "G": "O", "X": "NO", "8": "00", "j": "0040:", "f": "100.0"}
OUTAGE = {"Q": "10", "9": "00", "G": "R"}
TEST = {"Q": "10", "9": "FF", "G": "S"}


def events(changes: Sequence[Image], every_s: float = 5) -> list[str]:
    """The event types of a unit that is on mains first and then changes in these steps."""
    image, state, types = dict(ON_MAINS), UnitState(), []
    abilities = abilities_told(f"3.!$%+?=#|.{LISTED}")
    for number, change in enumerate(({}, *changes)):
        image |= change
        at = START + timedelta(seconds=number * every_s)
        snapshot = decode.snapshot(image, abilities, at=at, full_at=at, answer_ms=None)
        state, found = step(state, snapshot)
        types += [event.type for event in found]
    return types


def test_an_outage_and_its_end() -> None:
    assert events([OUTAGE, {"Q": "08", "9": "FF"}]) == ["on_battery", "mains_restored"]


def test_s18_bit_6_on_battery_is_low_battery_with_much_runtime_left() -> None:
    assert events([OUTAGE, {"Q": "50"}]) == ["on_battery", "low_battery"]


def test_s18_bit_6_on_mains_is_a_battery_that_charges_and_no_shutdown() -> None:
    assert events([OUTAGE, {"Q": "50"}, {"Q": "48", "9": "FF"}]) == ["on_battery", "low_battery", "mains_restored"]


def test_s19_a_self_test_is_no_outage_and_its_result_is_told() -> None:
    assert events([TEST, {"Q": "08", "X": "OK"}, {"X": "NO"}]) == ["self_test_started", "self_test_passed"]
    assert events([TEST, {"Q": "88", "X": "BT"}]) == ["self_test_started", "replace_battery", "self_test_failed"]


def test_s19_a_self_test_is_an_outage_once_line_quality_is_00() -> None:
    assert events([TEST, {"9": "00"}]) == ["self_test_started", "on_battery"]


def test_s19_a_self_test_of_more_than_40_s_is_an_outage() -> None:
    assert "on_battery" not in events([TEST] * 8)
    assert "on_battery" in events([TEST] * 10)


def test_calibration_is_no_outage() -> None:
    assert events([{"Q": "11", "G": "S"}] * 20) == ["calibration_started"]


def test_an_output_that_was_told_to_go_off_is_told_apart_from_an_empty_battery() -> None:
    assert events([OUTAGE, {"Q": "00", "8": "10"}]) == ["on_battery", "output_off_commanded"]
    assert events([OUTAGE, {"Q": "00", "8": "01"}]) == ["on_battery", "output_off"]


def test_faults_of_the_registers_are_told() -> None:
    assert events([{"8": "A0", "'": "20"}]) == ["overtemperature", "battery_disconnected", "charger_fault"]


async def idle(driver: Driver, outbox: Outbox) -> None:
    """Until nothing has been asked for half a second: the next poll is due in a minute."""
    loop, asked, since_s = asyncio.get_running_loop(), 0, 0.0
    while not asked or loop.time() - since_s < 0.5:
        if driver.counters.requests != asked:
            asked, since_s = driver.counters.requests, loop.time()
        await told(outbox)


async def test_s4_the_gateway_polls_at_once_when_the_unit_rings(start: Start, tmp_path: Path) -> None:
    """With a minute between two polls, an outage is told by its alert alone."""
    simulator = await quick(start, tmp_path)
    driver = open_driver(f"{simulator.url}?fast_s=60&full_s=60")
    async with outbox_in(tmp_path) as outbox:
        watching = poller(outbox, driver)
        task = asyncio.ensure_future(watching.run())
        async with asyncio.timeout(20):
            await idle(driver, outbox)
            await simulator.control("mains off")
            while "on_battery" not in await told(outbox):
                assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await watching.close()
