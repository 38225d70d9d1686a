"""A client that does wrong is noticed and closed; the others notice nothing."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cloud_bridge.conformance.brokers import BRIDGE, CONNECT_TIMEOUT_S, HOST, Broker
from tests.cloud_bridge.conformance.wire import (
    CONNACK,
    PING,
    PINGRESP,
    SUBACK,
    WAIT_S,
    connect,
    packet,
    publish,
    subscribe,
    text,
)


def others_are_fine(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    broker.client(name).said(f"ups/v1/{name}/up/events", b"fine")
    while bridge.next().payload != b"fine":
        pass


def test_a_silent_clients_will_is_said_after_one_and_a_half_keep_alives(broker: Broker) -> None:
    """amqtt never looks at the keep-alive, so a gateway without power stays connected for ever."""
    bridge, name = broker.bridge(), broker.new_gateway()
    will = (f"ups/v1/{name}/up/offline", b"silent")
    wire = broker.gateway_wire(name).connected(connect(name, keep_alive_s=1, will=will))
    assert bridge.next().payload == b"silent"
    assert wire.closed()


def test_a_client_that_pings_late_but_within_the_grace_is_not_cut(broker: Broker) -> None:
    """amqtt's read time-out, once enforced, would be the keep-alive itself: it cuts the healthy."""
    name = broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name, keep_alive_s=2))
    with pytest.raises(TimeoutError):
        wire.receive(2.2)
    wire.send(PING)
    wire.expect(PINGRESP)


def test_half_a_packet_does_not_hold_a_connection_open(broker: Broker) -> None:
    """amqtt's time-out covers the first bytes of a packet only."""
    bridge, name = broker.bridge(), broker.new_gateway()
    will = (f"ups/v1/{name}/up/offline", b"half")
    wire = broker.gateway_wire(name).connected(connect(name, keep_alive_s=1, will=will))
    wire.send(publish(f"ups/v1/{name}/up/events", bytes(1000), number=1)[:-500])
    assert bridge.next().payload == b"half"
    assert wire.closed()


def test_a_keep_alive_of_an_hour_is_refused_here(embedded_broker: Broker) -> None:
    """Mosquitto shortens it for MQTT 5 only. That none means 45 s is pinned in test_broker_rules: nobody
    waits for it."""
    name = embedded_broker.new_gateway()
    assert embedded_broker.gateway_wire(name).answer(connect(name, keep_alive_s=3600)) == 2
    embedded_broker.gateway_wire(name).connected(connect(name, keep_alive_s=0)).send(PING)


def test_an_oversize_message_closes_its_sender_alone(broker: Broker) -> None:
    """amqtt takes 60 MiB."""
    name = broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    with suppress(OSError):  # closed before all of it was taken
        wire.send(publish(f"ups/v1/{name}/up/events", bytes(200 * 1024), number=1))
    assert wire.closed()
    others_are_fine(broker)


def test_an_oversize_message_is_told(embedded_broker: Broker) -> None:
    name = embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name).connected(connect(name))
    wire.send(b"\x32\xff\xff\xff\x7f")
    assert wire.closed()
    embedded_broker.process.logged("PUBLISH of 268435455 bytes: at most 131584 are read: closed")


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x00\x00",
        b"\xf0\x00",
        b"\x20\x02\x00\x00",
        b"\x32\xff\xff\xff\xff\x01",
        b"\x30\x00",
        packet(0x36, text("t") + b"\x00\x01"),
        packet(0x80, b"\x00\x01" + text("a") + b"\x00"),
        packet(0x82, b"\x00\x01"),
        packet(0x82, b"\x00\x01" + text("a") + b"\x03"),
        packet(0x82, b"\x00\x01\x00\x09a"),
        packet(0xA2, b"\x00\x01"),
        packet(0x32, text("ups/v1/x/up/events") + b"\x00\x00"),
        publish("ups/v1/+/up/events", number=1),
        connect("again"),
    ],
    ids=lambda wrong: wrong[:14].hex(),
)
def test_what_is_not_mqtt_closes_its_sender_alone(broker: Broker, wrong: bytes) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    wire.send(wrong)
    assert wire.closed()
    broker.client(name).said(f"ups/v1/{name}/up/events", b"fine")
    assert bridge.next().payload == b"fine"


def test_reserved_flags_are_looked_at_here(embedded_broker: Broker) -> None:
    """Mosquitto answers a PINGREQ that has some."""
    name = embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name).connected(connect(name))
    wire.send(b"\xc1\x00")
    assert wire.closed()


@pytest.mark.parametrize("first", [PING, publish("ups/v1/x/up/events"), subscribe("#"), b"\xe0\x00", b"\x16\x03"])
def test_whatever_comes_before_connect_gets_nothing(broker: Broker, first: bytes) -> None:
    wire = broker.gateway_wire(broker.new_gateway())
    wire.send(first + bytes(40))
    assert wire.receive() is None


def test_mqtt_5_is_refused_here_and_spoken_by_mosquitto(broker: Broker) -> None:
    name = broker.new_gateway()
    hello = connect(name, level=5)
    wire = broker.gateway_wire(name)
    if broker.kind == "embedded":
        assert wire.answer(hello) == 1
    else:
        wire.send(packet(0x10, text("MQTT") + b"\x05\x02\x00\x3c\x00" + text(name)))
        assert wire.receive() is not None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_of_an_admitted_client_harm_nobody(embedded_broker: Broker, noise: bytes) -> None:
    name = embedded_broker.new_gateway()
    with embedded_broker.gateway_wire(name) as wire:
        wire.connected(connect(name)).send(noise)
    with embedded_broker.wire(embedded_broker.pair(BRIDGE)) as bridge:
        bridge.connected(connect(BRIDGE)).send(PING)
        bridge.expect(PINGRESP)
    assert "error of the broker's own" not in embedded_broker.process.stderr


def test_s13_who_says_nothing_is_closed_when_the_time_to_connect_is_over(embedded_broker: Broker) -> None:
    """amqtt waits for ever; Mosquitto has no such time-out, but one for a first packet of about 90 s."""
    with socket.create_connection((HOST, embedded_broker.gateways_port), WAIT_S) as silent:
        assert silent.recv(1) == b""
    wire = embedded_broker.gateway_wire(embedded_broker.new_gateway())
    assert wire.closed(CONNECT_TIMEOUT_S + WAIT_S)
    embedded_broker.process.logged(f"no CONNECT within {CONNECT_TIMEOUT_S:g} s: closed")


def test_s13_the_time_to_connect_is_one_for_tls_and_connect_together(embedded_broker: Broker) -> None:
    begun = time.monotonic()
    tls = embedded_broker.tls(embedded_broker.pair(embedded_broker.new_gateway()))
    with socket.create_connection((HOST, embedded_broker.gateways_port), 0.6 * CONNECT_TIMEOUT_S) as plain:
        with pytest.raises(TimeoutError):
            plain.recv(1)
        plain.settimeout(WAIT_S)
        with tls.wrap_socket(plain, server_hostname=HOST) as slow, suppress(ConnectionError):
            assert slow.recv(1) == b""
    assert time.monotonic() - begun < 1.4 * CONNECT_TIMEOUT_S


def test_s13_strangers_of_one_address_can_not_take_all_the_room(embedded_broker: Broker) -> None:
    """Four may be at the door from one address: the fifth is closed at once, and those who are in notice
    nothing."""
    bridge, name = embedded_broker.bridge(), embedded_broker.new_gateway()
    gateway = embedded_broker.client(name)
    waiting = [socket.create_connection((HOST, embedded_broker.gateways_port), WAIT_S) for _ in range(4)]
    with socket.create_connection((HOST, embedded_broker.gateways_port), WAIT_S) as fifth:
        assert fifth.recv(1) == b""
    gateway.said(f"ups/v1/{name}/up/events", b"fine")
    assert bridge.next().payload == b"fine"
    for stranger in waiting:
        assert stranger.recv(1) == b""
        stranger.close()
    others_are_fine(embedded_broker)
    embedded_broker.process.logged("too many connections that are not yet admitted")


def test_a_subscriber_that_stops_reading_is_closed_and_the_others_get_theirs(embedded_broker: Broker) -> None:
    bridge, deaf, other = embedded_broker.bridge(), embedded_broker.new_gateway(), embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(deaf).connected(connect(deaf))
    wire.send(subscribe(f"ups/v1/{deaf}/down/#"))
    wire.expect(SUBACK)
    listener = embedded_broker.client(other)
    listener.subscribe(f"ups/v1/{other}/down/#")
    for _ in range(400):
        bridge.say(f"ups/v1/{deaf}/down/firmware", bytes(100 * 1024))
    bridge.said(f"ups/v1/{other}/down/ack", b"through")
    assert listener.next(30).payload == b"through"
    embedded_broker.process.logged(f"{deaf} (127.0.0.1:")
    embedded_broker.process.logged("bytes are waiting for it: closed")


def test_a_name_that_its_authority_may_not_give_out_is_told(embedded_broker: Broker) -> None:
    assert embedded_broker.wire(embedded_broker.minted("gateways", BRIDGE)).answer(connect(BRIDGE)) == 5
    embedded_broker.process.logged("a certificate for 'bridge' that the authority 'gateways' may not give out")


def test_reasons_for_a_refused_certificate_are_told(embedded_broker: Broker) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        embedded_broker.wire(None).expect(CONNACK)
    embedded_broker.process.logged("no certificate: every client of this broker needs one")
    with socket.create_connection((HOST, embedded_broker.gateways_port), WAIT_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        plain.recv(100)
    embedded_broker.process.logged("this is HTTP, not MQTT over TLS")
