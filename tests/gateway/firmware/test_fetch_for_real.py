"""1 MiB over a real broker with TLS: honest, and with a relay between that loses, doubles, reorders and damages."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloud_bridge.runtime.firmware.serve import ChunkServer, Shelf
from gateway.firmware.download_state import End
from gateway.runtime.firmware.fetch import Fetch, Line
from gateway.runtime.firmware.part import PartFile, whole
from gateway.wire import codec, topics
from gateway.wire.messages import Message
from gateway.wire.topics import Up
from tests.cloud_bridge.conformance.brokers import Broker, Client, Heard, embedded, mosquitto_at
from tests.gateway.firmware.images import facts_of, image_bytes, image_of

DATA = image_bytes(1024 * 1024)
IMAGE = image_of(DATA, chunk=16 * 1024)
WAIT_S = 60.0
LIMIT_S = 2.0
"""Of 1 MiB on loopback."""
END = Heard("", b"", 0, retain=False)

Publish = Callable[[str, bytes, int], None]


@pytest.fixture(scope="module", params=["embedded", pytest.param("mosquitto", marks=pytest.mark.peer)])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    root: Path = tmp_path_factory.mktemp("broker")
    if request.param == "embedded":
        with embedded(root) as running:
            yield running
    else:
        with mosquitto_at(root, request.getfixturevalue("mosquitto")) as running:
            yield running


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    target = tmp_path / "targets" / "18" / f"{IMAGE.sha256}.bin"
    target.parent.mkdir(parents=True)
    target.write_bytes(DATA)
    return Shelf(tmp_path / "targets")


class BadRelay:
    """Between bridge and broker: a twentieth each of the chunks is lost, doubled, damaged, or held back."""

    def __init__(self, publish: Publish, chance: random.Random) -> None:
        self._publish = publish
        self._chance = chance
        self._held: list[tuple[str, bytes, int]] = []
        self.done = {"lost": 0, "doubled": 0, "damaged": 0, "reordered": 0}

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        fate = self._chance.choice([*self.done, *["passed"] * 16])
        self.done[fate] = self.done.get(fate, 0) + 1
        match fate:
            case "lost":
                return
            case "reordered":
                self._held.append((topic, payload, qos))
                return
            case "damaged":
                at = self._chance.randrange(len(payload))
                payload = payload[:at] + bytes([payload[at] ^ 0x10]) + payload[at + 1 :]
            case "doubled":
                self._publish(topic, payload, qos)
        self._publish(topic, payload, qos)
        while self._held:
            self._publish(*self._held.pop())


class Site:
    """A gateway's download and the bridge, each with a client of its own at the broker."""

    def __init__(self, broker: Broker, shelf: Shelf, folder: Path, between: Callable[[Publish], Publish]) -> None:
        name = broker.new_gateway()
        self.pi, self.bridge = broker.client(name), broker.bridge()
        self.pi.subscribe(f"ups/v1/{name}/down/firmware")
        self.chunk_topic = topics.chunk(name)
        self.request_topic = topics.up(name, Up.FIRMWARE)
        self.part = PartFile(folder, IMAGE, reserve_bytes=0)
        self.fetch = Fetch(self.part, Line(self.publish, self.listen, lambda: False), connected=True)
        self.server = ChunkServer(between(self.say), shelf.find)
        self.requests = self.chunk_bytes = 0

    def say(self, topic: str, payload: bytes, qos: int) -> None:
        self.bridge.say(topic, payload, qos)

    def publish(self, kind: Up, message: Message, qos: int) -> bool:
        self.requests += 1
        self.pi.say(self.request_topic, codec.encode(message), qos)
        return True

    def listen(self, on: bool) -> None:
        if on:
            self.pi.subscribe(self.chunk_topic, qos=0)

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump(self.bridge, self._asked))
            tasks.create_task(self._pump(self.pi, self._came))
            try:
                yield
            finally:
                self.pi.heard.put(END)
                self.bridge.heard.put(END)

    async def _pump(self, client: Client, to: Callable[[Heard], None]) -> None:
        while (heard := await asyncio.to_thread(client.next, WAIT_S)) is not END:
            to(heard)

    def _asked(self, heard: Heard) -> None:
        if heard.topic == self.request_topic:
            self.server.heard(heard.topic.split("/")[2], heard.payload)

    def _came(self, heard: Heard) -> None:
        if heard.topic == self.chunk_topic:
            assert heard.qos == 0
            self.chunk_bytes += len(heard.payload)
            self.fetch.chunk(heard.payload)
        else:
            self.fetch.control(heard.payload)


@pytest.fixture
def tidy(broker: Broker) -> Iterator[None]:
    yield
    broker.tidy()


async def test_a_mebibyte_arrives_whole_in_time_and_no_chunk_twice(
    broker: Broker, shelf: Shelf, tmp_path: Path, tidy: None
) -> None:
    site = Site(broker, shelf, tmp_path / "firmware", lambda publish: publish)
    began_s = time.monotonic()
    async with site.talking():
        outcome = await asyncio.wait_for(site.fetch.run(), WAIT_S)
    assert outcome.end is End.COMPLETE
    assert time.monotonic() - began_s < LIMIT_S
    assert outcome.path is not None
    assert whole(outcome.path, facts_of(IMAGE))
    assert site.chunk_bytes == len(DATA) + 64 * 16


async def test_i13_a_mebibyte_arrives_whole_over_a_line_that_loses_doubles_reorders_and_damages(
    broker: Broker, shelf: Shelf, tmp_path: Path, tidy: None
) -> None:
    relays: list[BadRelay] = []

    def between(publish: Publish) -> Publish:
        relays.append(BadRelay(publish, random.Random(4)))
        return relays[0].publish

    site = Site(broker, shelf, tmp_path / "firmware", between)
    async with site.talking():
        outcome = await asyncio.wait_for(site.fetch.run(), WAIT_S)
    assert outcome.end is End.COMPLETE
    assert outcome.path is not None
    assert outcome.path.read_bytes() == DATA
    assert all(relays[0].done.values()), "each kind of damage was done"
    assert site.chunk_bytes < 2 * len(DATA)


async def test_what_the_cloud_no_longer_has_ends_it(broker: Broker, tmp_path: Path, tidy: None) -> None:
    site = Site(broker, Shelf(tmp_path / "targets"), tmp_path / "firmware", lambda publish: publish)
    async with site.talking():
        outcome = await asyncio.wait_for(site.fetch.run(), WAIT_S)
    assert outcome.end is End.GONE
    assert site.requests == 1
