"""Two URLs that lead to one unit, exchanged and renumbered ports: each told by name, nothing read twice (S3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.errors import IdentityChanged, LineDown, NotAllowed
from drivers.open import open_driver
from drivers.runtime.port import SystemClock
from drivers.ups import Command, State, Verb
from gateway.errors import SeenTwice
from gateway.roll import Roll
from gateway.runtime.outbox import Outbox
from gateway.runtime.poller import Poller
from gateway.tempo import STRANGER_S, TWIN_S
from simulator.modbus.settings import WireSettings
from simulator.models import find_model
from simulator.runtime.engine import Engine
from simulator.runtime.modbus_rtu import serve_rtu
from simulator.runtime.modbus_tcp import serve_tcp
from tests.conftest import Start
from tests.gateway.polled import events, outbox_in, poller, told
from tests.gateway.site import Site, control

S1, S2 = "AS1111111111", "AS2222222222"


class Unit:
    """One simulated unit at the end of two lines."""

    def __init__(self, engine: Engine, tcp: str, rtu: str) -> None:
        self.engine, self.tcp, self.rtu = engine, tcp, rtu

    def fail_the_mains(self) -> None:
        self.engine.obey("mains off")
        self.engine.unit.advance(self.engine.unit.now_s + 1.0)
        assert self.engine.unit.state is State.ON_BATTERY


@asynccontextmanager
async def simulated(serial: str, folder: Path) -> AsyncIterator[Unit]:
    engine = Engine(find_model("SMT1500RM2UC"), serial=serial)
    engine.set_pace(held=True)
    tcp = await serve_tcp(engine, "127.0.0.1:0", WireSettings())
    rtu = await serve_rtu(engine, str(folder / serial), WireSettings(baud=0))
    yield Unit(engine, f"modbus+tcp://{tcp.address}?reconnect_s=1", f"modbus+rtu://{rtu.address}?reconnect_s=1")
    await tcp.close()
    await rtu.close()


class Gateway:
    """Pollers of one gateway, polled by hand."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.roll = Roll()
        self.pollers: dict[str, Poller] = {}

    def reads(self, name: str, url: str) -> Poller:
        row = self.outbox.units.get(name)
        driver = open_driver(url, pinned=row.serial if row else None)
        self.pollers[name] = poller(self.outbox, driver, name, roll=self.roll)
        return self.pollers[name]

    async def polls(self, *names: str) -> None:
        for name in names or tuple(self.pollers):
            await self.pollers[name].poll()

    async def polls_until(self, name: str, kind: str) -> None:
        """Polls, whenever the driver would try a lost line again, until this is told."""
        clock = SystemClock()
        for _ in range(10):
            await self.polls(name)
            if kind in await told(self.outbox, name):
                return
            try:
                await self.pollers[name].driver.connect()
            except LineDown as error:
                await clock.wait_until(clock.monotonic() + error.retry_in_s)
            except IdentityChanged:
                continue
        raise AssertionError(f"{name} never told {kind}")

    async def ends(self) -> None:
        for each in self.pollers.values():
            await each.close()
        self.pollers.clear()
        await self.outbox.flushed()


@asynccontextmanager
async def gateway_in(folder: Path) -> AsyncIterator[Gateway]:
    async with outbox_in(folder / "data") as outbox:
        gateway = Gateway(outbox)
        yield gateway
        await gateway.ends()


async def test_s3_two_urls_of_one_unit_are_told_by_name_and_its_outage_once(tmp_path: Path) -> None:
    async with simulated(S1, tmp_path) as unit, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", unit.tcp)
        twin = gateway.reads("rack-2", unit.rtu)
        await gateway.polls()
        unit.fail_the_mains()
        await gateway.polls()
        await gateway.polls()
        assert await told(gateway.outbox, "rack-1") == ["on_battery"]
        (event,) = await events(gateway.outbox, "rack-2")
        assert (event.type, event.details) == ("unit_seen_twice", {"serial": S1, "other": "rack-1"})
        assert twin.sight().trouble == f"{S1} is read as rack-1 already"
        assert twin.sight().snapshot is None
        assert twin.sight().fast_s == TWIN_S


async def test_s3_nothing_is_read_or_executed_under_the_second_name(tmp_path: Path) -> None:
    async with simulated(S1, tmp_path) as unit, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", unit.tcp)
        twin = gateway.reads("rack-2", unit.rtu)
        await gateway.polls()
        with pytest.raises(SeenTwice):
            await twin.look()
        with pytest.raises(NotAllowed, match="read as rack-1"):
            await twin.execute(Command(verb=Verb.BEEP, serial=S1))
        assert unit.engine.commands() == []


async def test_a_restart_neither_tells_a_twin_again_nor_exchanges_the_two(tmp_path: Path) -> None:
    async with simulated(S1, tmp_path) as unit, gateway_in(tmp_path) as gateway:
        for _ in range(2):
            gateway.reads("rack-1", unit.tcp)
            gateway.reads("rack-2", unit.rtu)
            names = ("rack-1", "rack-2") if not await told(gateway.outbox, "rack-2") else ("rack-2", "rack-1")
            await gateway.polls(*names)
            await gateway.ends()
            gateway.roll = Roll()
        assert await told(gateway.outbox, "rack-2") == ["unit_seen_twice"]
        assert await told(gateway.outbox, "rack-1") == []


async def test_a_twin_is_read_once_the_other_name_is_gone(tmp_path: Path) -> None:
    async with simulated(S1, tmp_path) as unit, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", unit.tcp)
        gateway.reads("rack-2", unit.rtu)
        await gateway.polls()
        await gateway.pollers.pop("rack-1").close()
        unit.fail_the_mains()
        await gateway.polls("rack-2")
        assert await told(gateway.outbox, "rack-2") == ["unit_seen_twice", "unit_seen_once", "on_battery"]
        assert await gateway.outbox.pinned("rack-2") == S1


async def test_a_twin_that_leads_to_a_unit_of_its_own_now_is_read_as_at_first_contact(tmp_path: Path) -> None:
    async with simulated(S1, tmp_path) as one, simulated(S2, tmp_path) as two, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", one.tcp)
        line = tmp_path / "line"
        line.symlink_to(tmp_path / S1)
        gateway.reads("rack-2", f"modbus+rtu://{line}?reconnect_s=1")
        await gateway.polls()
        line.unlink()
        line.symlink_to(tmp_path / S2)
        two.fail_the_mains()
        await gateway.polls_until("rack-2", "on_battery")
        assert await told(gateway.outbox, "rack-2") == ["unit_seen_twice", "unit_seen_once", "on_battery"]
        assert await gateway.outbox.pinned("rack-2") == S2


async def test_s3_units_that_were_exchanged_are_told_with_both_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with simulated(S1, tmp_path) as one, simulated(S2, tmp_path) as two, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", one.tcp)
        gateway.reads("rack-2", two.tcp)
        await gateway.polls()
        await gateway.ends()
        gateway.reads("rack-1", two.tcp)
        gateway.reads("rack-2", one.tcp)
        one.fail_the_mains()
        await gateway.polls()
        await gateway.polls()
        (first,) = await events(gateway.outbox, "rack-1")
        (second,) = await events(gateway.outbox, "rack-2")
        assert {first.type, second.type} == {"unit_identity_changed"}
        assert first.details == {"expected": S1, "found": S2, "known_as": "rack-2"}
        assert second.details == {"expected": S2, "found": S1, "known_as": "rack-1", "answers_at": "rack-1"}
        assert f"rack-1: its unit {S1} now answers at rack-2" in caplog.text
        assert gateway.pollers["rack-1"].sight().fast_s == STRANGER_S


async def test_s3_a_port_that_was_renumbered_is_told_with_the_name_where_the_unit_answers_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with simulated(S1, tmp_path) as one, simulated(S2, tmp_path) as two, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", one.rtu)
        gateway.reads("rack-2", two.rtu)
        await gateway.polls()
        await gateway.ends()
        gateway.reads("rack-1", f"modbus+rtu://{tmp_path / 'gone'}?reconnect_s=1")
        gateway.reads("rack-2", one.rtu)
        await gateway.polls("rack-2", "rack-1")
        (event,) = await events(gateway.outbox, "rack-2")
        assert event.details == {"expected": S2, "found": S1, "known_as": "rack-1"}
        assert f"rack-1: its unit {S1} now answers at rack-2" in caplog.text


def test_a_running_gateway_tells_of_two_urls_of_one_unit(tmp_path: Path, start: Start) -> None:
    site = Site(tmp_path, start)
    site.broker()
    site.ingest()
    unit = site.unit(0, "--modbus-rtu", str(tmp_path / "line"))
    tcp, rtu = f"modbus+tcp://{unit.address('modbus-tcp')}", f"modbus+rtu://{tmp_path / 'line'}"
    gateway = start(
        "gateway", "run", "--config", site.config, f"--unit=a={tcp}", f"--unit=b={rtu}", ready=["gateway"]
    )  # fmt: skip
    gateway.logged("unit_seen_twice")
    reads, twin = ("a", "b") if "b: unit_seen_twice" in gateway.stderr else ("b", "a")
    control(unit, "mains", "off")
    site.wait_for(reads, ["on_battery"], gateway)
    rows = site.wait_for(twin, ["unit_seen_twice"], gateway)
    assert rows[0].details["other"] == reads


async def test_both_exchanged_units_are_read_once_both_are_accepted_in_any_order(tmp_path: Path) -> None:
    async with simulated(S1, tmp_path) as one, simulated(S2, tmp_path) as two, gateway_in(tmp_path) as gateway:
        gateway.reads("rack-1", one.tcp)
        gateway.reads("rack-2", two.tcp)
        await gateway.polls()
        await gateway.ends()
        gateway.reads("rack-1", two.tcp)
        gateway.reads("rack-2", one.tcp)
        await gateway.polls()
        for name, serial in (("rack-2", S1), ("rack-1", S2)):
            gateway.outbox.pin(name, serial)
            await gateway.outbox.flushed()
            await gateway.polls(name)
        one.fail_the_mains()
        await gateway.polls_until("rack-2", "on_battery")
        assert await told(gateway.outbox, "rack-1") == ["unit_identity_changed", "unit_accepted"]
        assert await told(gateway.outbox, "rack-2") == ["unit_identity_changed", "unit_accepted", "on_battery"]
        gateway.reads("rack-3", two.rtu)
        await gateway.polls("rack-3")
        (event,) = await events(gateway.outbox, "rack-3")
        assert event.details == {"serial": S2, "other": "rack-1"}
