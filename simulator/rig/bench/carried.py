"""How long an outage takes from the mains to the committed event, and which leg of the way takes how much of it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from rich.progress import Progress

from simulator.rig.bench.part import units_known
from simulator.rig.commits import CommitWatch
from simulator.rig.figures import Findings, Result, legs_table, percentile
from simulator.rig.truth import Legs, legs, match
from simulator.rig.world import UnitPlan, World

OUTAGES = 500
STORED_WITHIN_S = 20.0
LIMIT_MS = 50.0
"""99th percentile of everything but waiting for the poll."""

UNITS = tuple(
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


async def measure(folder: Path, progress: Progress) -> Findings:
    found = await World(folder, UNITS).play(lambda world: _outages(world, progress))
    carried_ms = percentile([legs.carried for legs in found], 99)
    name = f"everything but waiting for the poll, 99th percentile of {len(found)} transfers"
    return Findings([Result(name=name, value=carried_ms, unit="ms", limit=LIMIT_MS)], [legs_table(found)])


async def _outages(world: World, progress: Progress) -> list[Legs]:
    """Fails and restores the mains of every unit at random moments, OUTAGES in all."""
    bar = progress.add_task("outages", total=OUTAGES)
    chance = random.Random(1)
    await units_known(world)
    async with CommitWatch(world.database) as watch:
        for count in range(1, OUTAGES // len(world.plans) + 1):
            for mains, kind in (("mains off", "on_battery"), ("mains on", "mains_restored")):
                await asyncio.sleep(chance.uniform(0.1, 0.4))
                await world.tell_all(mains)
                for plan in world.plans:
                    await watch.nth(plan.name, kind, count, STORED_WITHIN_S)
            progress.advance(bar, len(world.plans))
        pairs = match(await world.happened(), world.stored())
        return [found for pair in pairs if (found := legs(watch.committed(pair)))]
