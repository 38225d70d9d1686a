"""The demo: three units whose mains fail and return, watched through the whole of Ridethrough."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from cloud_bridge.rows import EventFilter
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.errors import StoreError
from cloud_bridge.store.reader import Reader
from cloud_bridge.views import event_line
from config.runtime.files import load
from simulator.rig.summary import Summary, summarize
from simulator.rig.view import EVENTS_SHOWN, picture
from simulator.rig.world import GATEWAY, UnitPlan, World

UNITS = (
    UnitPlan(name="rack-1", wire="tcp", model="SMT1500RM2UC", options=("--load", "35")),
    UnitPlan(name="rack-2", wire="tcp", model="SMTL1500RM3UC", options=("--load", "55")),
    UnitPlan(name="lab-1", wire="rtu", model="SRT1000XLA", options=("--load", "20")),
)
FAIL_S, RETURN_S, CYCLE_S = 10.0, 40.0, 50.0
"""Mains fail after 10 s and return after 40; ten seconds later they fail again."""

REFRESH_S = 0.5
SETTLE_S = 20.0
"""How long the last event may be on its way when an unattended run ends."""


async def run_demo(directory: Path, seconds: float | None, console: Console | None) -> Summary:
    """Runs for `seconds`, or until Ctrl-C or SIGTERM; draws on `console` if there is one."""
    world = World(directory, UNITS)
    starting = console.status("Starting three units, broker, ingest and gateway ...") if console else nullcontext()

    async def scene(world: World) -> Summary:
        opening.close()
        began = time.monotonic()
        stop = _stopped()
        mains = asyncio.create_task(_fail_and_return(world), name="mains")
        drawing = asyncio.create_task(_show(world, console), name="view") if console else None
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
        for task in filter(None, (mains, drawing)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if seconds is not None:
            await _settled(world)
        return summarize(time.monotonic() - began, await world.happened(), world.stored(), paths(world))

    with ExitStack() as opening:
        opening.enter_context(starting)
        return await world.play(scene)


def paths(world: World) -> dict[str, str]:
    """By unit, which way its events come."""
    broker = load(world.cloud.settings, CloudSettings).mqtts
    end = f"gateway {GATEWAY} > mqtts://{broker} > ingest > {world.database.name}"
    return {name: f"{name} > {url} > {end}" for name, url in world.urls.items()}


def _stopped() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _fail_and_return(world: World) -> None:
    while True:
        await asyncio.sleep(FAIL_S)
        await world.tell_all("mains off")
        await asyncio.sleep(RETURN_S - FAIL_S)
        await world.tell_all("mains on")
        await asyncio.sleep(CYCLE_S - RETURN_S - FAIL_S)


async def _show(world: World, console: Console) -> None:
    """A live picture on a terminal; a line an event where there is none."""
    await (_draw if console.is_terminal else _follow)(world, console)


async def _draw(world: World, console: Console) -> None:
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(_picture(world), refresh=True)
            await asyncio.sleep(REFRESH_S)


async def _follow(world: World, console: Console) -> None:
    last = 0
    with Reader(world.database) as reader:
        while True:
            for row in reader.events(EventFilter(after_id=last)):
                last = row.id
                console.print(event_line(row), soft_wrap=True)
            await asyncio.sleep(REFRESH_S)


def _picture(world: World) -> RenderableType:
    with Reader(world.database) as reader:
        return picture(
            reader.gateways(),
            reader.units(),
            list(reader.events(EventFilter(newest=EVENTS_SHOWN))),
            reader.ingest(),
            world.urls,
            f"mains fail after {FAIL_S:.0f} s and return after {RETURN_S:.0f} s, again and again; Ctrl-C ends it",
            time.time_ns() // 1_000_000,
        )


async def _settled(world: World) -> None:
    """Until every transfer is stored, or SETTLE_S have passed: the summary names what is missing then."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        with suppress(StoreError):
            if not summarize(0, await world.happened(), world.stored(), {}).missing:
                return
        await asyncio.sleep(REFRESH_S)
