"""A scan on real sockets and pseudo-terminals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.scan.plan import Place, Protocol, Result, Try
from drivers.scan.runtime.devices import serial_devices
from drivers.scan.runtime.scan import AT_A_TIME, REST_S, scan
from tests.conftest import Start
from tests.drivers.memory import SERIAL, START, MemoryClock, MemoryUnit
from tests.drivers.test_against_simulator import Simulator
from tests.drivers.test_ports import served, tcp_answer
from tests.process import PROGRAM


async def run(*arguments: str | Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "scan", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def looked(places: Sequence[Place], clock: MemoryClock) -> list[tuple[str, Result]]:
    results: list[tuple[str, Result]] = []
    done: list[Place] = []
    await scan(places, clock, lambda place, result: results.append((place.name, result)), done.append)
    assert {place.name for place in done} == {place.name for place in places}
    return results


def modbus(address: str, *units: int) -> tuple[Try, ...]:
    return tuple(Try(Protocol.MODBUS_TCP, address, f"modbus+tcp://{address}?unit={unit}") for unit in units)


async def test_s5_a_host_is_found_by_one_connection_that_only_reads() -> None:
    unit = MemoryUnit()
    async with served(tcp_answer(unit)) as (address, connections):
        status, out, err = await run(address, "--json")
        assert len(connections) == 1
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "target": address,
        "protocol": "modbus+tcp",
        "url": f"modbus+tcp://{address}?unit=1",
        "model": "Smart-UPS 1500",
        "sku": "SMTL1500RM3UC",
        "serial": SERIAL,
        "firmware": "UPS 15.5",
        "name": "APC UPS",
    }
    assert unit.writes == []


async def test_what_is_found_is_shown_with_a_url_that_a_shell_takes() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        status, out, _ = await run(address)
    assert status == 0
    assert f"'modbus+tcp://{address}?unit=1'" in out
    assert f"model Smart-UPS 1500, SKU SMTL1500RM3UC, serial number {SERIAL}, firmware UPS 15.5" in out


async def test_nothing_found_is_status_1_and_says_what_was_there(tmp_path: Path) -> None:
    unit = MemoryUnit()
    unit.image.update({2050: 1, 2051: 2})
    async with served(tcp_answer(unit)) as (address, _):
        status, out, err = await run(address, tmp_path / "none")
    assert (status, out) == (1, "")
    assert "constants at 2050 are not those of a Smart-UPS" in err
    assert "no such device" in err
    assert "no UPS found at 2 place(s)" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["10.0.0.0/8"], "at most 1024"), (["ttyUSB0"], "/dev/ttyUSB0"), (["--units", "0", "h"], "unit ids are 1 to 247")],
)
async def test_bad_usage_is_status_2_before_anything_is_opened(arguments: list[str], says: str) -> None:
    status, out, err = await run(*arguments)
    assert (status, out) == (2, "")
    assert says in " ".join(err.split())


async def test_s4_a_port_rests_between_two_unit_ids_and_both_are_asked() -> None:
    unit, clock = MemoryUnit(), MemoryClock()
    async with served(tcp_answer(unit)) as (address, connections):
        results = await looked([Place(address, modbus(address, 1, 2))], clock)
        assert len(connections) == 2
    assert [[found.url for found in result.found] for _, result in results] == [
        [f"modbus+tcp://{address}?unit=1"],
        [f"modbus+tcp://{address}?unit=2"],
    ]
    assert clock.now == START + REST_S[Protocol.MODBUS_TCP]


async def test_a_door_that_does_not_open_is_tried_once_and_another_still_is() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        host = address.rpartition(":")[0]
        dead = f"{host}:1"
        results = await looked([Place("h", (*modbus(dead, 1, 2, 3), *modbus(address, 1)))], MemoryClock())
    assert [(result.opened, len(result.found)) for _, result in results] == [(False, 0), (True, 1)]


async def test_many_places_are_looked_at_together_and_each_is_told() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, connections):
        places = [Place(str(number), modbus(address, 1), named=False) for number in range(AT_A_TIME + 8)]
        results = await looked(places, MemoryClock())
        assert len(connections) == AT_A_TIME + 8
    assert sorted(name for name, result in results if result.found) == sorted(place.name for place in places)


@pytest.mark.slow
def test_s5_a_modbus_unit_on_a_serial_line_is_found_after_upslink_was_silent(start: Start, tmp_path: Path) -> None:
    simulator = Simulator(start, tmp_path / "ups")
    scanned = start("scan", str(tmp_path / "ups"), "--json")
    assert scanned.ended(within_s=60) == 0
    assert scanned.stderr == ""
    found = json.loads(scanned.stdout)
    assert (found["url"], found["serial"]) == (f"{simulator.rtu}?baud=9600&unit=1", "AS0000000001")
    assert simulator.writes() == []


def test_an_upslink_unit_is_found_and_no_modbus_is_sent_to_it(start: Start, tmp_path: Path) -> None:
    unit = start(
        *("sim", "run", "--upslink", str(tmp_path / "ups"), "--control", "127.0.0.1:0"), ready=["upslink", "control"]
    )
    scanned = start("scan", str(tmp_path / "ups"), "--json")
    assert scanned.ended(within_s=60) == 0
    found = json.loads(scanned.stdout)
    assert (found["protocol"], found["serial"]) == ("upslink", "AS0000000001")
    assert found["url"] == f"upslink://{tmp_path / 'ups'}"
    assert unit.stderr == ""


async def test_a_finding_is_told_at_once_and_ctrl_c_ends_the_scan() -> None:
    far, near = os.openpty()
    try:
        async with served(tcp_answer(MemoryUnit())) as (address, _):
            process = await asyncio.create_subprocess_exec(
                PROGRAM, "scan", "--json", address, os.ttyname(near),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert process.stdout is not None
            async with asyncio.timeout(60):
                found = json.loads(await process.stdout.readline())
                process.send_signal(signal.SIGINT)
                out, err = await process.communicate()
    finally:
        os.close(far)
        os.close(near)
    assert found["serial"] == SERIAL
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


async def test_without_a_target_serial_devices_are_listed_and_none_is_opened() -> None:
    status, out, err = await run()
    assert status in (0, 1)
    assert (status == 0) is bool(out)
    assert "name the devices, hosts or networks to look at" in err


def test_a_device_is_listed_by_the_name_that_lasts(tmp_path: Path) -> None:
    device, by_id = tmp_path / "ttyUSB7", tmp_path / "by-id"
    device.touch()
    by_id.mkdir()
    (by_id / "usb-Prolific-if00-port0").symlink_to(device)
    found = serial_devices(by_id)
    assert (found[0].path, found[0].device) == (str(by_id / "usb-Prolific-if00-port0"), str(device))
    assert str(device) not in [one.path for one in found]


async def test_s5_help_warns_of_plain_cables() -> None:
    status, out, _ = await run("--help")
    words = " ".join(out.split())
    assert status == 0
    assert "DTR and RTS can switch the load off" in words
    assert "and nowhere else" in words
