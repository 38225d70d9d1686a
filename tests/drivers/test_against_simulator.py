"""The driver and the simulator, each a program of its own, on a real socket and a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import IdentityChanged, PortLost, Refused
from drivers.open import open_driver
from drivers.ups import READINGS, Command, Flag, Outcome, State, Verb
from simulator.runtime.ctl import ask
from tests.conftest import Start
from tests.process import Process

CARD = "SMX3000RMLV2U"
"""The model that is simulated behind a management card, whose zeros mean "not there"."""
MODELS = ["SMT1500RM2UC", "SMX3000RMLV2U", "SMX750", "SRT1000XLA", "SMTL1500RM3UC"]


class Simulator:
    """One simulated unit; `tcp` and `rtu` are its URLs."""

    def __init__(self, start: Start, link: Path, *options: str) -> None:
        listeners = ["--modbus-tcp", "127.0.0.1:0", "--modbus-rtu", str(link), "--control", "127.0.0.1:0"]
        self.process: Process = start("sim", "run", *listeners, *options, ready=["modbus-tcp", "modbus-rtu", "control"])
        self.tcp = f"modbus+tcp://{self.process.address('modbus-tcp')}"
        self.rtu = f"modbus+rtu://{link}"

    def control(self, line: str) -> list[dict[str, Any]]:
        return ask(self.process.address("control"), line)

    def state(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.control("state")[0]["state"]
        return found

    def mains(self, to: str, then: State) -> None:
        """Until the unit itself has followed: a transfer takes its time."""
        self.control(f"mains {to}")
        give_up_s = time.monotonic() + 30
        while self.state()["state"] != then:
            assert time.monotonic() < give_up_s, f"the simulator is never {then}"

    def writes(self) -> list[tuple[int, list[int]]]:
        """Register and words of every write that a wire took in."""
        return [(write["address"], write["words"]) for write in self.control("commands")[1:]]


RESOLUTION = {
    "charge_pct": 1 / 512,
    "battery_v": 1 / 32,
    "battery_temp_c": 1 / 128,
    "load_pct": 1 / 256,
    "apparent_load_pct": 1 / 256,
    "output_a": 1 / 32,
    "output_v": 1 / 64,
    "input_v": 1 / 64,
    "output_hz": 1 / 128,
    "efficiency_pct": 1 / 128,
    "runtime_s": 1,
    "energy_wh": 1,
}


@pytest.mark.parametrize("model", MODELS)
async def test_both_wires_show_the_units_own_truth_to_one_unit_of_resolution(
    start: Start, tmp_path: Path, model: str
) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups", "--model", model)
    await asyncio.to_thread(simulator.control, "hold")
    truth = await asyncio.to_thread(simulator.state)
    card = "?nmc=true" if model == CARD else ""
    for url in (simulator.tcp + card, simulator.rtu):
        driver = open_driver(url)
        identity, snapshot, settings = await driver.connect(), await driver.full(), await driver.settings()
        await driver.close()
        assert identity.sku == model
        assert settings.transfer_high_v is not None
        assert snapshot.state == truth["state"]
        assert {str(flag) for flag in snapshot.flags} == set(truth["flags"])
        compared = [r.name for r in READINGS if truth.get(r.name) is not None and r.name in RESOLUTION]
        assert len(compared) >= 10
        for name in compared:
            assert getattr(snapshot, name) == pytest.approx(truth[name], abs=RESOLUTION[name]), name
        absent = [r.name for r in READINGS if r.name not in truth and r.name != "answer_ms"]
        assert [name for name in absent if getattr(snapshot, name) is not None] == []
        assert all(group.turn_off_s is None for group in snapshot.switched_outlets)
        assert len(snapshot.switched_outlets) == len(truth.get("switched_outlets", []))


async def test_an_outage_shows_in_the_next_fast_reading_on_both_wires(start: Start, tmp_path: Path) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups")
    for url in (simulator.tcp, simulator.rtu):
        await asyncio.to_thread(simulator.mains, "on", State.ONLINE)
        driver = open_driver(url)
        full = await driver.full()
        await asyncio.to_thread(simulator.mains, "off", State.ON_BATTERY)
        fast = await driver.fast()
        await driver.close()
        assert fast.state is State.ON_BATTERY
        assert Flag.INPUT_NOT_ACCEPTABLE in fast.flags
        assert fast.charge_pct == full.charge_pct


@pytest.mark.parametrize("wire", ["modbus-tcp", "modbus-rtu"])
async def test_s1_with_its_reply_swallowed_the_unit_sees_each_command_once(
    start: Start, tmp_path: Path, wire: str
) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups")
    driver = open_driver(simulator.tcp if wire == "modbus-tcp" else simulator.rtu)
    serial = (await driver.connect()).serial or ""
    for verb, words in ((Verb.SELF_TEST, (1541, [1])), (Verb.BEEP, (1543, [1]))):
        await asyncio.to_thread(simulator.control, f"wire {wire} swallow_writes 1")
        before = await asyncio.to_thread(simulator.writes)
        report = await driver.execute(Command(verb=verb, serial=serial))
        after = await asyncio.to_thread(simulator.writes)
        assert after[len(before) :] == [words]
        assert report.outcome in (Outcome.DONE, Outcome.UNKNOWN)
    await driver.close()


async def test_a_refused_write_on_a_read_only_port_is_unsupported(start: Start, tmp_path: Path) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups", "--read-only")
    driver = open_driver(simulator.tcp)
    serial = (await driver.connect()).serial or ""
    report = await driver.execute(Command(verb=Verb.BEEP, serial=serial))
    await driver.close()
    assert report.outcome is Outcome.UNSUPPORTED
    assert "reading only" in report.detail


async def test_a_taken_session_is_refused_with_what_to_do(start: Start, tmp_path: Path) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups", "--model", "SMTL1500RM3UC")
    first, second = open_driver(simulator.tcp), open_driver(simulator.tcp)
    await first.connect()
    with pytest.raises((Refused, PortLost)):
        await second.connect()
    assert (await first.full()).state is State.ONLINE
    await first.close()


async def test_s3_a_unit_that_was_exchanged_is_not_read_under_the_old_name(start: Start, tmp_path: Path) -> None:
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups", "--serial", "AS-OLD")
    driver = open_driver(simulator.rtu)
    assert (await driver.connect()).serial == "AS-OLD"
    await driver.close()
    await asyncio.to_thread(simulator.process.terminate)
    other = await asyncio.to_thread(Simulator, start, tmp_path / "ups2", "--serial", "AS-NEW")
    moved = open_driver(other.rtu, pinned=driver.pinned)
    with pytest.raises(IdentityChanged) as caught:
        await moved.full()
    await moved.close()
    assert (caught.value.expected, caught.value.found) == ("AS-OLD", "AS-NEW")


async def test_a_full_poll_on_a_9600_baud_pty_wastes_no_time(start: Start, tmp_path: Path) -> None:
    """Without the unit's own thinking time: at least 0.85 of what bytes and required silences need."""
    simulator = await asyncio.to_thread(Simulator, start, tmp_path / "ups", "--answer-ms", "0")
    driver = open_driver(simulator.rtu)
    await driver.full()
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(8):
        started = loop.time()
        await driver.full()
        times.append(loop.time() - started)
    await driver.close()
    needed = (8 + 59 + 8 + 93) * 10 / 9600 + 2 * 0.035
    assert min(times) >= 0.99 * needed, "faster than a real line"
    assert min(times) <= needed / 0.85, "the best of eight: other tests may hold the processor"
