"""Walks through the places: some at a time, one try after the other at each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from drivers.runtime.port import Clock
from drivers.scan.plan import Place, Protocol, Result, Try, shuts
from drivers.scan.runtime.tries import attempt

AT_A_TIME = 32
"""Places looked at together: enough for a network in a minute or two, too few to trouble one."""
REST_S = {Protocol.MODBUS_TCP: 15.0, Protocol.MODBUS_RTU: 1.0}
"""Between two openings of one door (S4): a SmartConnect port refuses for a while after it closed."""

Tell = Callable[[Place, Result], None]


async def scan(places: Iterable[Place], clock: Clock, tell: Tell, done: Callable[[Place], None]) -> None:
    """`tell` is called with each result as it comes, `done` as each place is finished."""
    rest = iter(places)
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(_work(rest, clock, tell, done))


async def _work(rest: Iterator[Place], clock: Clock, tell: Tell, done: Callable[[Place], None]) -> None:
    for place in rest:
        await _look(place, clock, tell)
        done(place)


async def _look(place: Place, clock: Clock, tell: Tell) -> None:
    shut: set[str] = set()
    closed_at: dict[str, float] = {}
    for this in place.tries:
        if this.door in shut:
            continue
        await _rest(this, closed_at, clock)
        result = await attempt(this, place.patience_s)
        closed_at[this.door] = clock.monotonic()
        tell(place, result)
        if shuts(this, result):
            shut.add(this.door)


async def _rest(this: Try, closed_at: dict[str, float], clock: Clock) -> None:
    if this.door in closed_at:
        await clock.wait_until(closed_at[this.door] + REST_S.get(this.protocol, 0.0))
