from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from config.runtime.notify import ServiceManager
from drivers.driver import Pace
from drivers.ups import Snapshot, State
from gateway.liveness import Pulse, hanging
from gateway.runtime.poller import HANGS_S, Poller
from gateway.runtime.watchdog import Watchdog
from gateway.settings import UnitSettings
from tests.gateway.polled import ScriptedDriver, outbox_in
from tests.manager import Manager


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e3))
def test_a_part_hangs_exactly_when_its_time_is_over(now_s: float, beat_s: float, within_s: float) -> None:
    assert bool(hanging([Pulse("x", beat_s, within_s)], now_s)) == (now_s - beat_s > within_s)


def test_the_parts_that_hang_are_named_and_no_other() -> None:
    pulses = [Pulse("a", 0.0, 10.0), Pulse("b", 95.0, 10.0), Pulse("c", 50.0, 10.0)]
    assert hanging(pulses, 100.0) == ("a", "c")


def test_the_watchdog_is_told_of_life_only_while_no_part_hangs(tmp_path: Path) -> None:
    """By the manager's own socket: a status after each look shows that nothing came before it."""
    hung, well = Pulse("rack-1", float("-inf"), 1.0), Pulse("rack-2", float("inf"), 1.0)
    pulses = [hung, well]
    with Manager(tmp_path, watchdog_s=60.0) as manager:
        service = ServiceManager(manager.environment)
        watchdog = Watchdog(service, lambda: pulses)
        watchdog.look()
        service.status("looked")
        manager.hears("STATUS=looked")
        assert manager.heard == ["STATUS=looked"]
        pulses.remove(hung)
        watchdog.look()
        manager.hears("WATCHDOG=1")


class Silent(ScriptedDriver):
    """A driver with a fault: from its third reading on it waits for ever."""

    pace = Pace(fast_s=0.01, full_s=0.02, reconnect_s=0.01)

    async def full(self) -> Snapshot:
        return await self._until_it_hangs(super().full())

    async def fast(self) -> Snapshot:
        return await self._until_it_hangs(super().fast())

    async def _until_it_hangs(self, reading: Awaitable[Snapshot]) -> Snapshot:
        read = await reading
        if len(self.reads) > 2:
            self.hangs.set()
            await asyncio.Event().wait()
        return read

    def __init__(self) -> None:
        super().__init__([Snapshot(at=datetime(2026, 11, 24, tzinfo=UTC), state=State.ONLINE)])
        self.hangs = asyncio.Event()


async def test_a_poller_that_hangs_in_its_driver_is_named(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        driver, began_s = Silent(), time.monotonic()
        poller = Poller(UnitSettings(name="rack-1", url=driver.url), driver, outbox, outbox.clock)
        task = asyncio.create_task(poller.run())
        await driver.hangs.wait()
        pulse, hung_s = poller.pulse, time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        await poller.close()
    assert began_s <= pulse.beat_s <= hung_s
    assert hanging([pulse], hung_s + HANGS_S / 2) == ()
    assert hanging([pulse], hung_s + HANGS_S + 60.0) == ("the poller of rack-1",)
