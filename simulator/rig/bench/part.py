"""What every part of the benchmark is and shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from rich.progress import Progress

from cloud_bridge.store.reader import Reader
from gateway.wire.health import Health
from gateway.wire.messages import Stamp
from simulator.rig.figures import Findings
from simulator.rig.patience import until
from simulator.rig.world import World

Measure = Callable[[Path, Progress], Awaitable[Findings]]
"""Works in a new folder of its own, and shows how far it is. Raises RigError."""

KNOWN_S = 60.0
REPORT_S = 90.0
"""Patience for the gateway's next report, which comes each minute."""


_NOTHING = Health(conn="", stamp=Stamp(at=0, boot="", mono=0, clock=""), version="", running_s=0.0)


class Part(msgspec.Struct, frozen=True):
    """`about`: what is measured, in a line."""

    about: str
    measure: Measure


async def passing(seconds: float, what: str, progress: Progress) -> None:
    """Time that passes in sight of the person who waits."""
    bar = progress.add_task(what, total=int(seconds))
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        progress.advance(bar)


async def next_health(world: World) -> Health:
    """What the gateway says of itself at its next report. Raises TooSlow."""
    last_at, _ = _health(world)
    await until(lambda: _health(world)[0] != last_at, "the gateway's report on itself", REPORT_S)
    return _health(world)[1]


async def units_known(world: World, since_s: float = 0.0) -> None:
    """Until a reading of each unit since those UTC seconds is stored, so that what happens next is seen to happen.

    Raises TooSlow.
    """
    watched = sum(plan.watched for plan in world.plans)
    await until(lambda: _known(world, since_s) == watched, "a reading of each unit", KNOWN_S)


def _known(world: World, since_s: float) -> int:
    with Reader(world.database) as reader:
        return sum("state" in row.status and (row.at or 0) >= since_s * 1000 for row in reader.units())


def _health(world: World) -> tuple[int, Health]:
    """The last report and when it came; an empty one before the first."""
    with Reader(world.database) as reader:
        for row in reader.gateways():
            if row.health is not None and row.health_at is not None:
                return row.health_at, row.health
    return 0, _NOTHING
