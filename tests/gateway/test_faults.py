"""The gateway's poller on spoilt wires: no fault is an event by itself, and none hides a real one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from drivers.open import open_driver
from gateway.runtime.outbox import Outbox
from tests.drivers.faulty_unit import KNOWN, ROUNDS, WIRES, FaultyUnit, base_seed, faulty_unit
from tests.gateway.polled import outbox_in, poller, told

POLLS = 6
AT_ONCE = 24
"""Units at a time: each has files open."""
OF_THE_LINE = {"communication_lost", "communication_restored"}
"""What silence may lead to, and has to if it lasts."""
NOTICED_WITHIN = 4
"""Polls in which an outage is told though every second reply is spoilt; the line may be lost before the first."""


def orders(wire: str) -> list[str]:
    """Each fault of the wire, on a share of the replies, with a seed of its own."""
    chance = random.Random(f"{base_seed()}/{wire}")
    shares = (1.0, 0.5, 0.2)
    return [
        f"{kind} chance={chance.choice(shares)} seed={chance.randrange(1_000_000)}"
        for _ in range(ROUNDS)
        for kind in sorted(KNOWN[wire])
    ]


async def each(wire: str, folder: Path, work: Callable[[FaultyUnit, Outbox, str, str], Awaitable[None]]) -> None:
    """Does the work for every order, with a unit to each, many at a time and one outbox for all."""
    crowd = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, order: str, outbox: Outbox) -> None:
        place = folder / str(number)
        await asyncio.to_thread(place.mkdir)
        async with crowd, faulty_unit(wire, place) as unit:
            await work(unit, outbox, f"unit-{number}", order)

    async with outbox_in(folder / "data") as outbox:
        await asyncio.gather(*(one(number, order, outbox) for number, order in enumerate(orders(wire))))


@pytest.mark.parametrize("wire", WIRES)
async def test_no_fault_is_an_event_by_itself(wire: str, tmp_path: Path) -> None:
    async def work(unit: FaultyUnit, outbox: Outbox, name: str, order: str) -> None:
        polling = poller(outbox, unit.driver, name)
        await polling.poll()
        unit.order(order)
        for _ in range(POLLS):
            await polling.poll()
        assert set(await told(outbox, name)) <= OF_THE_LINE, order

    await each(wire, tmp_path, work)


@pytest.mark.parametrize("wire", WIRES)
async def test_an_outage_under_any_fault_is_told_once_the_line_lets_it_through(wire: str, tmp_path: Path) -> None:
    async def work(unit: FaultyUnit, outbox: Outbox, name: str, order: str) -> None:
        polling = poller(outbox, unit.driver, name)
        await polling.poll()
        unit.order(order)
        await polling.poll()
        unit.fail_the_mains()
        for _ in range(2):
            await polling.poll()
        unit.order("off")
        await unit.is_due()
        for _ in range(NOTICED_WITHIN):
            await polling.poll()
        assert set(await told(outbox, name)) - OF_THE_LINE == {"on_battery"}, order

    await each(wire, tmp_path, work)


@pytest.mark.parametrize("wire", WIRES)
async def test_one_dead_unit_delays_no_other(wire: str, tmp_path: Path) -> None:
    places = tmp_path / "dead", tmp_path / "alive"
    for place in places:
        place.mkdir()
    async with (
        outbox_in(tmp_path / "data") as outbox,
        faulty_unit(wire, places[0]) as dead,
        faulty_unit(wire, places[1]) as alive,
    ):
        patient = open_driver(dead.url.partition("?")[0] + "?timeout_s=30")
        pollers = [poller(outbox, patient, "dead"), poller(outbox, alive.driver, "alive")]
        for each_poller in pollers:
            await each_poller.poll()
        dead.order("silence")
        stuck = asyncio.create_task(pollers[0].poll())
        alive.fail_the_mains()
        await pollers[1].poll()
        assert await told(outbox, "alive") == ["on_battery"]
        assert not stuck.done()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
        await patient.close()
