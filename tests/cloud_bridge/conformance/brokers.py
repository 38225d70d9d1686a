"""A broker of either kind with a cloud's certificates, and clients for it."""

from __future__ import annotations

import itertools
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue
from threading import Event

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from paho.mqtt.enums import CallbackAPIVersion

from cloud_bridge.authority import CURVE, Authority, Use, issue, key_pem, pem
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.init import add_gateway, init
from tests.cloud_bridge.conformance.wire import WAIT_S, Wire
from tests.process import Process

HOST = "127.0.0.1"
CONFIG = Path(__file__).parents[3] / "config" / "broker"
BRIDGE = "bridge"
CONNECT_TIMEOUT_S = 2.0
"""Of the embedded broker in these tests; ten by default."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key on disk."""

    certificate: Path
    key: Path


@dataclass
class Heard:
    """A message as a client got it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Client:
    """A well-behaved client: paho, connected and ready."""

    def __init__(self, name: str, pair: Pair, ca: Path, port: int, *, will: tuple[str, bytes] | None = None) -> None:
        self.name = name
        self.heard: Queue[Heard] = Queue()
        self.gone = Event()
        self._connected, self._subscribed = Event(), Event()
        self._paho = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._paho.username_pw_set(name)
        self._paho.tls_set(ca_certs=str(ca), certfile=str(pair.certificate), keyfile=str(pair.key))
        if will:
            self._paho.will_set(will[0], will[1], qos=1)
        self._paho.max_inflight_messages_set(1000)
        self._paho.on_socket_open = _send_at_once
        self._paho.on_connect = lambda *_: self._connected.set()
        self._paho.on_disconnect = lambda *_: self.gone.set()
        self._paho.on_subscribe = lambda *_: self._subscribed.set()
        self._paho.on_message = self._hear
        self._paho.reconnect_delay_set(60, 60)
        self._paho.connect(HOST, port, keepalive=30)
        self._paho.loop_start()
        assert self._connected.wait(WAIT_S), f"{name} could not connect"

    def _hear(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        self.heard.put(Heard(message.topic, bytes(message.payload), message.qos, message.retain))

    def subscribe(self, topic: str, qos: int = 1) -> None:
        self._subscribed.clear()
        self._paho.subscribe(topic, qos)
        assert self._subscribed.wait(WAIT_S)

    def say(self, topic: str, payload: bytes = b"", qos: int = 1) -> paho.MQTTMessageInfo:
        return self._paho.publish(topic, payload, qos)

    def said(self, topic: str, payload: bytes = b"") -> None:
        """Publishes and waits for the broker's acknowledgement."""
        self.say(topic, payload).wait_for_publish(WAIT_S)

    def next(self, within_s: float = WAIT_S) -> Heard:
        try:
            return self.heard.get(timeout=within_s)
        except Empty:
            raise AssertionError(f"{self.name} heard nothing in {within_s:g} s") from None

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


@dataclass
class Broker:
    """One running broker. Names of gateways are new in each test, so that tests share it and yet nothing
    else."""

    kind: str
    folder: Folder
    gateways_port: int
    bridge_port: int
    process: Process
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _clients: list[Client] = field(default_factory=list)
    _wires: list[Wire] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        return self.folder.authority("services")[0]

    def new_gateway(self) -> str:
        """The name of a gateway that has a certificate."""
        name = f"pi-{next(self._numbers)}"
        add_gateway(self.folder.root, name)
        return name

    def pair(self, name: str) -> Pair:
        if name == BRIDGE:
            return Pair(*self.folder.service(BRIDGE))
        return Pair(self.folder.gateway(name) / "gateway.pem", self.folder.gateway(name) / "gateway.key")

    def client(self, name: str, *, will: tuple[str, bytes] | None = None) -> Client:
        port = self.bridge_port if name == BRIDGE else self.gateways_port
        client = Client(name, self.pair(name), self.ca, port, will=will)
        self._clients.append(client)
        return client

    def bridge(self) -> Client:
        """The bridge, hearing every gateway."""
        client = self.client(BRIDGE)
        client.subscribe("ups/v1/+/up/#")
        return client

    def wire(self, pair: Pair | None, *, port: int | None = None) -> Wire:
        """A TLS connection with this certificate, nothing said yet."""
        wire = Wire(self.tls(pair), (HOST, port or self.gateways_port))
        self._wires.append(wire)
        return wire

    def tls(self, pair: Pair | None) -> ssl.SSLContext:
        """What a client with this certificate makes of TLS."""
        context = ssl.create_default_context(cafile=self.ca)
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        return context

    def gateway_wire(self, name: str) -> Wire:
        return self.wire(self.pair(name))

    def minted(self, authority: str, name: str, use: Use = Use.CLIENT, now: datetime | None = None) -> Pair:
        """A certificate that this cloud never gave out, signed with one of its authorities."""
        certificate_file, key_file = self.folder.authority(authority)
        signing = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)
        signer = Authority(x509.load_pem_x509_certificate(certificate_file.read_bytes()), signing)
        key = ec.generate_private_key(CURVE)
        serial = x509.random_serial_number()
        certificate = issue(signer, name, use, key.public_key(), serial, now or datetime.now(UTC))
        return written(Path(tempfile.mkdtemp(dir=self.folder.root / "data")), certificate, key)

    def tidy(self) -> None:
        """Ends every client that a test left."""
        for wire in self._wires:
            wire.close()
        for client in self._clients:
            client.close()
        self._wires.clear()
        self._clients.clear()


def _send_at_once(client: paho.Client, data: object, connection: object) -> None:
    """Else Nagle's algorithm holds a message back until the one before is acknowledged."""
    assert isinstance(connection, socket.socket)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def written(folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(folder / "any.pem", folder / "any.key")
    pair.certificate.write_bytes(pem(certificate))
    pair.key.write_bytes(key_pem(key))
    return pair


@contextmanager
def embedded(root: Path, limits: Mapping[str, float] | None = None) -> Iterator[Broker]:
    """The embedded broker in a process of its own, at any free port."""
    folder = init(root / "cloud", f"{HOST}:0")
    given = ", ".join(f"{name}: {value}" for name, value in (limits or {}).items())
    more = f"limits: {{{given}}}\n"
    folder.settings.write_text(folder.settings.read_text() + more)
    command: list[str | Path] = [sys.executable, "-m", "cloud_bridge.runtime.broker", "--dir", folder.root]
    process = Process(command, cwd=Path(__file__).parents[3])
    try:
        port = int(process.address("broker").rpartition(":")[2])
        yield Broker("embedded", folder, port, port, process)
    finally:
        process.clean_up()


@contextmanager
def mosquitto_at(root: Path, program: Path) -> Iterator[Broker]:
    """Mosquitto with the configuration that is shipped; only paths and ports are this test's."""
    gateways_port, bridge_port, https_port = _free_ports(3)
    folder = init(root / "cloud", f"{HOST}:{gateways_port}", https=f"{HOST}:{https_port}")
    for acl in ("acl-gateways.conf", "acl-bridge.conf"):
        (folder.root / acl).write_text((CONFIG / acl).read_text())
    shipped = (CONFIG / "mosquitto.conf").read_text()
    for there, here in (
        ("/etc/mosquitto/ridethrough", str(folder.root)),
        ("listener 8883\n", f"listener {gateways_port} {HOST}\n"),
        ("listener 8884 127.0.0.1\n", f"listener {bridge_port} {HOST}\n"),
    ):
        assert there in shipped
        shipped = shipped.replace(there, here)
    # As root it would become the user mosquitto, who can read neither the keys nor the folder of this test.
    (folder.root / "mosquitto.conf").write_text(f"user root\n{shipped}")
    process = Process([program, "-c", folder.root / "mosquitto.conf"])
    try:
        process.logged(" running")
        yield Broker("mosquitto", folder, gateways_port, bridge_port, process)
    finally:
        process.clean_up()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
