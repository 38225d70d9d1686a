"""Steady load, and one process after the other killed in the midst of it: what is stored must be what happened."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec

from drivers.ups import Flag
from simulator.rig.commits import CommitWatch
from simulator.rig.truth import Happened, Stored, match, out_of_order, risings, surplus, transfers
from simulator.rig.world import UnitPlan, World

_PACE = "fast_s=0.25&full_s=1&reconnect_s=1"
# The physics run faster so that a return of the mains is qualified in a quarter of a second.
_OPTIONS = ("--answer-ms", "10", "--speed", "20", "--load", "5")
UNITS = (
    UnitPlan(
        name="rack-1",
        wire="tcp",
        model="SMT1500RM2UC",
        options=("--personality", "nmc", *_OPTIONS),
        parameters=f"unit=1&nmc=true&{_PACE}",
    ),
    UnitPlan(
        name="rack-2",
        wire="tcp",
        model="SMX3000RMLV2U",
        options=("--personality", "nmc", *_OPTIONS),
        parameters=f"unit=1&nmc=true&{_PACE}",
    ),
    UnitPlan(name="lab-1", wire="rtu", model="SRT1000XLA", options=_OPTIONS, parameters=f"unit=1&{_PACE}"),
)
VICTIMS = ("gateway", "broker", "ingest")
FAULTS = {
    Flag.FAN: ("fan_fault", "fan_fault_cleared"),
    Flag.CHARGER: ("charger_fault", "charger_fault_cleared"),
    Flag.SITE_WIRING: ("site_wiring_fault", "site_wiring_fault_cleared"),
}
STEADY_S = 0.5
"""A victim that lived so long is started again at once: the load, not the back-off, is looked at here."""

STORED_WITHIN_S = 60.0
KILL_AFTER_S = (0.2, 2.5)
REST_S = (0.0, 0.8)


class Toggle(msgspec.Struct, frozen=True):
    """Something a unit can be told on and off, and the events that it must lead to."""

    unit: str
    on: str
    off: str
    onset: str
    clear: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`happened`: by the simulators' own record. The three lists that follow are empty if nothing went wrong."""

    kills: int
    happened: list[Happened]
    stored: list[Stored]
    missing: list[Happened]
    surplus: list[Stored]
    out_of_order: list[Stored]


async def run_chaos(directory: Path, kills: int, seed: int) -> Report:
    """Kills `kills` times with SIGKILL, gateway, broker and ingest in turn, at moments drawn from `seed`."""
    world = World(directory, UNITS, roles_apart=True, steady_s=STEADY_S)
    return await world.play(lambda world: _scene(world, kills, random.Random(seed)))


async def _scene(world: World, kills: int, chance: random.Random) -> Report:
    stop = asyncio.Event()
    async with CommitWatch(world.database, look_s=0.02) as watch, asyncio.TaskGroup() as group:
        for toggle in _toggles(world.plans):
            group.create_task(_keep_toggling(world, toggle, watch, stop, random.Random(chance.random())))
        for number in range(kills):
            await asyncio.sleep(chance.uniform(*KILL_AFTER_S))
            await _kill(world, VICTIMS[number % len(VICTIMS)])
        stop.set()
    return _report(kills, await _happened(world), world.stored())


def _toggles(plans: Sequence[UnitPlan]) -> list[Toggle]:
    mains = [Toggle(plan.name, "mains off", "mains on", "on_battery", "mains_restored") for plan in plans]
    faults = [
        Toggle(plan.name, f"fault {flag}", f"fault {flag} off", *types)
        for plan in plans
        for flag, types in FAULTS.items()
    ]
    return [*mains, *faults]


async def _keep_toggling(
    world: World, toggle: Toggle, watch: CommitWatch, stop: asyncio.Event, chance: random.Random
) -> None:
    """On and off, each when the one before is stored: what nobody could have seen is not counted against anybody."""
    times = 0
    while not stop.is_set():
        times += 1
        for words, kind in ((toggle.on, toggle.onset), (toggle.off, toggle.clear)):
            await world.tell(toggle.unit, words)
            await _stored(watch, toggle.unit, kind, times)
            await asyncio.sleep(chance.uniform(*REST_S))


async def _stored(watch: CommitWatch, unit: str, kind: str, times: int) -> None:
    await watch.wait_for(f"{kind} of {unit}", lambda: watch.counts[unit, kind] >= times, STORED_WITHIN_S)


async def _kill(world: World, victim: str) -> None:
    """SIGKILL, once it runs."""
    role = world.roles[victim]
    while (pid := role.pid) is None:
        await role.wait_started_again(role.starts)
    os.kill(pid, signal.SIGKILL)


async def _happened(world: World) -> list[Happened]:
    found: list[Happened] = []
    for plan in world.plans:
        changes = await world.changes(plan.name)
        found += transfers(plan.name, changes)
        found += risings(plan.name, changes, FAULTS)
    return sorted(found, key=lambda each: each.at)


def _report(kills: int, happened: list[Happened], stored: list[Stored]) -> Report:
    types = {each.type for each in happened}
    return Report(
        kills=kills,
        happened=happened,
        stored=stored,
        missing=[pair.happened for pair in match(happened, stored) if pair.stored is None],
        surplus=surplus(happened, stored, types),
        out_of_order=out_of_order(stored),
    )
