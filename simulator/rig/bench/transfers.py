"""From the mains failing to the event in the cloud, on each kind of line at the pace that it is read with; and NUT.

Mains fail in the unit's own time. Afterwards its time runs faster, so that the return of the mains is soon qualified.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.progress import Progress, TaskID

from simulator.rig.bench.part import units_known
from simulator.rig.commits import CommitWatch
from simulator.rig.figures import Findings, Result, medians_table, percentile, spread_table
from simulator.rig.peers.nut import Nut, nut
from simulator.rig.truth import Happened, Legs, legs, match
from simulator.rig.world import UnitPlan, World

EACH = 8
"""Units of a kind."""
SAMPLES = 104
"""Outages of a kind."""
NUT = "nut"
NUT_ABOUT = "NUT: apcsmart, upsd, upsmon at their defaults, until NOTIFYCMD runs"
NUT_UNITS = 6
WITHIN_S = 30.0
SETTLED_S = 3.0
"""From a gateway's first reading of every unit until it reads each at its pace."""
STEADY_S = 1.0
FASTER = 20
REST_S = 1.0
READINGS_S, NUT_READINGS_S = 2.0, 10.0
"""Every interval between two readings is a whole part of it; NUT's are 2 s (driver) and 5 s (upsmon)."""
GOLDEN = 0.6180339887498949
"""Moments this share of a period apart lie evenly in it, however many there are (Weyl): chance alone would need many
more outages for a median as good."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of line. Limits are seconds; None: it is told only. `hurries`: read faster for a minute after a transfer,
    so that each outage needs a gateway that has seen none yet.
    """

    about: str
    wire: str
    model: str
    parameters: str = "unit=1"
    settings: Mapping[str, float] = {}
    hurries: bool = True
    median_s: float | None = None
    p99_s: float | None = None

    def plans(self, name: str) -> tuple[UnitPlan, ...]:
        return tuple(
            UnitPlan(
                name=f"{name}-{number}",
                wire=self.wire,
                model=self.model,
                options=("--load", "5"),
                parameters=self.parameters,
                settings=self.settings,
            )
            for number in range(1, EACH + 1)
        )


KINDS = {
    "rtu5": Kind(
        about="Modbus RTU, 9600 baud, fast_status_hz: 5",
        wire="rtu",
        model="SRT1000XLA",
        settings={"fast_status_hz": 5.0},
        median_s=0.25,
        p99_s=0.5,
    ),
    "rtu": Kind(about="Modbus RTU, 9600 baud, defaults", wire="rtu", model="SRT1000XLA", median_s=0.7, p99_s=1.3),
    "ul": Kind(about="UPS-Link, 2400 baud, defaults", wire="upslink", model="SUA1500I", parameters=""),
    "smart": Kind(
        about="SmartConnect port, defaults",
        wire="tcp",
        model="SMTL1500RM3UC",
        hurries=False,
        median_s=1.3,
        p99_s=2.6,
    ),
}
NUT_PLANS = tuple(
    UnitPlan(name=f"{NUT}-{n}", wire="upslink", model="SUA1500I", options=("--load", "5"), watched=False)
    for n in range(1, NUT_UNITS + 1)
)


async def measure(folder: Path, progress: Progress) -> Findings:
    hurrying = [plan for name, kind in KINDS.items() if kind.hurries for plan in kind.plans(name)]
    others = [plan for name, kind in KINDS.items() if not kind.hurries for plan in kind.plans(name)]
    first, second = World(folder / "a", hurrying, steady_s=STEADY_S), World(folder / "b", (*others, *NUT_PLANS))
    found = await first.play(lambda world: _restarted_between(world, progress))
    more, notified_s = await second.play(lambda world: _beside_nut(world, progress))
    measured = {KINDS[name].about: legs for name, legs in (found | more).items()}
    rows = {about: [each.total / 1000 for each in legs] for about, legs in measured.items()} | {NUT_ABOUT: notified_s}
    title = "from the mains failing to the event in the cloud's database (seconds)"
    return Findings(list(results(rows)), [spread_table(title, "line", rows, 2), medians_table(measured)])


def results(rows: Mapping[str, Sequence[float]]) -> Iterator[Result]:
    """Median and 99th percentile of each line, beside its limits."""
    limits = {kind.about: (kind.median_s, kind.p99_s) for kind in KINDS.values()}
    for about, values in rows.items():
        median_s, p99_s = limits.get(about, (None, None))
        yield Result(name=f"{about}: median", value=percentile(values, 50), unit="s", limit=median_s)
        yield Result(name=f"{about}: 99th percentile", value=percentile(values, 99), unit="s", limit=p99_s)


def wait_s(number: int, period_s: float, now_s: float) -> float:
    """From the monotonic `now_s` to the moment in a period at which the outage of that number begins."""
    return (number * GOLDEN % 1.0 * period_s - now_s) % period_s


async def _restarted_between(world: World, progress: Progress) -> dict[str, list[Legs]]:
    rounds = -(-SAMPLES // EACH)
    bar = progress.add_task("outages on serial lines", total=rounds)
    async with CommitWatch(world.database) as watch:
        began_s = 0.0
        for count in range(1, rounds + 1):
            await units_known(world, began_s)
            await asyncio.sleep(SETTLED_S)
            async with asyncio.TaskGroup() as group:
                for number, plan in enumerate(world.plans):
                    group.create_task(_outage(world, watch, plan.name, count, number % EACH * rounds + count))
            began_s = time.time()
            await world.restart("gateway")
            progress.advance(bar)
        return await _committed(world, watch)


async def _beside_nut(world: World, progress: Progress) -> tuple[dict[str, list[Legs]], list[float]]:
    bar = progress.add_task("outages on SmartConnect ports, and beside NUT", total=2 * SAMPLES)
    lines = {plan.name: await world.roles[plan.name].wait_ready("upslink") for plan in NUT_PLANS}
    async with nut(world.directory / "n", lines) as daemons, CommitWatch(world.database) as watch:
        await units_known(world)
        async with asyncio.TaskGroup() as group:
            for number, plan in enumerate(plan for plan in world.plans if plan.watched):
                group.create_task(_keep_failing(world, watch, plan.name, number, progress, bar))
            for number, plan in enumerate(NUT_PLANS):
                group.create_task(_keep_failing_nut(world, daemons, plan.name, number, progress, bar))
        return await _committed(world, watch), await _notified(world, daemons)


async def _keep_failing(
    world: World, watch: CommitWatch, unit: str, number: int, progress: Progress, bar: TaskID
) -> None:
    rounds = -(-SAMPLES // EACH)
    for count in range(1, rounds + 1):
        await asyncio.sleep(REST_S)
        await _outage(world, watch, unit, count, number * rounds + count)
        progress.advance(bar)


async def _outage(world: World, watch: CommitWatch, unit: str, count: int, number: int) -> None:
    await asyncio.sleep(wait_s(number, READINGS_S, time.monotonic()))
    await world.tell(unit, "mains off")
    await watch.nth(unit, "on_battery", count, WITHIN_S)
    await _mains_return(world, unit)
    await watch.nth(unit, "mains_restored", count, WITHIN_S)
    await world.tell(unit, "speed 1")


async def _keep_failing_nut(
    world: World, daemons: Nut, unit: str, number: int, progress: Progress, bar: TaskID
) -> None:
    rounds = -(-SAMPLES // NUT_UNITS)
    for count in range(1, rounds + 1):
        await asyncio.sleep(REST_S)
        await asyncio.sleep(wait_s(number * rounds + count, NUT_READINGS_S, time.monotonic()))
        await world.tell(unit, "mains off")
        await daemons.nth(unit, "ONBATT", count, WITHIN_S)
        await _mains_return(world, unit)
        await daemons.nth(unit, "ONLINE", count, WITHIN_S)
        await world.tell(unit, "speed 1")
        progress.advance(bar)


async def _mains_return(world: World, unit: str) -> None:
    await world.tell(unit, f"speed {FASTER}")
    await world.tell(unit, "mains on")


async def _committed(world: World, watch: CommitWatch) -> dict[str, list[Legs]]:
    """The way of each failing of the mains to the commit of its event, by kind."""
    found: dict[str, list[Legs]] = {name: [] for name in KINDS}
    for pair in match(await _failures(world), world.stored()):
        kind = pair.happened.unit.partition("-")[0]
        if kind in found and (way := legs(watch.committed(pair))):
            found[kind].append(way)
    return {kind: ways for kind, ways in found.items() if ways}


async def _notified(world: World, daemons: Nut) -> list[float]:
    """Seconds from each failing of the mains to NUT's notification."""
    told_s = daemons.told_s()
    waiting = {plan.name: iter(told_s[plan.name, "ONBATT"]) for plan in NUT_PLANS}
    failures = [each for each in await _failures(world) if each.unit in waiting]
    return [next(waiting[each.unit]) - each.at.timestamp() for each in failures]


async def _failures(world: World) -> list[Happened]:
    return [each for each in await world.happened() if each.type == "on_battery"]
