"""One connection to a broker that says what it should not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from cloud_bridge.folder import Folder
from cloud_bridge.runtime.init import init
from config.runtime.files import load
from gateway.runtime.connection import Broker, Connection
from gateway.runtime.tls import client_context
from gateway.settings import GatewaySettings
from gateway.wire.messages import Heartbeat, Offline
from gateway.wire.topics import Down, Up

CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x01"
WAIT_S = 20.0


class Heard:
    """A whole listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()

    def connected(self) -> None:
        self.told.put_nowait(("connected",))

    def received(self, kind: Down, payload: bytes) -> None:
        assert kind is Down.ACK
        self.told.put_nowait(("received", payload))

    def lost(self, why: str, hopeless: bool) -> None:
        self.told.put_nowait(("lost", why, hopeless))

    async def next(self) -> tuple[object, ...]:
        return await asyncio.wait_for(self.told.get(), WAIT_S)


class Talk:
    """A TLS server for one connection: answers its packets with the given bytes, one after the other, then closes.

    `to_the_end`: it hears the connection out before it closes.
    """

    def __init__(self, folder: Folder, answers: list[bytes], *, to_the_end: bool = False) -> None:
        self.answers, self.to_the_end = answers, to_the_end
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder.root / "broker.pem", folder.root / "broker.key")
        self.heard = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_S)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    async def __aenter__(self) -> Talk:
        self.task = asyncio.create_task(asyncio.to_thread(self._talk))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.task

    def _talk(self) -> None:
        with self.listener, self.listener.accept()[0] as raw:
            raw.settimeout(WAIT_S)
            with suppress(OSError), self.context.wrap_socket(raw, server_side=True) as tls:
                self._answer(tls)

    def _answer(self, tls: ssl.SSLSocket) -> None:
        for answer in self.answers:
            self.heard += tls.recv(4096)
            tls.sendall(answer)
        while self.to_the_end and (more := tls.recv(4096)):
            self.heard += more


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return init(tmp_path_factory.mktemp("cloud") / "cloud", "127.0.0.1:8883", ["pi"])


def connection(folder: Folder, port: int, heard: Heard) -> Connection:
    settings = load(Path(folder.gateway("pi")) / "gateway.yaml", GatewaySettings)
    broker = Broker("127.0.0.1", port, "pi", client_context(settings.tls))
    return Connection(broker, "c" * 16, heard, asyncio.get_running_loop())


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([b"\x00\x00"], "Unrecognised command"),
        ([b"\xff\xff\xff\xff\xff\xff\xff\xff"], "clos"),
        ([b"\x20\x00"], "clos"),
        ([b"\x20\x02\x00\x05"], "the broker refuses pi: Not authorized"),
        ([CONNACK, b"\x90\x03\x00\x01\x80"], "does not let pi hear the cloud"),
        ([b""], "does it know the certificate of pi?"),
    ],
    ids=["reserved", "endless-length", "short-connack", "refused", "no-subscription", "silent"],
)
async def test_whatever_a_broker_says_ends_in_one_loss(folder: Folder, answers: list[bytes], told: str) -> None:
    heard = Heard()
    async with Talk(folder, answers) as talk:
        connection(folder, talk.port, heard).open()
        kind, why, _ = await heard.next()
    assert kind == "lost"
    assert told in str(why)
    assert heard.told.empty()


async def test_a_packet_longer_than_anything_of_ours_ends_the_connection_before_it_is_read(folder: Folder) -> None:
    heard = Heard()
    async with Talk(folder, [CONNACK + b"\x30\xff\xff\xff\x7f\x00\x01a"], to_the_end=True) as talk:
        connection(folder, talk.port, heard).open()
        assert await heard.next() == ("lost", "the broker says 268435455 bytes at once, 132096 are read", False)


async def test_a_refused_name_is_hopeless_and_a_broker_that_goes_away_is_not(folder: Folder) -> None:
    for answers, hopeless in (([b"\x20\x02\x00\x05"], True), ([CONNACK], False)):
        heard = Heard()
        async with Talk(folder, answers) as talk:
            connection(folder, talk.port, heard).open()
            assert (await heard.next())[2] is hopeless


async def test_it_is_connected_once_the_subscription_is_granted_and_hears_acknowledgements(folder: Folder) -> None:
    topic = b"ups/v1/pi/down/ack"
    payload = b"{}"
    body = len(topic).to_bytes(2) + topic + payload
    live = bytes([0x30, len(body)]) + body
    retained = bytes([0x31, len(body)]) + body
    heard = Heard()
    async with Talk(folder, [CONNACK, SUBACK + retained + live]) as talk:
        connection(folder, talk.port, heard).open()
        assert await heard.next() == ("connected",)
        assert await heard.next() == ("received", payload)
        assert (await heard.next())[0] == "lost"


async def test_who_it_is_and_what_its_will_says_stand_in_the_first_packet(folder: Folder) -> None:
    heard = Heard()
    async with Talk(folder, [b""]) as talk:
        connection(folder, talk.port, heard).open()
        await heard.next()
    packet = bytes(talk.heard)
    assert packet[2:9] == b"\x00\x04MQTT\x04"
    assert packet[9] & 0x02, "clean session"
    assert packet[10:12] == (30).to_bytes(2), "keep-alive"
    assert b"ups/v1/pi/up/offline" in packet
    assert b'{"conn":"cccccccccccccccc"}' in packet


async def test_a_connection_that_is_over_says_nothing_more(folder: Folder) -> None:
    heard = Heard()
    async with Talk(folder, [CONNACK]) as talk:
        one = connection(folder, talk.port, heard)
        one.open()
        await heard.next()
    one.publish(Up.HEARTBEAT, Heartbeat(conn="c", at=1), 0)
    await one.close(Offline(conn="c", why="stopped"))
    assert heard.told.empty()


async def test_a_clean_close_says_its_last_word_and_disconnects(folder: Folder) -> None:
    heard = Heard()
    async with Talk(folder, [CONNACK, SUBACK, b"\x40\x02\x00\x02"], to_the_end=True) as talk:
        one = connection(folder, talk.port, heard)
        one.open()
        await heard.next()
        await one.close(Offline(conn="c", why="stopped"))
    assert b'"why":"stopped"' in talk.heard
    assert heard.told.empty()


async def test_a_broker_under_another_name_is_not_believed(folder: Folder, tmp_path: Path) -> None:
    elsewhere = init(tmp_path / "other", "127.0.0.1:8883", [])
    heard = Heard()
    async with Talk(elsewhere, [CONNACK]) as talk:
        connection(folder, talk.port, heard).open()
        kind, why, hopeless = await heard.next()
    assert (kind, hopeless) == ("lost", True)
    assert "certificate is refused" in str(why)
