"""The rules on what the real driver reads from the real simulator, each event checked against the simulator's truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from drivers.driver import Driver
from drivers.open import open_driver
from drivers.ups import Command, Event, Outcome, Verb
from gateway.detect import step
from gateway.identity import identified
from gateway.unit_state import UnitState, encode, resume
from simulator.runtime.ctl import ask
from tests.conftest import Start

PATIENCE_S = 40.0
"""More than any of these scenarios needs: what has not been told by then is not told."""


class Watch:
    """One simulated unit, read fast with a full reading every fifth time and after each change, as a poller does."""

    def __init__(self, start: Start, link: Path, wire: str, *options: str) -> None:
        listeners = ["--modbus-tcp", "127.0.0.1:0", "--modbus-rtu", str(link), "--control", "127.0.0.1:0"]
        ready = ["modbus-tcp", "modbus-rtu", "control"]
        process = start("sim", "run", *listeners, "--answer-ms", "5", *options, ready=ready)
        address = {"tcp": process.address("modbus-tcp"), "rtu": str(link)}[wire]
        self._control = process.address("control")
        self.driver: Driver = open_driver(f"modbus+{wire}://{address}")
        self.state = UnitState()
        self.events: list[Event] = []
        self.serial = ""
        self._readings = 0

    async def connect(self) -> None:
        identity = await self.driver.connect()
        self._remember(*identified(self.state, identity, (await self.driver.full()).at))
        await self.read(full=True)
        self.serial = identity.serial or ""

    async def control(self, line: str) -> None:
        await asyncio.to_thread(ask, self._control, line)

    async def read(self, full: bool) -> None:
        snapshot = await (self.driver.full() if full else self.driver.fast())
        before = self.state.power
        self._remember(*step(self.state, snapshot))
        self._readings += 1
        if not full and before is not self.state.power:
            await self.read(full=True)

    async def until(self, kind: str) -> Event:
        """Reads until an event of this kind is told."""
        already = len(self.events)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await self.read(full=self._readings % 5 == 0)
                    for event in self.events[already:]:
                        if event.type == kind:
                            return event
        except TimeoutError:
            raise AssertionError(f"{kind} is not told; told were {self.told}") from None

    @property
    def told(self) -> list[str]:
        return [event.type for event in self.events]

    def _remember(self, state: UnitState, events: tuple[Event, ...]) -> None:
        self.state = resume(encode(state)) if len(self.events) % 3 == 2 and not events else state
        self.events += events


class Open(Protocol):
    async def __call__(self, wire: str, *options: str) -> Watch: ...


@pytest_asyncio.fixture
async def watch(start: Start, tmp_path: Path) -> AsyncIterator[Open]:
    """Starts a simulated unit and connects to it on that wire."""
    watched: list[Watch] = []

    async def opened(wire: str, *options: str) -> Watch:
        unit = await asyncio.to_thread(Watch, start, tmp_path / "ups", wire, *options)
        watched.append(unit)
        await unit.connect()
        return unit

    yield opened
    for unit in watched:
        await unit.driver.close()


@pytest.fixture(params=["tcp", "rtu"])
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_an_outage_is_told_with_its_cause_and_its_end(watch: Open, wire: str) -> None:
    unit = await watch(wire, "--speed", "5")
    assert unit.told == []
    await unit.control("mains off")
    onset = await unit.until("on_battery")
    assert onset.details["cause"] in ("low_input_voltage", "rapid_input_voltage_change")
    assert onset.details.get("input_v", 0) == 0
    await unit.control("mains on")
    await unit.until("mains_restored")
    assert unit.told == ["on_battery", "mains_restored"]


async def test_s19_a_self_test_is_told_as_a_test_with_its_result(watch: Open, wire: str) -> None:
    unit = await watch(wire, "--speed", "4")
    report = await unit.driver.execute(Command(verb=Verb.SELF_TEST, serial=unit.serial))
    assert report.outcome is Outcome.DONE
    await unit.until("self_test_passed")
    assert [kind for kind in unit.told if kind != "self_test_started"] == ["self_test_passed"]


async def test_s19_mains_that_fail_during_a_test_are_an_outage(watch: Open, wire: str) -> None:
    unit = await watch(wire)
    await unit.control("test")
    await unit.until("self_test_started")
    assert "on_battery" not in unit.told
    await unit.control("mains off")
    await unit.until("on_battery")


async def test_s18_an_empty_battery_is_low_and_then_off_though_nobody_commanded_it(watch: Open) -> None:
    unit = await watch("tcp", "--speed", "200", "--load", "80", "--charge", "90")
    await unit.control("mains off")
    await unit.until("output_off")
    await unit.control("mains on")
    await unit.until("output_on")
    assert [kind for kind in unit.told if not kind.startswith(("shutdown", "outlet", "low_battery_cleared"))] == [
        "on_battery",
        "low_battery",
        "output_off",
        "mains_restored",
        "output_on",
    ]


async def test_a_shutdown_command_is_announced_and_the_output_goes_off_commanded(watch: Open) -> None:
    unit = await watch("tcp", "--speed", "30")
    report = await unit.driver.execute(Command(verb=Verb.SHUTDOWN, serial=unit.serial))
    assert report.outcome is Outcome.DONE
    await unit.until("output_off_commanded")
    assert unit.told == ["shutdown_imminent", "output_off_commanded", "shutdown_cancelled"]
    await unit.until("output_on")


async def test_an_injected_fault_begins_and_ends(watch: Open) -> None:
    unit = await watch("tcp")
    await unit.control("fault battery_disconnected on")
    await unit.until("battery_disconnected")
    await unit.control("fault battery_disconnected off")
    await unit.until("battery_disconnected_cleared")
    assert unit.told == ["battery_disconnected", "battery_disconnected_cleared"]
