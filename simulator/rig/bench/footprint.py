"""Memory and processor time: ours with one unit and with more, and two programs that read the same unit beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from rich.progress import Progress

from gateway.wire.health import Health
from simulator.rig.bench.part import next_health, passing, units_known
from simulator.rig.figures import Findings, Result
from simulator.rig.peers.rivals import MODPOLL, THINGSBOARD, Rivals, rivals
from simulator.rig.usage import Usage, usage
from simulator.rig.world import UnitPlan, World

MEMORY_LIMITS_MB = {1: 40.0, 3: 45.0, 8: 55.0}
"""Of the gateway, by its number of units."""
PROCESSOR_LIMIT_PCT = 1.0
"""Of a core, with three units at one poll a second."""
RATIO_LIMIT = 1.0
"""Processor time a poll, ours to modpoll's."""
WARM_S = 15.0
ORDER = "beep"
OURS = "ours"


class Window(msgspec.Struct, frozen=True):
    """From one report of the gateway on itself to the next, a minute later. `polls`: made in it, by whom. `ordered_mb`:
    the gateway's resident memory after it has carried out an order.
    """

    used: Mapping[str, tuple[Usage, Usage]]
    polls: Mapping[str, int]
    seconds: float
    ordered_mb: float

    def resident_mb(self, name: str) -> float:
        return self.used[name][1].resident_mb

    def processor_ms(self, name: str) -> float:
        before, after = self.used[name]
        return (after.processor_ns - before.processor_ns) / 1e6


def units(count: int) -> tuple[UnitPlan, ...]:
    """So many units of which each second both blocks are read."""
    return tuple(
        UnitPlan(
            name=f"unit-{number}",
            wire="tcp",
            model="SMT1500RM2UC",
            options=("--personality", "nmc", "--answer-ms", "20"),
            parameters="unit=1&nmc=true&fast_s=1&full_s=1",
        )
        for number in range(1, count + 1)
    )


async def measure(folder: Path, progress: Progress) -> Findings:
    windows = {count: await _world(folder, count, progress) for count in MEMORY_LIMITS_MB}
    three = windows[3]
    share_pct = three.processor_ms(OURS) / three.seconds / 10
    name = "ours: share of a core, three units at one poll a second"
    return Findings(
        [
            *(result for count, window in windows.items() for result in memory(count, window)),
            Result(name=name, value=share_pct, unit="%", limit=PROCESSOR_LIMIT_PCT),
            *compared(windows[1]),
        ]
    )


def compared(window: Window) -> Iterator[Result]:
    """Ours and the others with one unit."""
    a_poll = {name: window.processor_ms(name) / window.polls[name] for name in window.used}
    for name, milliseconds in a_poll.items():
        if name != OURS:
            yield Result(name=f"{name}: resident memory, 1 unit", value=window.resident_mb(name), unit="MB")
        yield Result(name=f"{name}: processor time a poll", value=milliseconds, unit="ms")
    share = a_poll[OURS] / a_poll[MODPOLL]
    yield Result(name="ours: processor time a poll, as a share of modpoll's", value=share, limit=RATIO_LIMIT)


def memory(count: int, window: Window) -> Iterator[Result]:
    """What the first order takes stays."""
    name, limit = f"ours: resident memory, {count} unit{'s' if count > 1 else ''}", MEMORY_LIMITS_MB[count]
    yield Result(name=name, value=window.resident_mb(OURS), unit="MB", limit=limit)
    yield Result(name=f"{name}, after an order", value=window.ordered_mb, unit="MB", limit=limit)


async def _world(folder: Path, count: int, progress: Progress) -> Window:
    return await World(folder / f"units-{count}", units(count)).play(lambda world: _scene(world, progress))


async def _scene(world: World, progress: Progress) -> Window:
    """A lone unit is read by the rivals too."""
    await units_known(world)
    if len(world.plans) > 1:
        return await _window(world, None, progress)
    address = world.urls[world.plans[0].name].partition("://")[2].partition("?")[0]
    async with rivals(world.directory / "rivals", address) as others:
        return await _window(world, others, progress)


async def _window(world: World, others: Rivals | None, progress: Progress) -> Window:
    count = len(world.plans)
    await passing(WARM_S, f"units: {count}, warming up", progress)
    bar = progress.add_task(f"units: {count}, from one report of the gateway to the next", total=2)
    pids = {OURS: world.roles["gateway"].pid, **(others.pids if others else {})}
    looks = []
    for _ in range(2):
        health = await next_health(world)
        looks.append(
            (health, {name: usage(pid) for name, pid in pids.items()}, others.modpoll_polls() if others else 0)
        )
        progress.advance(bar)
    (first, before, begun), (second, after, ended) = looks
    seconds = second.running_s - first.running_s
    # thingsboard-gateway tells nobody of its polls: it is asked for one a second.
    polls = {OURS: _polls(second) - _polls(first), MODPOLL: ended - begun, THINGSBOARD: round(seconds)}
    await world.order(world.plans[0].name, ORDER)
    ordered_mb = usage(pids[OURS]).resident_mb
    return Window({name: (before[name], after[name]) for name in pids}, polls, seconds, ordered_mb)


def _polls(health: Health) -> int:
    return sum(unit.polls for unit in health.units.values())
