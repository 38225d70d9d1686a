"""`ridethrough poll`, run as a person runs it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from drivers.modbus.options import PARAMETERS
from drivers.show import table
from drivers.ups import Identity, OutletGroup, Snapshot, State
from tests.drivers.memory import EPOCH, SERIAL, MemoryUnit, chars
from tests.drivers.test_ports import served, tcp_answer
from tests.process import PROGRAM

HOSTILE = "\r\n\x1b[31m[link=x]<s>"


async def poll(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "poll", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_poll_shows_a_table_of_the_six_groups() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        status, out, err = await poll(f"modbus+tcp://{address}", "--settings")
    assert (status, err) == (0, "")
    for text in ("SMTL1500RM3UC", SERIAL, "online", "input voltage", "116.4 V", "376 s", "79.0 %", "Outlet Group 1"):
        assert text in out
    assert "transfer high, V" in out


async def test_poll_prints_one_json_object() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        status, out, _ = await poll(f"modbus+tcp://{address}", "--json")
        assert status == 0
        found = json.loads(out)
        assert set(found) == {"identity", "snapshot"}
        assert (found["identity"]["serial"], found["snapshot"]["charge_pct"]) == (SERIAL, 100.0)
        _, out, _ = await poll(f"modbus+tcp://{address}", "--json", "--settings")
        assert json.loads(out)["settings"]["transfer_low_v"] == 106


async def test_watch_prints_one_json_line_a_reading() -> None:
    async with served(tcp_answer(MemoryUnit())) as (address, _):
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "poll", f"modbus+tcp://{address}?fast_s=0.2&full_s=1", "--watch", "--json",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(60):
            lines = [json.loads(await process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            await process.communicate()
    assert [line["identity"]["serial"] for line in lines] == [SERIAL] * 3
    assert lines[0]["snapshot"]["at"] < lines[2]["snapshot"]["at"]


async def test_s5_poll_writes_nothing() -> None:
    unit = MemoryUnit()
    async with served(tcp_answer(unit)) as (address, _):
        await poll(f"modbus+tcp://{address}", "--settings")
    assert unit.requests
    assert unit.writes == []


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        ("modbus+tcp://10.0.0.5?unti=1", 2, "did you mean 'unit'"),
        ("upslink", 2, "not a URL"),
        ("modbus+rtu:///dev/no-such-line", 1, "no such device"),
    ],
)
async def test_an_error_is_one_clear_line(url: str, status: int, text: str) -> None:
    found, out, err = await poll(url)
    assert (found, out) == (status, "")
    assert text in err
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if "Error" in line]) == 1


async def test_s5_help_warns_of_plain_cables_and_lists_every_parameter() -> None:
    status, out, _ = await poll("--help")
    assert status == 0
    words = " ".join(out.split())
    assert "a smart cable only (940-0625A for Modbus, 940-0024C for UPS-Link)" in words
    assert "DTR and RTS can switch the load off" in words
    assert all(f"{parameter.name}=" in out for parameter in PARAMETERS)


async def test_s6_a_hostile_name_reaches_the_terminal_as_plain_text() -> None:
    unit = MemoryUnit()
    unit.image.update(enumerate(chars(HOSTILE[:16], 8), 596))
    unit.image.update(enumerate(chars("[bold]\x1b[2J", 8), 612))
    async with served(tcp_answer(unit)) as (address, _):
        _, out, _ = await poll(f"modbus+tcp://{address}")
    assert "\x1b" not in out
    assert "[31m[link=x]" in out
    assert "[bold][2J" in out


def test_s6_a_table_shows_markup_as_it_is() -> None:
    snapshot = Snapshot(at=EPOCH, state=State.ONLINE, switched_outlets=(OutletGroup(index=1, on=True),))
    identity = Identity(name="[red]x[/red]\x1b]8;;", outlet_groups=((1, "[link=y]"),))
    console = Console(width=100, force_terminal=True)
    with console.capture() as capture:
        console.print(table(identity, snapshot))
    assert "[red]x[/red]]8;;" in capture.get()
    assert "[link=y]" in capture.get()


def test_the_driver_itself_imports_neither_click_nor_rich_nor_yaml() -> None:
    """The gateway's memory (libraries.md, "Memory")."""
    program = (
        "import sys, drivers.open, drivers.modbus.runtime.driver, drivers.runtime.serial\n"
        "print(*{m.split('.')[0] for m in sys.modules} & {'click', 'rich', 'yaml', 'sqlite_utils', 'sqlite3'})"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == ""
