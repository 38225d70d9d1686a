"""The emergency route at work: outbox file, process that sends and servers are real; the cloud is away."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.ups import CATALOGUE
from gateway.records import record
from gateway.runtime.clock import SystemClock
from gateway.runtime.emergency import NOTE, Emergency
from gateway.runtime.outbox import Outbox
from gateway.settings import EmergencySettings, GatewaySettings, NtfyRoute, Tls
from gateway.wire.messages import EventBody, Kind, Lane, LaneAck
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start
from tests.gateway.polled import outbox_in
from tests.gateway.postbox import Postbox, Topic, postbox, topic
from tests.gateway.site import NAME, Site, control, ridethrough

TLS = Tls(ca=Path("ca"), certificate=Path("c"), key=Path("k"))
CLOCK = SystemClock()


def settings(route: NtfyRoute, **more: Any) -> GatewaySettings:
    """At once, and so often that no test waits for it."""
    emergency = EmergencySettings(**{"ntfy": route, "after_s": 0, "an_hour": 60, **more})
    return GatewaySettings(
        gateway="pi", cloud="mqtts://c:8883", tls=TLS, data=Path("unused"), emergency=emergency, units=()
    )


def happen(outbox: Outbox, *kinds: str, unit: str = "rack-1") -> None:
    for kind in kinds:
        body = EventBody(type=kind, severity=CATALOGUE[kind].severity)
        outbox.events(unit, [record(Kind.EVENT, CLOCK.stamp(), unit, body)])


class Watch:
    """`look` looks once, as `run` does every few seconds."""

    def __init__(self, outbox: Outbox, heard: Topic, **more: Any) -> None:
        self.settings = settings(NtfyRoute(url=f"http://127.0.0.1:{heard.port}/a"), **more)
        self.outbox, self.heard = outbox, heard
        self.emergency = Emergency(self.settings, outbox, CLOCK, lambda: "no route to host")

    async def look(self) -> None:
        await self.outbox.flushed()
        assert self.settings.emergency is not None
        await self.emergency.look(self.settings.emergency)

    @property
    def texts(self) -> list[str]:
        return [body for _, body in self.heard.requests]


@asynccontextmanager
async def watched(folder: Path, **more: Any) -> AsyncIterator[Watch]:
    async with topic() as heard, outbox_in(folder / "data") as outbox:
        yield Watch(outbox, heard, **more)


async def test_an_event_that_the_cloud_does_not_acknowledge_is_told_once(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        happen(watch.outbox, "gateway_started", "overload")
        await watch.look()
        await watch.look()
        (text,) = watch.texts
    assert "rack-1: overload" in text
    assert "no route to host" in text
    assert "gateway started" not in text


async def test_what_the_cloud_has_acknowledged_is_not_told(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        happen(watch.outbox, "overload", "low_battery")
        await watch.outbox.flushed()
        book = watch.outbox.books[Lane.EVENTS]
        book.outgoing(0.0)
        book.acknowledged(LaneAck(stream=book.stream, through=1))
        await watch.look()
        (text,) = watch.texts
    assert "overload" not in text
    assert "low battery" in text


async def test_a_restart_tells_nothing_again_and_what_came_meanwhile(tmp_path: Path) -> None:
    async with topic() as heard:
        async with outbox_in(tmp_path / "data") as outbox:
            happen(outbox, "overload")
            await Watch(outbox, heard).look()
        async with outbox_in(tmp_path / "data") as outbox:
            happen(outbox, "low_battery")
            await Watch(outbox, heard).look()
            await Watch(outbox, heard).look()
    assert ["overload" in body for _, body in heard.requests] == [True, False]
    assert "low battery" in heard.requests[1][1]


async def test_a_route_that_fails_is_tried_again_later_and_told_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(tmp_path) as watch:
        watch.heard.status = 503
        happen(watch.outbox, "overload")
        await watch.look()
        await watch.look()
        assert len(watch.texts) == 1
        watch.heard.status = 200
        # Settings that changed are reason enough to try at once.
        watch.emergency.use(settings(NtfyRoute(url=f"http://127.0.0.1:{watch.heard.port}/b")))
        await watch.look()
        await watch.look()
        assert len(watch.texts) == 2
    failures = [each for each in caplog.messages if "the emergency route fails" in each]
    assert len(failures) == 1
    assert "HTTP status 503" in failures[0]


async def test_a_card_that_fails_keeps_no_alarm_back(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        happen(watch.outbox, "gateway_started")
        await watch.look()
        with unusable(watch.outbox.writer.path):
            happen(watch.outbox, "overload")
            await watch.look()
            assert watch.outbox.writer.trouble
            await watch.look()
        assert ["overload" in text for text in watch.texts] == [True]


@contextmanager
def unusable(path: Path) -> Iterator[None]:
    """Nothing can be read or written: the table is elsewhere."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("ALTER TABLE record RENAME TO elsewhere")
        yield
        file.execute("ALTER TABLE elsewhere RENAME TO record")


async def test_s16_a_restored_card_tells_nothing_again(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        outbox = watch.outbox
        happen(outbox, "gateway_started", "overload")
        await watch.look()
        happen(outbox, "low_battery")
        await outbox.flushed()
        book = outbox.books[Lane.EVENTS]
        unsaved = book.unsaved()
        shift = book.renew("f" * 16, 99)
        await outbox.writer.submit(lambda file: file.move(unsaved, shift, book.kept(online=True), 0))
        await watch.look()
        assert len(watch.texts) == 1, "numbers are changing: nothing is read"
        book.moved(shift)
        await watch.look()
        await watch.look()
    assert ["overload" in text for text in watch.texts] == [True, False]
    assert "low battery" in watch.texts[1]


async def test_a_backlog_longer_than_is_read_at_once_is_read_to_its_end(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        happen(watch.outbox, *["self_test_passed"] * 450, "overload")
        await watch.look()
        (text,) = watch.texts
    assert "overload" in text


async def test_what_was_told_is_on_the_disk_soon(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        happen(watch.outbox, "overload")
        await watch.look()
        await watch.outbox.flushed()
        kept = await watch.outbox.writer.submit(lambda file: file.note(NOTE), reads=True)
    assert kept is not None
    assert msgspec.json.decode(kept)["through"] == 1


# the whole gateway


def with_route(site: Site, port: int) -> None:
    """A mail route in the settings of the site's gateway, as fast as settings may ask for."""
    mail = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "ups@example.net",
        "to": ["me@example.net"],
    }
    emergency = json.dumps({"after_s": 5, "on_battery_s": 0, "mail": mail})
    site.config.write_text(f"{site.config.read_text()}\nemergency: {emergency}\n")


def subjects(box: Postbox) -> list[str]:
    return [str(letter["Subject"]) for letter in box.letters]


@pytest.mark.slow
async def test_without_a_cloud_an_outage_is_told_by_mail_once_and_by_the_cloud_nothing_is_lost(
    tmp_path: Path, start: Start
) -> None:
    async with postbox() as box:
        site = await asyncio.to_thread(Site, tmp_path, start)
        await asyncio.to_thread(outage, site, box.port)
        async with asyncio.timeout(30):
            await box.arrived.wait()
        box.arrived.clear()
        await asyncio.to_thread(second_gateway, site)
        async with asyncio.timeout(30):
            await box.arrived.wait()
    first, second = subjects(box)
    assert first == f"[{NAME}] rack-1: on battery, cloud unreachable"
    assert second.startswith(f"[{NAME}] rack-1: ")
    said = box.letters[1].get_content()
    assert "rack-1: output off" in said
    assert "rack-1: on battery" not in said


def outage(site: Site, mail_port: int) -> None:
    """The route comes with a reload; the gateway is killed once what follows is on its disk."""
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    with_route(site, mail_port)
    gateway.hang_up()
    gateway.logged("new emergency route")
    control(unit, "mains", "off")
    gateway.logged("on_battery")
    gateway.logged("told by the emergency route")
    control(unit, "battery", "0")
    with closing(sqlite3.connect(f"file:{site.outbox}?mode=ro", uri=True)) as file:
        kept = "SELECT count(*) FROM record WHERE lane = 'events' AND instr(raw, CAST('output_off' AS BLOB))"
        eventually(lambda: file.execute(kept).fetchone()[0] == 1, "output_off kept")
    gateway.kill()


def second_gateway(site: Site) -> None:
    site.gateway(("rack-1", "127.0.0.1:9"))


def test_a_test_message_is_sent_without_a_running_gateway_and_a_route_that_fails_is_told(
    tmp_path: Path, start: Start
) -> None:
    site = Site(tmp_path, start)
    assert (
        "names no emergency route" in ridethrough("gateway", "emergency-test", "--config", site.config, status=2).stderr
    )
    with_route(site, 9)
    failed = ridethrough("gateway", "emergency-test", "--config", site.config, status=1)
    assert "mail by 127.0.0.1: Connection refused" in failed.stderr


async def test_a_test_message_arrives(tmp_path: Path, start: Start) -> None:
    async with postbox() as box:
        site = await asyncio.to_thread(Site, tmp_path, start)
        await asyncio.to_thread(with_route, site, box.port)
        done = await asyncio.to_thread(ridethrough, "gateway", "emergency-test", "--config", site.config)
        assert done.stdout == "sent; look whether it arrives\n"
    assert subjects(box) == [f"[{NAME}] test of the emergency route"]
