"""A backlog that is sent when the cloud is there again: records a second, and live events in the midst of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from rich.progress import Progress, TaskID

from cloud_bridge.store.reader import Reader
from drivers.open import open_driver
from drivers.ups import Snapshot
from gateway.wire.messages import Lane
from simulator.rig.backlog import fill
from simulator.rig.commits import CommitWatch
from simulator.rig.errors import TooSlow
from simulator.rig.figures import Bound, Findings, Result, percentile, spread_table
from simulator.rig.truth import Legs, legs, match
from simulator.rig.world import UnitPlan, World

STATUS, EVENTS = 99_000, 1_000
RATE_LIMIT = 5000.0
LIVE_LIMIT_S = 1.0
ABSENT = "absent"
"""Whose backlog it is: a unit that is no longer there, so that a live event is known by its unit's name."""
UNITS = tuple(
    UnitPlan(
        name=f"unit-{number}",
        wire="tcp",
        model="SMT1500RM2UC",
        options=("--personality", "nmc", "--answer-ms", "20", "--speed", "20", "--load", "5"),
        parameters="unit=1&nmc=true&fast_s=0.25&full_s=5",
    )
    for number in range(1, 5)
)
LOOK_S = 0.02
WITHIN_S = 120.0
STORED_WITHIN_S = 30.0

Ends = Mapping[Lane, tuple[str, int]]


class Drained(msgspec.Struct, frozen=True):
    """Seconds from the first stored record to the last, and the live events that came meanwhile."""

    seconds: float
    live: list[Legs]


async def measure(folder: Path, progress: Progress) -> Findings:
    world = World(folder, UNITS, later=("cloud", "gateway"))
    drained = await world.play(lambda world: _scene(world, progress))
    rate = (STATUS + EVENTS) / drained.seconds
    live_s = [each.total / 1000 for each in drained.live]
    rows = {"from the mains": live_s, "everything but the wait": [each.carried / 1000 for each in drained.live]}
    slowest = Result(
        name="live event meanwhile, the slowest", value=percentile(live_s, 100), unit="s", limit=LIVE_LIMIT_S
    )
    return Findings(
        [
            Result(
                name=f"backlog of {STATUS + EVENTS} records",
                value=rate,
                unit="records/s",
                limit=RATE_LIMIT,
                bound=Bound.AT_LEAST,
            ),
            slowest,
        ],
        [spread_table("live events while a backlog is sent (seconds)", "", rows, 3)],
    )


async def _scene(world: World, progress: Progress) -> Drained:
    bar = progress.add_task("backlog", total=STATUS + EVENTS)
    snapshot = await _snapshot(world.urls[UNITS[0].name])
    ends = await fill(world.gateway_data, ABSENT, snapshot, status=STATUS, events=EVENTS)
    await world.start_cloud()
    async with CommitWatch(world.database, look_s=LOOK_S) as watch:
        await world.start_gateway()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for plan in world.plans:
                group.create_task(_toggle(world, watch, plan.name, over))
            seconds = await _drained(world, ends, progress, bar)
            drained_at = time.time()
            over.set()
        pairs = match(await world.happened(), [each for each in world.stored() if each.unit != ABSENT])
        committed = [watch.committed(pair) for pair in pairs if pair.happened.at.timestamp() < drained_at]
        return Drained(seconds, [found for pair in committed if (found := legs(pair))])


async def _snapshot(url: str) -> Snapshot:
    driver = open_driver(url)
    await driver.connect()
    snapshot = await driver.full()
    await driver.close()
    return snapshot


async def _toggle(world: World, watch: CommitWatch, unit: str, over: asyncio.Event) -> None:
    """Mains off and on, each once the last event is stored, until the backlog is over; with mains in the end."""
    chance, count = random.Random(unit), 0
    while not over.is_set():
        count += 1
        for mains, kind in (("mains off", "on_battery"), ("mains on", "mains_restored")):
            await asyncio.sleep(chance.uniform(0.3, 1.0))
            await world.tell(unit, mains)
            await watch.nth(unit, kind, count, STORED_WITHIN_S)


async def _drained(world: World, ends: Ends, progress: Progress, bar: TaskID) -> float:
    """Seconds from the first record of the backlog that is stored to the last. Raises TooSlow."""
    began, stored = None, 0
    try:
        async with asyncio.timeout(WITHIN_S):
            while (stored := _stored(world, ends)) < STATUS + EVENTS:
                began = began or (time.monotonic() if stored else None)
                progress.update(bar, completed=stored)
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise TooSlow(f"the backlog ({stored} of {STATUS + EVENTS} records did)", WITHIN_S) from None
    return time.monotonic() - (began or time.monotonic())


def _stored(world: World, ends: Ends) -> int:
    """How many records of the backlog the cloud has."""
    with Reader(world.database) as reader:
        through = {stream.stream: stream.through for row in reader.gateways() for stream in row.streams}
    return sum(min(through.get(stream, 0), last) for stream, last in ends.values())
