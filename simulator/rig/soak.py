"""`make soak`: a day of all of it, in a quarter of an hour. Ends with status 1 if something goes on growing.

Every process runs under libfaketime, which makes all its clocks and waits so many times as fast; nothing of ours knows.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from simulator.rig.errors import NotInstalled, RigError, told
from simulator.rig.growth import Grown, growth_table, hours_table
from simulator.rig.peers.running import PEERS
from simulator.rig.truth import match, surplus
from simulator.rig.usage import usage
from simulator.rig.world import UnitPlan, World

INSTALLER = "simulator/rig/peers/install soak"
HOUR_S = 3600.0
OUTAGE_EVERY_HOURS = 2
OUTAGE_S = 300.0
MEMORY_LIMIT_MB = 0.1
"""An hour. At a poll a second, 15 bytes a poll of each unit that are never given back are half of that."""
COUNT_LIMIT = 0.1
"""Handles and files, an hour: one more in a day is not growth yet, one every few hours is."""
GATEWAY_LIMIT_MB = 0.1
"""Its files, an hour: events that are acknowledged stay for seven days."""
WIDTH = 100
"""The table's, also where no terminal tells one."""
ROLES = ("gateway", "broker", "ingest", "alerts")
UNITS = tuple(
    UnitPlan(
        name=f"unit-{number}",
        wire="tcp",
        model="SMT1500RM2UC",
        options=("--personality", "nmc", "--answer-ms", "20", "--load", "20"),
        # A pause of this machine is so many times as long for them.
        parameters="unit=1&nmc=true&timeout_s=30&fast_s=1&full_s=5",
    )
    for number in (1, 2)
)

Hour = Mapping[str, float]
"""What there is, by the name of what is looked at."""


@click.command()
@click.option("--hours", type=click.IntRange(2), default=24, show_default=True, help="Of simulated time.")
@click.option(
    "--speed", type=click.IntRange(1, 500), default=100, show_default=True, help="Simulated seconds a second."
)
def soak(hours: int, speed: int) -> None:
    """Memory, files and handles of gateway, broker and ingest, hour by hour.

    Ends with status 1 if one goes on growing, if a process died, or if an outage was lost or stored twice.
    """
    console = Console()
    console.width = max(console.width, WIDTH)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="soak-") as where,
            Progress(console=console, transient=True) as progress,
        ):
            world = World(Path(where) / "world", UNITS, roles_apart=True, environment=faster(speed))
            seen, wrong = asyncio.run(world.play(lambda world: _scene(world, hours, speed, progress)))
    except* RigError as errors:
        raise click.ClickException(told(errors)) from None
    grown = list(looked_at(seen))
    console.print(hours_table(grown))
    console.print(growth_table(grown))
    for line in wrong:
        console.print(line, style="bold red")
    sys.exit(0 if all(each.holds for each in grown) and not wrong else 1)


def faster(speed: int) -> dict[str, str]:
    """The environment in which a process's clocks and waits are so many times as fast. Raises NotInstalled."""
    libraries = [*PEERS.glob("libfaketime/*.so"), *PEERS.glob("libfaketime/usr/lib/*/faketime/libfaketimeMT.so.1")]
    if len(libraries) != 2:
        raise NotInstalled(PEERS / "libfaketime", INSTALLER)
    return {
        "LD_PRELOAD": ":".join(map(str, libraries)),
        "FAKETIME": f"+0 x{speed}",
        "NO_FAKE_STAT": "1",
        "SOAK_SPEED": str(speed),
    }


def looked_at(seen: Sequence[Hour]) -> Iterator[Grown]:
    """What may grow by how much. The cloud's files hold all that was ever told: they grow."""
    for role in ROLES:
        yield _grown(seen, f"{role} memory", "MB", MEMORY_LIMIT_MB)
        yield _grown(seen, f"{role} handles", "", COUNT_LIMIT)
    yield _grown(seen, "gateway files", "", COUNT_LIMIT)
    yield _grown(seen, "gateway bytes", "MB", GATEWAY_LIMIT_MB)
    yield _grown(seen, "cloud files", "", COUNT_LIMIT)
    yield _grown(seen, "cloud bytes", "MB", None)


def _grown(seen: Sequence[Hour], name: str, unit: str, limit: float | None) -> Grown:
    return Grown(name, unit, [hour[name] for hour in seen], limit)


async def _scene(world: World, hours: int, speed: int, progress: Progress) -> tuple[list[Hour], list[str]]:
    seen, bar = [], progress.add_task("hours", total=hours)
    for hour in range(1, hours + 1):
        async with asyncio.TaskGroup() as group:
            if hour % OUTAGE_EVERY_HOURS == 0:
                group.create_task(_outage(world, speed))
            group.create_task(asyncio.sleep(HOUR_S / speed))
        seen.append(_look(world))
        progress.advance(bar)
    return seen, [*await _lost(world), *_died(world)]


async def _lost(world: World) -> list[str]:
    happened, stored = await world.happened(), world.stored()
    lost = [f"not stored: {pair.happened}" for pair in match(happened, stored) if pair.stored is None]
    return [*lost, *(f"stored once too often: {each}" for each in surplus(happened, stored))]


def _died(world: World) -> Iterator[str]:
    for name, role in world.roles.items():
        if role.starts > 1:
            yield f"{name} was started {role.starts} times"


async def _outage(world: World, speed: int) -> None:
    await world.tell_all("mains off")
    await asyncio.sleep(OUTAGE_S / speed)
    await world.tell_all("mains on")


def _look(world: World) -> Hour:
    found: dict[str, float] = {}
    for role in ROLES:
        used = usage(world.roles[role].pid)
        found |= {f"{role} memory": used.resident_mb, f"{role} handles": used.handles}
    for name, folder in (("gateway", world.gateway_data), ("cloud", world.database.parent)):
        files = [path for path in folder.rglob("*") if path.is_file()]
        found |= {f"{name} files": len(files), f"{name} bytes": sum(path.stat().st_size for path in files) / 1e6}
    return found


if __name__ == "__main__":
    soak()
