"""The black boxes with a real outbox file: kept, told once, gone on with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.runtime.blackbox import BlackBox
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.seen import Seen
from gateway.store import outages
from gateway.store.outbox import OutboxFile
from gateway.wire.codec import decode_body, decode_record
from gateway.wire.messages import Kind
from gateway.wire.outage import OutageBody
from tests.gateway.polled import outbox_in
from tests.gateway.test_blackbox import seen
from tests.gateway.watched_unit import ON_BATTERY, ONLINE, reading


async def told(outbox: Outbox) -> list[OutageBody]:
    def rows(file: OutboxFile) -> list[bytes]:
        return [bytes(row[0]) for row in file.connection.execute("SELECT raw FROM record WHERE lane = 'events'")]

    records = [decode_record(raw) for raw in await outbox.writer.submit(rows)]
    return [decode_body(one, OutageBody) for one in records if one.kind == Kind.OUTAGE]


def readings(*pairs: tuple[float, int]) -> list[Seen]:
    return [seen(second, reading(second, word)) for second, word in pairs]


async def test_an_outage_is_kept_here_and_told_as_one_record(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        boxes = BlackBox(outbox, SystemClock())
        await boxes.open()
        for one in readings((0, ONLINE), (10, ON_BATTERY), (40, ONLINE), (101, ONLINE)):
            boxes.watch(one)
        (kept,) = await boxes.recent(10)
        assert kept.unit == "rack-1"
        assert kept.outage.delivered_s == 30.0
        assert await told(outbox) == [kept.outage]


async def test_two_units_do_not_mix(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        boxes = BlackBox(outbox, SystemClock())
        for one in readings((0, ONLINE), (10, ON_BATTERY), (40, ONLINE), (101, ONLINE)):
            boxes.watch(one)
            boxes.watch(msgspec.structs.replace(one, unit="rack-2", snapshot=reading(0, ONLINE)))
        assert [kept.unit for kept in await boxes.recent(10)] == ["rack-1"]


async def test_an_outage_that_was_open_when_the_gateway_ended_is_gone_on_with(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        boxes = BlackBox(outbox, SystemClock())
        for one in readings((0, ONLINE), (10, ON_BATTERY), (20, ON_BATTERY)):
            boxes.watch(one)
        await boxes.close()
    async with outbox_in(tmp_path) as outbox:
        boxes = BlackBox(outbox, SystemClock())
        await boxes.open()
        for one in readings((40, ON_BATTERY), (50, ONLINE), (115, ONLINE)):
            boxes.watch(one)
        (body,) = await told(outbox)
        assert (body.delivered_s, body.resumed) == (40.0, True)
        assert await outbox.writer.submit(outages.open_ones) == {}


async def test_one_that_can_not_be_read_is_dropped(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        await outbox.writer.submit(lambda file: outages.put_open(file, "rack-1", "x", 1, b"{"))
        await BlackBox(outbox, SystemClock()).open()
        assert await outbox.writer.submit(outages.open_ones) == {}


async def test_a_copy_that_comes_late_does_not_open_an_outage_again(tmp_path: Path) -> None:
    body = OutageBody(id="a", began_at=1, ended_at=2, ended="restored", delivered_s=1.0)
    async with outbox_in(tmp_path) as outbox:
        await outbox.writer.submit(lambda file: outages.put_over(file, "rack-1", body))
        await outbox.writer.submit(lambda file: outages.put_open(file, "rack-1", "a", 1, b"{}"))
        assert await outbox.writer.submit(outages.open_ones) == {}


async def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    bodies = [
        OutageBody(id=str(n), began_at=n, ended_at=n, ended="restored", delivered_s=0.0)
        for n in range(outages.KEPT_AT_MOST + 5)
    ]

    def put_all(file: OutboxFile) -> None:
        for body in bodies:
            outages.put_over(file, "rack-1", body)

    async with outbox_in(tmp_path) as outbox:
        await outbox.writer.submit(put_all)
        kept = await outbox.writer.submit(lambda file: outages.recent(file, 1000))
        assert [one.outage for one in kept] == bodies[:4:-1]
