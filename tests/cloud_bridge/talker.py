"""A gateway's side of the wire, without a gateway: says what it is told to and keeps what it is answered."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.wire import codec
from gateway.wire.messages import Ack, Lane, Message
from gateway.wire.topics import Down, Up, down, down_tree, up

ANSWER_S = 20.0


class Talker:
    """A context manager: one connection of gateway `name`, with the keys that `cloud init` made for it."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.name = name
        keys = folder / "gateways" / name
        context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        context.load_cert_chain(keys / "gateway.pem", keys / "gateway.key")
        self._acks: list[Ack] = []
        self._heard: list[tuple[Down, bytes]] = []
        self._news = threading.Condition()
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, reconnect_on_failure=False)
        self._client.username_pw_set(name)
        self._client.tls_set_context(context)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(down_tree(name), qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.connect("127.0.0.1", port, 30)

    def __enter__(self) -> Talker:
        self._client.loop_start()
        self._wait(lambda: self._subscribed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, kind: Up, message: Message | bytes) -> None:
        payload = message if isinstance(message, bytes) else codec.encode(message)
        self._client.publish(up(self.name, kind), payload, qos=1)

    def retain(self, kind: Up, payload: bytes) -> None:
        """Says it and has the broker keep it for later subscribers."""
        self._client.publish(up(self.name, kind), payload, qos=1, retain=True).wait_for_publish(ANSWER_S)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1)

    def wait_ack(self, wanted: Callable[[Ack], bool]) -> Ack:
        """The first ack, from the beginning of the connection on, that is wanted."""
        found: list[Ack] = []

        def come() -> bool:
            found[:] = [ack for ack in self._acks if wanted(ack)]
            return bool(found)

        self._wait(come)
        return found[0]

    def wait_through(self, lane: Lane, through: int) -> Ack:
        return self.wait_ack(lambda ack: lane in ack.lanes and ack.lanes[lane].through >= through)

    def wait_for(self, kind: Down, times: int = 1) -> bytes:
        """Payload of the message of this kind that is heard as the so-manieth."""
        found: list[bytes] = []

        def come() -> bool:
            found[:] = [payload for each, payload in self._heard if each is kind]
            return len(found) >= times

        self._wait(come)
        return found[times - 1]

    def heard(self, kind: Down) -> list[bytes]:
        """What came of this kind by now."""
        with self._news:
            return [payload for each, payload in self._heard if each is kind]

    @property
    def acks(self) -> list[Ack]:
        with self._news:
            return list(self._acks)

    def _wait(self, come: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(come, ANSWER_S), f"{self.name} heard only {self._acks}"

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._news:
            if message.topic == down(self.name, Down.ACK):
                self._acks.append(codec.decode(bytes(message.payload), Ack))
            else:
                self._heard.append((Down(message.topic.rsplit("/", 1)[1]), bytes(message.payload)))
            self._news.notify_all()

    def _on_subscribe(self, *_: object) -> None:
        with self._news:
            self._subscribed = True
            self._news.notify_all()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def eventually(look: Callable[[], bool], what: str, *, within_s: float = ANSWER_S) -> None:
    """Waits until another process has done something that it tells nobody of."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not look():
        assert time.monotonic() < deadline, what
        pause.wait(0.02)
