"""The broker's process, and what holds for it alone."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.addresses import parse_address
from cloud_bridge.broker.errors import BadPacket
from cloud_bridge.broker.framing import Header, Kind
from cloud_bridge.broker.runtime.broker import HardenedBroker
from cloud_bridge.broker.runtime.door import Door
from cloud_bridge.broker.runtime.handler import decode
from cloud_bridge.broker.runtime.link import Link, Packet
from cloud_bridge.broker.runtime.plugins import CertificateName, TopicRules
from cloud_bridge.folder import GATEWAYS, SERVICES, Folder
from cloud_bridge.runtime.broker import tls_context
from cloud_bridge.runtime.init import init
from cloud_bridge.settings import CloudSettings, Limits
from config.runtime.files import load
from tests.cloud_bridge.conformance.brokers import HOST, Broker, embedded
from tests.cloud_bridge.conformance.wire import (
    SUBACK,
    UNSUBACK,
    WAIT_S,
    Wire,
    connect,
    publish,
    subscribe,
    text,
    unsubscribe,
)
from tests.process import Process

AUTHORITIES = (GATEWAYS, SERVICES)
ROOT = Path(__file__).parents[2]


@contextmanager
def broker_process(folder: Folder) -> Iterator[Process]:
    process = Process([sys.executable, "-m", "cloud_bridge.runtime.broker", "--dir", str(folder.root)], cwd=ROOT)
    try:
        yield process
    finally:
        process.clean_up()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Broker]:
    """A broker with room for two, and a megabyte a day."""
    with embedded(tmp_path, {"connections": 2, "bytes_per_day": 1024 * 1024}) as broker:
        yield broker
        broker.tidy()


async def test_s13_no_plugin_but_ours_decides_who_comes_in() -> None:
    """Without any in its settings amqtt admits everyone."""
    broker = HardenedBroker(Limits())
    assert [type(plugin) for plugin in broker.plugins_manager.plugins] == [CertificateName, TopicRules]


async def test_nothing_of_a_client_stays_when_it_is_gone(tmp_path: Path) -> None:
    """amqtt keeps an empty list for each filter that anyone ever had, and clean sessions until its monitor comes by.
    It also replays whatever is retained; nothing is here, but were it, nobody would get it.
    """
    folder = init(tmp_path / "cloud", f"{HOST}:0", ["pi-1"])
    tls, limits = load(folder.settings, CloudSettings).tls, Limits()
    signers = {name: x509.load_pem_x509_certificate(folder.authority(name)[0].read_bytes()) for name in AUTHORITIES}
    broker, gone = HardenedBroker(limits), asyncio.Event()

    async def serve(link: Link, packet: Packet) -> None:
        await broker.serve(link, packet)
        gone.set()

    def come_and_go(port: int) -> None:
        context = ssl.create_default_context(cafile=tls.services)
        home = folder.gateway("pi-1")
        context.load_cert_chain(home / "gateway.pem", home / "gateway.key")
        with Wire(context, (HOST, port)) as wire:
            wire.connected(connect("pi-1")).send(*[subscribe(f"ups/v1/pi-1/down/{n}") for n in range(5)])
            wire.send(*[unsubscribe(f"ups/v1/pi-1/down/{n}") for n in range(4)])
            for kind in [SUBACK] * 5 + [UNSUBACK] * 4:
                wire.expect(kind)
            assert list(broker.subscriptions) == ["ups/v1/pi-1/down/4"]
            assert list(broker.sessions) == ["pi-1"]

    door = Door(parse_address(f"{HOST}:0"), tls_context(tls), signers, limits, serve)
    await broker.start()
    await broker.retain_message(None, "ups/v1/pi-1/down/0", b"kept", 1)
    door.open()
    try:
        await asyncio.to_thread(come_and_go, door.address.port)
        await asyncio.wait_for(gone.wait(), WAIT_S)
        assert (broker.subscriptions, broker.sessions) == ({}, {})
    finally:
        await door.close()
        await broker.shutdown()


@given(st.sampled_from(list(Kind)), st.sampled_from([0, 2, 8, 10]), st.binary(max_size=300))
async def test_any_packet_decodes_or_is_a_bad_packet(kind: Kind, flags: int, body: bytes) -> None:
    try:
        await decode(Packet(Header(kind, flags), body))
    except BadPacket as error:
        assert str(error)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.SUBSCRIBE, b"\x00\x01" + text(b"\xff") + b"\x00"),
        (Kind.SUBSCRIBE, b"\x00\x01" + text("a") + b"\x00" + b"\x00\x05b"),
        (Kind.UNSUBSCRIBE, b"\x00\x01" + b"\x00\x05a"),
        (Kind.CONNECT, text("MQTT") + b"\x04\x82\x00\x3c" + text("pi-1") + b"\x00\x09pi-1"),
        (Kind.CONNECT, text("MQTT") + b"\x04\x02\x00\x3c" + text("pi-1") + b"surplus"),
    ],
)
async def test_what_amqtt_takes_for_good_though_it_is_not_is_refused(kind: Kind, body: bytes) -> None:
    with pytest.raises(BadPacket):
        await decode(Packet(Header(kind, 2 if kind is not Kind.CONNECT else 0), body))


def test_it_says_where_it_serves_and_ends_in_order(tmp_path: Path) -> None:
    with broker_process(init(tmp_path / "cloud", "127.0.0.1:0")) as process:
        host, _, port = process.address("broker").rpartition(":")
        socket.create_connection((host, int(port))).close()
        assert process.terminate() == 0
        assert process.stdout == f"ready: broker 127.0.0.1:{port}\n"
        assert "error" not in process.stderr


def test_it_ends_in_order_though_clients_are_in(tmp_path: Path) -> None:
    with embedded(tmp_path) as broker:
        bridge, name = broker.bridge(), broker.new_gateway()
        wire = broker.gateway_wire(name).connected(connect(name))
        assert broker.process.terminate() == 0
        assert wire.closed()
        assert bridge.gone.wait(10)
        assert '"error"' not in broker.process.stderr
        broker.tidy()


def test_s13_it_serves_loopback_alone_unless_told_otherwise(tmp_path: Path) -> None:
    """Every other address of this machine refuses; 127.0.0.2 is one that every Linux has."""
    with embedded(tmp_path) as broker, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", broker.gateways_port), 5)


@pytest.mark.parametrize("listen", ["[::]:0", "0.0.0.0:0"])
def test_s13_listening_everywhere_is_warned_of(tmp_path: Path, listen: str) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    folder.settings.write_text(folder.settings.read_text().replace('listen: "127.0.0.1:0"', f'listen: "{listen}"'))
    with broker_process(folder) as process:
        port = int(process.address("broker").rpartition(":")[2])
        socket.create_connection((HOST, port), 5).close()
        process.logged("every address of this machine")


def test_a_port_that_is_taken_is_a_clear_line_and_status_1(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with broker_process(init(tmp_path / "cloud", f"{HOST}:{port}")) as process:
            assert process.ended(within_s=30) == 1
            assert f"can't listen at {HOST}:{port}: Address already in use" in process.stderr
            assert "Traceback" not in process.stderr


@pytest.mark.parametrize("name", ["broker.key", "broker.pem", "authority/gateways.pem"])
@pytest.mark.parametrize("damage", [None, "x"])
def test_a_key_or_certificate_that_can_not_be_used_is_a_clear_line(
    tmp_path: Path, name: str, damage: str | None
) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    if damage is None:
        (folder.root / name).unlink()
    else:
        (folder.root / name).write_text(damage)
    with broker_process(folder) as process:
        assert process.ended(within_s=30) == 1
        assert f"{folder.root / name}: can't be used" in process.stderr
        assert "Traceback" not in process.stderr


def test_wrong_settings_are_status_2(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    folder.settings.write_text("broker: embedded\n")
    with broker_process(folder) as process:
        assert process.ended(within_s=30) == 2
        assert "mqtts: missing" in process.stderr


def test_s13_the_bytes_of_a_day_are_counted_across_connections(small: Broker) -> None:
    name = small.new_gateway()
    wire = small.gateway_wire(name).connected(connect(name))
    for number in range(1, 12):
        wire.send(publish(f"ups/v1/{name}/up/status", bytes(100 * 1024), number=number))
    assert wire.closed()
    small.process.logged("its bytes of the day are used up")
    assert small.gateway_wire(name).answer(connect(name)) == 3
    other = small.new_gateway()
    assert small.gateway_wire(other).answer(connect(other)) == 0


def test_s13_a_gateway_over_its_rate_is_slowed_and_loses_nothing(tmp_path: Path) -> None:
    with embedded(tmp_path, {"messages_per_s": 50, "message_burst": 1}) as broker:
        bridge, name = broker.bridge(), broker.new_gateway()
        wire = broker.gateway_wire(name).connected(connect(name))
        begun = time.monotonic()
        wire.send(*[publish(f"ups/v1/{name}/up/status", b"%d" % number) for number in range(25)])
        assert [bridge.next().payload for _ in range(25)] == [b"%d" % number for number in range(25)]
        assert time.monotonic() - begun > 0.4
        broker.tidy()


def test_s13_no_more_than_the_connections_that_may_and_always_the_bridge(small: Broker) -> None:
    names = [small.new_gateway() for _ in range(3)]
    wires = [small.gateway_wire(name).connected(connect(name)) for name in names[:2]]
    assert small.gateway_wire(names[2]).answer(connect(names[2])) == 3
    small.bridge()
    assert small.gateway_wire(names[0]).answer(connect(names[0])) == 0
    assert wires[0].closed()
