"""Bytes that the gateway writes to its disk, with eight units at one poll a second, scaled to a day.

Counted are the pages that the gateway makes dirty (write_bytes of /proc/PID/io). Each commit is synchronised, so a page
that the next commit changes again counts again: it is what reaches the disk, the file system's own journal apart.
SQLite writes what is in its journal to the file once that has 1000 pages, which is hours: here it is made to at the end
of each window, so that this counts too.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from rich.progress import Progress

from gateway.store.schema import FILE
from simulator.rig.bench.footprint import units
from simulator.rig.bench.part import passing, units_known
from simulator.rig.commits import CommitWatch
from simulator.rig.figures import Findings, Result
from simulator.rig.usage import usage
from simulator.rig.world import World

UNITS = 8
LIMIT_MB = 50.0
"""A day."""
OUTAGES_A_DAY = 4
"""Of all units at once: many times more than most places have."""
DAY_S = 86400.0
SETTLE_S = 70.0
"""Until what a start, or the loss of the cloud, writes is written."""
QUIET_S = AWAY_S = 300.0
OUTAGES = 2
OUTAGE_S = 30.0
OVER_S = 75.0
"""The black box goes on for a minute after the mains are back."""
STORED_WITHIN_S = 30.0
MB = 1e6


class Written(msgspec.Struct, frozen=True):
    """Bytes a second with the cloud there and with it away, and what an outage of all units adds."""

    quiet_a_s: float
    away_a_s: float
    an_outage: float

    def results(self) -> list[Result]:
        outages = self.an_outage * OUTAGES_A_DAY
        day, away = (
            f"written a day, {UNITS} units, {OUTAGES_A_DAY} outages of all{words}" for words in ("", ", no cloud")
        )
        return [
            Result(name=day, value=(self.quiet_a_s * DAY_S + outages) / MB, unit="MB", limit=LIMIT_MB),
            Result(name=away, value=(self.away_a_s * DAY_S + outages) / MB, unit="MB", limit=LIMIT_MB),
            Result(name=f"of that, {OUTAGES_A_DAY} outages of all units", value=outages / MB, unit="MB"),
        ]


async def measure(folder: Path, progress: Progress) -> Findings:
    written = await World(folder, units(UNITS)).play(lambda world: _scene(world, progress))
    return Findings(written.results())


async def _scene(world: World, progress: Progress) -> Written:
    await units_known(world)
    await passing(SETTLE_S, "disk: the gateway settles", progress)
    quiet = await _bytes(world, QUIET_S, "disk: ordinary load", progress) / QUIET_S
    an_outage = await _outages(world, progress) - quiet * (OUTAGE_S + OVER_S)
    await world.stop("cloud")
    await passing(SETTLE_S, "disk: the cloud is away", progress)
    away = await _bytes(world, AWAY_S, "disk: ordinary load without the cloud", progress) / AWAY_S
    return Written(quiet, away, an_outage)


async def _bytes(world: World, seconds: float, what: str, progress: Progress) -> int:
    _checkpoint(world)
    before = _written(world)
    await passing(seconds, what, progress)
    return _written(world) - before + _checkpoint(world)


async def _outages(world: World, progress: Progress) -> float:
    """What one of them writes, from the mains' end until the black box has closed."""
    _checkpoint(world)
    before = _written(world)
    async with CommitWatch(world.database, look_s=0.1) as watch:
        for count in range(1, OUTAGES + 1):
            await world.tell_all("mains off")
            await passing(OUTAGE_S, "disk: an outage", progress)
            await world.tell_all("mains on")
            for plan in world.plans:
                await watch.nth(plan.name, "mains_restored", count, STORED_WITHIN_S)
            await passing(OVER_S, "disk: after the outage", progress)
    return (_written(world) - before + _checkpoint(world)) / OUTAGES


def _checkpoint(world: World) -> int:
    """Has the outbox's journal written to its file; how many bytes that took."""
    before = usage(os.getpid()).written_bytes
    with closing(sqlite3.connect(world.gateway_data / FILE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return usage(os.getpid()).written_bytes - before


def _written(world: World) -> int:
    return usage(world.roles["gateway"].pid).written_bytes
