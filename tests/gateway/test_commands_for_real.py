"""An order carried out by a real driver on a real socket at a simulated unit that counts what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from drivers.driver import Report
from drivers.open import open_driver
from drivers.ups import Command, Outcome, Snapshot, Verb
from gateway.policy import Policy
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.runtime.poller import Poller
from gateway.seen import Seen
from gateway.settings import UnitSettings
from gateway.view import UnitSight
from gateway.wire.messages import Clock, Stamp
from gateway.wire.orders import Order
from simulator.runtime.ctl import ask
from tests.conftest import Start
from tests.gateway.commanded import ALLOWED, BY_BOTH, UNIT, Bench
from tests.gateway.polled import outbox_in
from tests.process import Process

QUICK = "fast_s=0.2&full_s=1&reconnect_s=1"
"""A pace no real unit is asked to bear."""


class SetClock(SystemClock):
    """This machine's, as it were with a network that sets it."""

    def stamp(self) -> Stamp:
        return msgspec.structs.replace(super().stamp(), clock=Clock.SYNCHRONISED.value)


class Cut:
    """The unit's poller in a gateway that loses its power as soon as the command was sent."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.report: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self.never: asyncio.Future[Report] = asyncio.get_running_loop().create_future()

    async def execute(self, command: Command, before: Callable[[], None]) -> Report:
        self.report.set_result(await self.poller.execute(command, before))
        return await self.never

    async def look(self) -> Snapshot:
        return await self.poller.look()

    def sight(self) -> UnitSight:
        return self.poller.sight()


class Site(Bench):
    """A bench whose unit is the simulator's, by its poller."""

    def __init__(self, folder: Path, outbox: Outbox, poller: Poller, policy: Policy) -> None:
        super().__init__(folder, outbox, policy)
        self.poller = poller
        self.units[UNIT] = poller
        self.stamps = SetClock()
        self.clock.at = self.stamps.stamp().at
        self.commands = self.new(policy)

    def order(self, verb: Verb = Verb.BEEP, **fields: object) -> Order:
        identity = self.poller.sight().identity
        assert identity is not None
        return super().order(verb, serial=identity.serial, **fields)


@asynccontextmanager
async def site(folder: Path, simulator: Process) -> AsyncIterator[Site]:
    """A gateway's poller that has met the simulated unit."""
    async with outbox_in(folder) as outbox:
        unit = UnitSettings(name=UNIT, url=f"modbus+tcp://{simulator.address('modbus-tcp')}?{QUICK}")
        met = asyncio.Event()
        made: list[Site] = []

        def watch(seen: Seen) -> None:
            for each in made:
                each.commands.watch(seen)
            met.set()

        poller = Poller(unit, open_driver(unit.url), outbox, SystemClock(), watch)
        made.append(Site(folder, outbox, poller, ALLOWED))
        await made[0].commands.open()
        polling = asyncio.ensure_future(poller.run())
        try:
            await met.wait()
            yield made[0]
        finally:
            await made[0].commands.close()
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            await poller.close()


def simulated(start: Start) -> Process:
    listen = ("--modbus-tcp", "127.0.0.1:0", "--control", "127.0.0.1:0")
    return start("sim", "run", "--model", "SMX3000RMLV2U", *listen, ready=["modbus-tcp", "control"])


def writes(simulator: Process) -> list[dict[str, Any]]:
    """What the wire took in."""
    return ask(simulator.address("control"), "commands")[1:]


async def test_s1_an_order_reaches_a_unit_exactly_once_however_often_the_cloud_says_it(
    tmp_path: Path, start: Start
) -> None:
    simulator = await asyncio.to_thread(simulated, start)
    async with site(tmp_path, simulator) as at:
        order = at.challenged(at.order(Verb.OUTLET_OFF, groups=(1,)))
        at.hand_in(order, BY_BOTH)
        at.hand_in(order, BY_BOTH)
        await at.settled()
        assert await at.send(order, BY_BOTH) == ["accepted accepted", "finished done"]
        assert len(await asyncio.to_thread(writes, simulator)) == 1
        truth = (await asyncio.to_thread(ask, simulator.address("control"), "state"))[0]["state"]
        assert [group["on"] for group in truth["switched_outlets"]] == [False, True, True]


async def test_s1_a_gateway_that_is_killed_after_sending_never_sends_again(tmp_path: Path, start: Start) -> None:
    simulator = await asyncio.to_thread(simulated, start)
    async with site(tmp_path, simulator) as at:
        cut = Cut(at.poller)
        at.units[UNIT] = cut
        order = at.order(Verb.MUTE)
        at.hand_in(order)
        sent = await cut.report
        await at.outbox.flushed()
        for task in asyncio.all_tasks():  # the kill: nothing of it runs on
            if task.get_name().startswith("command "):
                task.cancel()
        assert sent.outcome in (Outcome.DONE, Outcome.UNKNOWN)
    async with site(tmp_path, simulator) as at:
        assert await at.send(order) == ["accepted accepted", "finished gateway_restarted"]
        assert (await at.bodies())[-1].outcome is Outcome.UNKNOWN
        assert len(await asyncio.to_thread(writes, simulator)) == 1


async def test_s8_a_unit_whose_mains_were_seen_good_for_a_moment_only_is_not_tested(
    tmp_path: Path, start: Start
) -> None:
    simulator = await asyncio.to_thread(simulated, start)
    async with site(tmp_path, simulator) as at:
        assert await at.send(at.challenged(at.order(Verb.SELF_TEST))) == ["refused mains_not_steady"]
        assert await asyncio.to_thread(writes, simulator) == []
