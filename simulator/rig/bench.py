"""`make bench`: how fast an outage is stored, how well a serial line is used, how small the gateway is."""

from __future__ import annotations

import asyncio
import os
import platform
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID

from drivers.open import open_driver
from drivers.smartups.registers import DYNAMIC, STATUS, Block
from drivers.upslink import plan
from drivers.upslink.abilities import told
from simulator.rig.commits import CommitWatch
from simulator.rig.figures import (
    RTU_SHARE_LIMIT,
    UPSLINK_SHARE_LIMIT,
    Polls,
    outage_table,
    result_table,
    results,
    rtu_ideal_ms,
    upslink_ideal_ms,
)
from simulator.rig.truth import Legs, Match, legs, match
from simulator.rig.world import UnitPlan, World
from simulator.upslink import profile

OUTAGES = 500
CROWD = tuple(
    UnitPlan(
        name=f"unit-{number}",
        wire="tcp",
        model="SMT1500RM2UC",
        # A return of the mains is qualified for some seconds of the unit's time; the unit answers at once, since its
        # own answer time is not ours.
        options=("--personality", "nmc", "--answer-ms", "0", "--speed", "20", "--load", "5"),
        parameters="unit=1&nmc=true&fast_s=0.25&full_s=5",
    )
    for number in range(1, 6)
)
TRIO = tuple(
    UnitPlan(
        name=f"unit-{number}",
        wire="tcp",
        model="SMT1500RM2UC",
        options=("--personality", "nmc", "--answer-ms", "20"),
        parameters="unit=1&nmc=true&fast_s=1&full_s=5",
    )
    for number in range(1, 4)
)
RTU = UnitPlan(name="rtu", wire="rtu", model="SRT1000XLA", options=("--answer-ms", "0"))
UPSLINK = UnitPlan(name="upslink", wire="upslink", model="SUA1500I", parameters="")
STORED_WITHIN_S = 20.0
POLLS = 40
QUIET_S, MEASURED_S = 10.0, 60.0
RTU_BAUD, UPSLINK_BAUD = 9600, 2400
REQUEST_BYTES = 8
REPLY_OVERHEAD_BYTES = 5
"""Unit id, function code, byte count, CRC."""


async def outages(world: World, progress: Progress) -> list[Legs]:
    """Fails and restores the mains of every unit at random moments, OUTAGES in all."""
    bar = progress.add_task("outages", total=OUTAGES)
    chance = random.Random(1)
    async with CommitWatch(world.database) as watch:
        for _ in range(OUTAGES // len(world.plans)):
            for mains in ("mains off", "mains on"):
                await asyncio.sleep(chance.uniform(0.1, 0.4))
                wanted = watch.total + len(world.plans)
                await world.tell_all(mains)
                await watch.wait_total(f"the event of each unit after {mains!r}", wanted, STORED_WITHIN_S)
            progress.advance(bar, len(world.plans))
        pairs = match(await world.happened(), world.stored())
        return [found for pair in pairs if (found := legs(_committed(pair, watch)))]


def _committed(pair: Match, watch: CommitWatch) -> Match:
    """The pair with the commit as its last moment."""
    event = pair.stored
    if event is None or (at_us := watch.committed_at_us(event.stream, event.seq)) is None:
        return Match(pair.happened, None)
    committed = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)
    return Match(pair.happened, msgspec.structs.replace(event, stored_at=committed))


async def serial_polls(world: World, progress: Progress) -> list[Polls]:
    """Full polls over a serial line of each protocol."""
    exchanges = [_exchange(STATUS), _exchange(DYNAMIC)]
    rtu_ms = await _full_polls(world, RTU, progress)
    upslink_ms = await _full_polls(world, UPSLINK, progress)
    return [
        Polls("Modbus RTU at 9600 baud", rtu_ms, rtu_ideal_ms(exchanges, RTU_BAUD), RTU_SHARE_LIMIT),
        Polls("UPS-Link at 2400 baud", upslink_ms, await _upslink_ideal_ms(world), UPSLINK_SHARE_LIMIT),
    ]


async def _upslink_ideal_ms(world: World) -> float:
    """By what the simulated unit lists, and by the delays it keeps."""
    wire = (await world.tell(UPSLINK.name, "wire"))[0]["wires"]["upslink"]
    asked = plan.full(told(profile.NEW.command_list or ""), minmax=False)
    replies = [len(query.examples[0]) for query in asked]
    return upslink_ideal_ms(replies, UPSLINK_BAUD, wire["answer_ms"], wire["character_ms"])


async def _full_polls(world: World, unit: UnitPlan, progress: Progress) -> list[float]:
    """Milliseconds of each, one straight after the other."""
    bar = progress.add_task(f"full polls, {unit.wire}", total=POLLS)
    driver = open_driver(world.urls[unit.name])
    await driver.connect()
    taken = []
    for _ in range(POLLS):
        began = time.monotonic()
        await driver.full()
        taken.append((time.monotonic() - began) * 1000)
        progress.advance(bar)
    await driver.close()
    return taken


async def footprint(world: World, progress: Progress) -> tuple[float, float]:
    """The gateway's resident megabytes and its share of a core in per cent."""
    bar = progress.add_task("gateway at rest", total=QUIET_S + MEASURED_S)
    await _pass(QUIET_S, progress, bar)
    pid = world.roles["gateway"].pid
    before = _processor_s(pid)
    await _pass(MEASURED_S, progress, bar)
    return _resident_mb(pid), (_processor_s(pid) - before) / MEASURED_S * 100


async def _pass(seconds: float, progress: Progress, bar: TaskID) -> None:
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        progress.advance(bar)


def _processor_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int | None) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(resident.split()[1]) / 1024


def _exchange(block: Block) -> tuple[int, int]:
    return REQUEST_BYTES, REPLY_OVERHEAD_BYTES + 2 * block.count


async def main() -> int:
    """Measures and prints; the exit status says whether every limit holds."""
    console = Console()
    with Progress(console=console, transient=True) as progress, tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        measured = await World(folder / "crowd", CROWD).play(lambda world: outages(world, progress))
        lines = World(folder / "serial", (RTU, UPSLINK), units_only=True)
        polls = await lines.play(lambda world: serial_polls(world, progress))
        memory_mb, processor_pct = await World(folder / "trio", TRIO).play(lambda world: footprint(world, progress))
    found = results(measured, polls, memory_mb, processor_pct)
    console.print(f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}, Python {platform.python_version()}")
    console.print(outage_table(measured))
    console.print(result_table(found))
    return 0 if all(each.holds for each in found) else 1


def _machine() -> str:
    names = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    }
    return f"{os.cpu_count()} cores of {', '.join(sorted(names)) or platform.machine()}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
