"""How much of the time that a full poll takes over a serial line its own bytes and silences need."""

from __future__ import annotations

import time
from pathlib import Path

from rich.progress import Progress

from drivers.open import open_driver
from drivers.smartups.registers import DYNAMIC, STATUS
from drivers.upslink import plan
from drivers.upslink.abilities import told
from simulator.rig.figures import Findings, Polls, rtu_exchange, rtu_ideal_ms, upslink_ideal_ms
from simulator.rig.world import UnitPlan, World
from simulator.upslink import profile

RTU = UnitPlan(name="rtu", wire="rtu", model="SRT1000XLA", options=("--answer-ms", "0"))
UPSLINK = UnitPlan(name="upslink", wire="upslink", model="SUA1500I", parameters="")
POLLS = 40
RTU_BAUD, UPSLINK_BAUD = 9600, 2400
RTU_SHARE_LIMIT = 0.85
UPSLINK_SHARE_LIMIT = 0.8
"""Where the unit's own delays count too."""


async def measure(folder: Path, progress: Progress) -> Findings:
    world = World(folder, (RTU, UPSLINK), units_only=True)
    polls = await world.play(lambda world: _polls(world, progress))
    return Findings([each.result() for each in polls])


async def _polls(world: World, progress: Progress) -> list[Polls]:
    exchanges = [rtu_exchange(block.count) for block in (STATUS, DYNAMIC)]
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
