"""From the mains failing to the mail that says so, taken by a mail server: a serial line at `fast_status_hz: 5`,
gateway, broker, ingest, alerts, with no hold; and NUT on simulated units beside it, until upssched runs its CMDSCRIPT.

Mails of nothing but single outages: what would rightly keep some back (the flood rule, `unstable`, one incident of a
site, groups) is set so high that it never comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.progress import Progress, TaskID
from rich.table import Table

from cloud_bridge.alerts.terms import Terms
from simulator.rig.alerting import Household, settle, tells_by_mail
from simulator.rig.bench.part import units_known
from simulator.rig.bench.transfers import FASTER, NUT_READINGS_S, READINGS_S, REST_S, STEADY_S, wait_s
from simulator.rig.figures import Findings, Result, percentile, spread_table
from simulator.rig.letters import Letters, letters
from simulator.rig.peers.nut import Nut, nut
from simulator.rig.truth import Happened, Legs, legs, match
from simulator.rig.world import GATEWAY, UnitPlan, World

UNITS, NUT_UNITS = 8, 6
ROUNDS, NUT_ROUNDS = 13, 10
"""Outages of each unit."""
SETTLED_S = 3.0
WITHIN_S = 30.0
OWNER = "bench"
TERMS = Terms(on_battery_hold_s=0.0, end_hold_s=0.0, flap_changes=10_000, flood_more_than=100_000, site_share=2.0)
MEDIAN_S, P99_S, CARRIED_P99_S = 0.5, 1.0, 0.15

OURS = "Modbus RTU, 9600 baud, fast_status_hz: 5, until the mail server has the mail"
CARRIED = "of that, without waiting for the poll"
NUT_ABOUT = "NUT: apcsmart, upsd, upsmon, upssched at their defaults, until CMDSCRIPT runs"
PLANS = tuple(
    UnitPlan(
        name=f"rtu5-{number}",
        wire="rtu",
        model="SRT1000XLA",
        options=("--load", "5"),
        settings={"fast_status_hz": 5.0},
    )
    for number in range(1, UNITS + 1)
)
NUT_PLANS = tuple(
    UnitPlan(name=f"nut-{number}", wire="upslink", model="SUA1500I", options=("--load", "5"), watched=False)
    for number in range(1, NUT_UNITS + 1)
)


class Way(msgspec.Struct, frozen=True):
    """Of one outage: its legs to the database, and UTC seconds of its mail."""

    happened: Happened
    legs: Legs
    mailed_at: float

    @property
    def total_s(self) -> float:
        return self.mailed_at - self.happened.at.timestamp()

    @property
    def carried_s(self) -> float:
        """Without waiting for the poll."""
        return self.total_s - self.legs.wait / 1000

    @property
    def alerted_s(self) -> float:
        """From the database to the mail."""
        return self.total_s - self.legs.total / 1000


async def measure(folder: Path, progress: Progress) -> Findings:
    world = World(folder, (*PLANS, *NUT_PLANS), later=("cloud", "gateway"), steady_s=STEADY_S)
    async with letters() as box:
        ways, notified_s = await world.play(lambda world: _scene(world, box, progress))
    rows = {OURS: [way.total_s for way in ways], CARRIED: [way.carried_s for way in ways], NUT_ABOUT: notified_s}
    return Findings(
        list(results(rows)),
        [spread_table("from the mains failing to the mail (seconds)", "", rows, 3), legs_of_mails(ways)],
    )


def legs_of_mails(ways: Sequence[Way]) -> Table:
    """Each leg of the way in milliseconds, the last from the database to the mail."""
    names = ("wait", "read", "outbox", "broker", "ingest")
    rows = {name: [float(getattr(way.legs, name)) for way in ways] for name in names}
    return spread_table(
        "legs of the way to the mail (milliseconds)", "leg", rows | {"mail": [way.alerted_s * 1000 for way in ways]}, 1
    )


def results(rows: Mapping[str, Sequence[float]]) -> Iterator[Result]:
    """Median and 99th percentile of each, beside its limits."""
    limits = {OURS: (MEDIAN_S, P99_S), CARRIED: (None, CARRIED_P99_S)}
    for about, values in rows.items():
        median_s, p99_s = limits.get(about, (None, None))
        yield Result(name=f"{about}: median", value=percentile(values, 50), unit="s", limit=median_s)
        yield Result(name=f"{about}: 99th percentile", value=percentile(values, 99), unit="s", limit=p99_s)


async def _scene(world: World, box: Letters, progress: Progress) -> tuple[list[Way], list[float]]:
    tells_by_mail(world.cloud, box.port, TERMS)
    devices = tuple(_label(plan.name) for plan in PLANS)
    await asyncio.to_thread(settle, world.cloud.root, [Household(owner=OWNER, devices={"": devices})])
    await world.start_cloud()
    await world.start_gateway()
    await _outages(world, box, progress)
    return ways(await _failures(world), world, box), await _beside(world, progress)


async def _outages(world: World, box: Letters, progress: Progress) -> None:
    """Each outage gets a gateway that has seen none yet: after one it reads in another rhythm for a minute."""
    bar = progress.add_task("outages, until the mail", total=ROUNDS)
    began_s = 0.0
    for count in range(1, ROUNDS + 1):
        await units_known(world, began_s)
        await asyncio.sleep(SETTLED_S)
        async with asyncio.TaskGroup() as group:
            for number, plan in enumerate(PLANS):
                group.create_task(_outage(world, box, plan.name, count, number * ROUNDS + count))
        began_s = time.time()
        await world.restart("gateway")
        progress.advance(bar)


async def _outage(world: World, box: Letters, unit: str, count: int, number: int) -> None:
    await asyncio.sleep(wait_s(number, READINGS_S, time.monotonic()))
    await world.tell(unit, "mains off")
    await box.nth(_label(unit), "on battery", count, WITHIN_S)
    await _mains_return(world, unit)
    await box.nth(_label(unit), "mains restored", count, WITHIN_S)
    await world.tell(unit, "speed 1")


async def _beside(world: World, progress: Progress) -> list[float]:
    bar = progress.add_task("outages, until NUT's upssched", total=NUT_ROUNDS * NUT_UNITS)
    lines = {plan.name: await world.roles[plan.name].wait_ready("upslink") for plan in NUT_PLANS}
    async with nut(world.directory / "n", lines, upssched=True) as daemons, asyncio.TaskGroup() as group:
        for number, plan in enumerate(NUT_PLANS):
            group.create_task(_keep_failing(world, daemons, plan.name, number, progress, bar))
    told_s = daemons.told_s()
    waiting = {plan.name: iter(told_s[plan.name, "ONBATT"]) for plan in NUT_PLANS}
    failures = [each for each in await _failures(world) if each.unit in waiting]
    return [next(waiting[each.unit]) - each.at.timestamp() for each in failures]


async def _keep_failing(world: World, daemons: Nut, unit: str, number: int, progress: Progress, bar: TaskID) -> None:
    for count in range(1, NUT_ROUNDS + 1):
        await asyncio.sleep(REST_S)
        await asyncio.sleep(wait_s(number * NUT_ROUNDS + count, NUT_READINGS_S, time.monotonic()))
        await world.tell(unit, "mains off")
        await daemons.nth(unit, "ONBATT", count, WITHIN_S)
        await _mains_return(world, unit)
        await daemons.nth(unit, "ONLINE", count, WITHIN_S)
        await world.tell(unit, "speed 1")
        progress.advance(bar)


async def _mains_return(world: World, unit: str) -> None:
    await world.tell(unit, f"speed {FASTER}")
    await world.tell(unit, "mains on")


def ways(failures: Sequence[Happened], world: World, box: Letters) -> list[Way]:
    """Of each outage of a unit that a gateway watches, the mail that came for it."""
    mails = {plan.name: iter(box.about(_label(plan.name), "on battery")) for plan in PLANS}
    found = []
    for pair in match(failures, world.stored()):
        if pair.happened.unit in mails and (way := legs(pair)):
            found.append(Way(pair.happened, way, next(mails[pair.happened.unit]).at))
    return found


async def _failures(world: World) -> list[Happened]:
    return [each for each in await world.happened() if each.type == "on_battery"]


def _label(unit: str) -> str:
    return f"{GATEWAY}/{unit}"
