"""The acting receiver, on a real part file and a line in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_bridge.runtime.firmware.serve import ChunkServer
from gateway.firmware.download_state import ATTEMPTS, End, Progress, Spent
from gateway.runtime.firmware.fetch import Fetch, Line, Outcome
from gateway.runtime.firmware.part import PartFile
from gateway.wire import codec
from gateway.wire.chunks import ChunksRefused, ChunksWanted, Frame, Why, pack, packed
from gateway.wire.messages import Message
from gateway.wire.topics import Up
from tests.gateway.firmware.images import image_bytes, image_of

DATA = image_bytes(60 * 1024 + 1)
IMAGE = image_of(DATA)
WAIT_S = 20.0
Bridge = Callable[["Site", ChunksWanted], None]


class Site:
    """A gateway with one download, and a bridge on the other end of a line in memory."""

    def __init__(self, folder: Path, bridge: Bridge, pwrite: Callable[[int, bytes, int], int] = os.pwrite) -> None:
        self.folder = folder
        self.part = PartFile(folder / "firmware", IMAGE, reserve_bytes=0, pwrite=pwrite)
        self.bridge = bridge
        self.requests: list[ChunksWanted] = []
        self.listening: list[bool] = []
        self.progress: list[Progress] = []
        self.online = True
        self.busy = False
        self.looked = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        line = Line(self.publish, self.listening.append, self.event_under_way)
        self.fetch = Fetch(self.part, line, connected=True, on_progress=self.progress.append)

    def publish(self, kind: Up, message: Message, qos: int) -> bool:
        assert (kind, qos) == (Up.FIRMWARE, 1)
        if self.online:
            assert isinstance(message, ChunksWanted)
            self.requests.append(message)
            self.loop.call_soon(self.bridge, self, message)
        return self.online

    def event_under_way(self) -> bool:
        self.looked.set()
        return self.busy

    async def run(self) -> Outcome:
        return await asyncio.wait_for(self.fetch.run(), WAIT_S)


def honest(site: Site, wanted: ChunksWanted) -> None:
    (site.folder / "target").write_bytes(DATA)

    def publish(topic: str, payload: bytes, _qos: int) -> None:
        site.fetch.chunk(payload) if topic.endswith("/chunk") else site.fetch.control(payload)

    ChunkServer(publish, lambda _sha256: site.folder / "target").heard("pi-1", codec.encode(wanted))


def silent(site: Site, wanted: ChunksWanted) -> None:
    """Whatever it is asked."""


async def test_an_image_arrives_whole_and_its_topic_is_left(tmp_path: Path) -> None:
    site = Site(tmp_path, honest)
    outcome = await site.run()
    assert outcome.end is End.COMPLETE
    assert outcome.path is not None
    assert outcome.path.read_bytes() == DATA
    assert site.listening == [True, False]
    assert site.progress[0] == Progress(0, 61, 0, len(DATA))
    assert site.progress[-1].bytes >= len(DATA) * 0.95
    assert len(site.progress) <= 21
    assert [path.name for path in (tmp_path / "firmware").iterdir()] == [outcome.path.name]


async def test_an_image_that_is_there_already_is_looked_at_and_not_asked_for(tmp_path: Path) -> None:
    await Site(tmp_path, honest).run()
    site = Site(tmp_path, silent)
    assert (await site.run()).end is End.COMPLETE
    assert site.requests == []


async def test_i12_stopped_in_the_middle_it_goes_on_with_what_does_not_hash(tmp_path: Path) -> None:
    middle = asyncio.Event()

    def half(site: Site, wanted: ChunksWanted) -> None:
        if len(site.requests) < 5:
            honest(site, wanted)
        else:
            middle.set()

    site = Site(tmp_path, half)
    task = asyncio.create_task(site.fetch.run())
    await asyncio.wait_for(middle.wait(), WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with PartFile(tmp_path / "firmware", IMAGE, reserve_bytes=0) as part:
        have = part.open()
    assert 0 < have.bit_count() < 61
    again = Site(tmp_path, honest)
    assert (await again.run()).end is End.COMPLETE
    assert again.requests[0].missing == packed((1 << 61) - 1 & ~have)
    sent = sum(request.window for request in again.requests)
    assert sent == 61 - have.bit_count()


async def test_a_line_that_is_gone_is_waited_for_and_the_topic_subscribed_to_again(tmp_path: Path) -> None:
    gone = asyncio.Event()

    def breaks(site: Site, wanted: ChunksWanted) -> None:
        if site.online and len(site.requests) == 3 and not gone.is_set():
            site.online = False
            site.fetch.lost()
            gone.set()
        elif site.online:
            honest(site, wanted)

    site = Site(tmp_path, breaks)
    task = asyncio.create_task(site.run())
    await asyncio.wait_for(gone.wait(), WAIT_S)
    site.online = True
    site.fetch.connected()
    assert (await task).end is End.COMPLETE
    assert site.listening == [True, True, False]


async def test_while_an_event_is_under_way_nothing_is_asked_for(tmp_path: Path) -> None:
    site = Site(tmp_path, honest)
    site.busy = True
    task = asyncio.create_task(site.run())
    for _ in range(5):
        site.looked.clear()
        await asyncio.wait_for(site.looked.wait(), WAIT_S)
    asked = len(site.requests)
    for _ in range(5):
        site.looked.clear()
        await asyncio.wait_for(site.looked.wait(), WAIT_S)
    assert len(site.requests) == asked <= 1
    site.busy = False
    assert (await task).end is End.COMPLETE


@pytest.mark.parametrize(("why", "end"), [(Why.GONE, End.GONE), (Why.CANCELLED, End.CANCELLED)])
async def test_the_bridge_s_word_ends_it_at_once_and_what_came_stays(tmp_path: Path, why: Why, end: End) -> None:
    def ends(site: Site, wanted: ChunksWanted) -> None:
        if len(site.requests) == 3:
            site.fetch.control(b"not a reply")
            site.fetch.control(codec.encode(ChunksRefused(transfer=wanted.transfer, why=why)))
        else:
            honest(site, wanted)

    site = Site(tmp_path, ends)
    outcome = await site.run()
    assert (outcome.end, outcome.path) == (end, None)
    assert outcome.why
    with site.part as part:
        assert part.open()
        assert part.spent() == Spent()


async def test_cancelled_by_us_it_ends_without_a_word_to_the_bridge(tmp_path: Path) -> None:
    site = Site(tmp_path, silent)
    site.fetch.cancel()
    assert (await site.run()).end is End.CANCELLED
    site.fetch.connected()
    assert site.listening == [True, False]


async def test_paused_it_asks_for_nothing_until_it_goes_on(tmp_path: Path) -> None:
    site = Site(tmp_path, honest)
    site.fetch.pause()
    task = asyncio.create_task(site.run())
    await asyncio.wait_for(site.looked.wait(), WAIT_S)
    assert site.requests == []
    site.fetch.resume()
    assert (await task).end is End.COMPLETE


async def test_i26_endless_lies_cost_three_times_the_size_and_install_nothing(tmp_path: Path) -> None:
    heard = [0]

    def lies(site: Site, wanted: ChunksWanted) -> None:
        def flood() -> None:
            if site.listening[-1]:
                for index in range(100):
                    payload = pack(Frame(wanted.transfer, index % 61, bytes([index]) * 1024))
                    heard[0] += len(payload)
                    site.fetch.chunk(payload)
                site.loop.call_soon(flood)

        flood()

    site = Site(tmp_path, lies)
    outcome = await site.run()
    assert outcome.end is End.BYTES
    assert heard[0] <= 256 * 1024 + 300 * 1040
    assert not list((tmp_path / "firmware").glob("*.img"))


@pytest.mark.parametrize(("error", "end"), [(28, End.DISK_FULL), (5, End.DISK_FAILED)])
async def test_i22_a_disk_that_takes_no_more_is_a_clean_named_end(tmp_path: Path, error: int, end: End) -> None:
    def pwrite(file: int, data: bytes, offset: int) -> int:
        if offset >= 20 * 1024:
            raise OSError(error, os.strerror(error))
        return os.pwrite(file, data, offset)

    outcome = await Site(tmp_path, honest, pwrite).run()
    assert outcome.end is end
    assert os.strerror(error) in outcome.why
    assert (await Site(tmp_path, honest).run()).end is End.COMPLETE


async def test_i22_without_room_nothing_is_asked_for(tmp_path: Path) -> None:
    site = Site(tmp_path, honest)
    site.part = PartFile(tmp_path / "firmware", IMAGE, reserve_bytes=2**60)
    line = Line(site.publish, site.listening.append, site.event_under_way)
    site.fetch = Fetch(site.part, line, connected=True)
    assert (await site.run()).end is End.NO_ROOM
    assert site.requests == []


async def test_restarts_that_bring_nothing_use_the_attempts_up(tmp_path: Path) -> None:
    for _ in range(ATTEMPTS):
        site = Site(tmp_path, silent)
        task = asyncio.create_task(site.fetch.run())
        await asyncio.wait_for(site.looked.wait(), WAIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await Site(tmp_path, honest).run()).end is End.ATTEMPTS
    assert (await Site(tmp_path, honest).run()).end is End.COMPLETE, "another job has budgets of its own"


async def test_restarts_that_each_bring_a_chunk_use_no_attempts_up(tmp_path: Path) -> None:
    for _ in range(2):
        asked_more = asyncio.Event()

        def one_window(site: Site, wanted: ChunksWanted, asked_more: asyncio.Event = asked_more) -> None:
            if len(site.requests) == 1:
                honest(site, wanted)
            else:
                asked_more.set()

        site = Site(tmp_path, one_window)
        task = asyncio.create_task(site.fetch.run())
        await asyncio.wait_for(asked_more.wait(), WAIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert site.part.spent().attempts == 0
