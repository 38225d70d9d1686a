"""Simulated units with wires that can be spoilt: the real simulator on real sockets and ptys, in this process."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from drivers.driver import Driver
from drivers.errors import DriverError, LineDown
from drivers.open import open_driver
from drivers.ups import Snapshot, State
from simulator.modbus.settings import WireSettings
from simulator.models import find_model
from simulator.orders import Answer, Order, Task
from simulator.runtime.engine import Engine
from simulator.runtime.modbus_rtu import serve_rtu
from simulator.runtime.modbus_tcp import serve_tcp
from simulator.runtime.upslink import serve_upslink
from simulator.upslink.settings import UpsLinkSettings
from simulator.wire_faults import RTU_FAULTS, TCP_FAULTS, UPSLINK_FAULTS, WireFaults

WIRES = ("modbus+tcp", "modbus+rtu", "upslink")
PATIENCE_S = {"modbus+tcp": 0.8, "modbus+rtu": 0.8, "upslink": 1.0}
MODELS = {"modbus+tcp": "SMT1500RM2UC", "modbus+rtu": "SMT1500RM2UC", "upslink": "SUA1500I"}
DELIVERED_WH = 123_456.0
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
"""How often each fault is drawn anew; `make faults` does it often."""


class FaultyUnit:
    """One unit on one wire: `faults` spoils it, `witness` reads the same unit on a wire of its own."""

    def __init__(self, engine: Engine, faults: WireFaults, url: str, witness: Driver) -> None:
        self.engine, self.faults, self.url, self.witness = engine, faults, url, witness
        self.driver = open_driver(url)
        self.other: Driver | None = None

    def order(self, line: str) -> None:
        self.faults.obey(line.split(), asyncio.get_running_loop().time())

    async def truth(self) -> Snapshot:
        """What a wire without faults shows now."""
        return bare(await self.witness.full())

    def count_down(self) -> None:
        """Set a shutdown going, whose countdown then stands still as all physics do."""
        answer = self.engine.order(Order(task=Task.OUTLET_SHUTDOWN, groups=(1,), use_off_delay=True))
        assert answer is Answer.TAKEN

    def fail_the_mains(self) -> None:
        """The mains go, and the unit has followed; then all stands still again."""
        unit = self.engine.unit
        self.engine.obey("mains off")
        unit.advance(unit.now_s + 1.0)
        assert unit.state is State.ON_BATTERY

    async def is_due(self) -> None:
        """Once the driver would try a lost line again."""
        try:
            await self.driver.connect()
        except LineDown as error:
            await _due(error.retry_in_s)
        except DriverError:
            return

    async def close(self) -> None:
        await self.driver.close()
        await self.witness.close()


def base_seed() -> int:
    """What the draws of a run come from: FAULT_SEED, always the same in CI, else another each time. A failing test
    prints the order with its own seed, which is enough to repeat it."""
    if given := os.environ.get("FAULT_SEED"):
        return int(given)
    return 1 if os.environ.get("CI") == "true" else random.SystemRandom().randrange(1_000_000)


def bare(snapshot: Snapshot) -> Snapshot:
    """Without what says when and how fast it was read."""
    return msgspec.structs.replace(snapshot, at=snapshot.at.min, full_at=None, answer_ms=None)


async def _serve(engine: Engine, wire: str, link: Path, stack: AsyncExitStack, faults: WireFaults) -> str:
    """As fast as the wire can be; the URL of what is served."""
    if wire == "upslink":
        assert engine.model.upslink is not None
        line = UpsLinkSettings(faults=faults, baud=0, answer_ms=5)
        listener = await serve_upslink(engine, str(link), line, engine.model.upslink)
        stack.push_async_callback(listener.close)
        return f"{wire}://{listener.address}"
    settings = WireSettings(faults=faults, max_sessions=8, baud=0)
    if wire == "modbus+tcp":
        tcp = await serve_tcp(engine, "127.0.0.1:0", settings)
        stack.push_async_callback(tcp.close)
        return f"{wire}://{tcp.address}"
    rtu = await serve_rtu(engine, str(link), settings)
    stack.push_async_callback(rtu.close)
    return f"{wire}://{rtu.address}"


KNOWN = {"modbus+tcp": TCP_FAULTS, "modbus+rtu": RTU_FAULTS, "upslink": UPSLINK_FAULTS}


@asynccontextmanager
async def faulty_unit(
    wire: str, folder: Path, *, held: bool = True, patience_s: float | None = None
) -> AsyncIterator[FaultyUnit]:
    """A unit on that wire; its links go into `folder`, which has to exist. `patience_s`: the driver's for a reply."""
    engine = Engine(find_model(MODELS[wire]), serial="AS1234567890", load_pct=30.0)
    engine.unit.energy_wh = DELIVERED_WH
    engine.set_pace(held=held)
    async with AsyncExitStack() as stack:
        faults = WireFaults(KNOWN[wire])
        spoilt = await _serve(engine, wire, folder / "spoilt", stack, faults)
        sound = await _serve(engine, wire, folder / "sound", stack, WireFaults())
        url = f"{spoilt}?timeout_s={patience_s or PATIENCE_S[wire]:g}&reconnect_s=1"
        unit = FaultyUnit(engine, faults, url, open_driver(sound))
        stack.push_async_callback(unit.close)
        yield unit


class Polls(msgspec.Struct):
    """What became of some polls: each one true, or false in these fields, or a declared error; and the slowest."""

    true: int = 0
    false: list[str] = []
    errors: list[DriverError] = []
    slowest_s: float = 0.0
    noticed: int = 0


async def poll(unit: FaultyUnit, times: int, before_each: Callable[[int], None]) -> Polls:
    """Polls by turns fast and full, and holds each against the truth."""
    polls, loop, driver = Polls(), asyncio.get_running_loop(), unit.driver
    noticed = _noticed(driver)
    for number in range(times):
        before_each(number)
        truth = await unit.truth()
        began_s = loop.time()
        try:
            read = await (driver.fast() if number % 2 else driver.full())
        except DriverError as error:
            polls.errors.append(error)
        else:
            wrong = _differing(bare(read), truth, fast=bool(number % 2))
            polls.false += wrong
            polls.true += not wrong
        polls.slowest_s = max(polls.slowest_s, loop.time() - began_s)
    polls.noticed = _noticed(driver) - noticed
    return polls


def _noticed(driver: Driver) -> int:
    """What the driver's own counters say that it met."""
    counters = driver.counters
    return counters.bad_crc + counters.discarded + counters.exceptions + counters.timeouts


STATUS_FIELDS = ("state", "cause")


def _differing(read: Snapshot, truth: Snapshot, *, fast: bool) -> list[str]:
    """A fast reading answers for the status only: the rest may be as old as the last full one."""
    names = STATUS_FIELDS if fast else read.__struct_fields__
    return [name for name in names if getattr(read, name) != getattr(truth, name)]


async def recovers(unit: FaultyUnit, after: str) -> None:
    """Good readings are back within two polls, the first of which is due when the driver says so."""
    failures: list[DriverError] = []
    while len(failures) < 2:
        try:
            read = await unit.driver.full()
        except LineDown as error:
            await asyncio.get_running_loop().create_task(_due(error.retry_in_s))
            continue
        except DriverError as error:
            failures.append(error)
            continue
        truth = await unit.truth()
        assert bare(read) == truth
        return
    raise AssertionError(f"{after}: not back within two polls: {failures}")


async def _due(in_s: float) -> None:
    """The driver tells when a lost line is tried again; until then there is nothing to poll."""
    loop = asyncio.get_running_loop()
    due = loop.create_future()
    loop.call_later(in_s, due.set_result, None)
    await due
