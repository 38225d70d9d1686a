"""Watches one unit in a terminal until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from rich.console import Console
from rich.live import Live

from drivers.driver import Alerting, Driver
from drivers.errors import LineDown, LineError
from drivers.runtime.port import Clock
from drivers.show import table
from drivers.ups import Identity, Snapshot
from drivers.view import told, view
from drivers.watch import Note, Watch

REDRAW_S = 0.25
"""So that ages count while nothing comes."""


async def readings(driver: Driver, clock: Clock, first: Snapshot) -> AsyncGenerator[Snapshot | LineError, None]:
    """At the driver's pace, and at once when the unit rings: the first, then each reading, or why there was none. A
    change of state has a full reading behind it. A lost line is waited for.
    """
    full_at, state = clock.monotonic(), first.state
    yield first
    while True:
        due = clock.monotonic() + driver.pace.fast_s
        full = due - full_at >= driver.pace.full_s
        await _until(due, driver, clock)
        try:
            snapshot = await (driver.full() if full else driver.fast())
            if snapshot.state is not state and not full:
                snapshot, full = await driver.full(), True
        except LineDown as error:
            yield error
            await clock.wait_until(clock.monotonic() + error.retry_in_s)
        except LineError as error:
            yield error
        else:
            full_at, state = due if full else full_at, snapshot.state
            yield snapshot


async def _until(due: float, driver: Driver, clock: Clock) -> None:
    """Come back at that time, or as soon as the unit rings (S4)."""
    if not isinstance(driver, Alerting):
        await clock.wait_until(due)
        return
    waits = [asyncio.ensure_future(clock.wait_until(due)), asyncio.ensure_future(driver.alerted())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def watch_in_terminal(
    driver: Driver, clock: Clock, identity: Identity, first: Snapshot, console: Console
) -> None:
    """A live view on a terminal; elsewhere the first reading, then a line an event."""
    watch = Watch(identity)
    async with aclosing(readings(driver, clock, first)) as found:
        if console.is_terminal:
            await _live(driver, clock, watch, found, console)
            return
        console.print(table(identity, first))
        async for news in found:
            for note in _heard(watch, news, clock):
                console.print(told(note), soft_wrap=True)


async def _live(
    driver: Driver, clock: Clock, watch: Watch, found: AsyncIterator[Snapshot | LineError], console: Console
) -> None:
    with Live(console=console, auto_refresh=False) as live:
        drawing = asyncio.create_task(_draw(live, watch, driver, clock))
        try:
            async for news in found:
                _heard(watch, news, clock)
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)


def _heard(watch: Watch, news: Snapshot | LineError, clock: Clock) -> list[Note]:
    if isinstance(news, Snapshot):
        return watch.take(news, clock.monotonic())
    if isinstance(news, LineDown):
        return watch.lose(news.cause, news.retry_in_s, clock.monotonic(), clock.utc())
    return watch.lose(str(news), None, clock.monotonic(), clock.utc())


async def _draw(live: Live, watch: Watch, driver: Driver, clock: Clock) -> None:
    while True:
        width, height = live.console.size
        live.update(view(watch, driver.counters, clock.monotonic(), width, height), refresh=True)
        await clock.wait_until(clock.monotonic() + REDRAW_S)
