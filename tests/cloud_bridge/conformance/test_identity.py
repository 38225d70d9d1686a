"""Who a client is: its certificate, and nothing it says (safety rules S12 and S13)."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_bridge.authority import CURVE, LEAF_LIFE, Use, found, issue
from tests.cloud_bridge.conformance.brokers import BRIDGE, HOST, Broker, Pair, written
from tests.cloud_bridge.conformance.wire import PUBACK, SUBACK, WAIT_S, connect, publish, subscribe


def is_turned_away(broker: Broker, pair: Pair | None, name: str, port: int | None = None) -> bool:
    """Whether a client with this certificate, or none, gets no session. TLS 1.3 tells it only after the
    handshake."""
    try:
        return broker.wire(pair, port=port).answer(connect(name)) != 0
    except (ssl.SSLError, ConnectionError):
        return True


def test_a_client_with_its_certificate_is_heard_by_the_bridge(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    broker.client(name).said(f"ups/v1/{name}/up/events", b"hello")
    heard = bridge.next()
    assert (heard.topic, heard.payload, heard.retain) == (f"ups/v1/{name}/up/events", b"hello", False)


def test_a_gateway_hears_the_bridge(broker: Broker) -> None:
    name = broker.new_gateway()
    gateway = broker.client(name)
    gateway.subscribe(f"ups/v1/{name}/down/#")
    broker.bridge().said(f"ups/v1/{name}/down/ack", b"through 7")
    assert gateway.next().payload == b"through 7"


def test_s13_a_client_without_a_certificate_is_turned_away(broker: Broker) -> None:
    assert is_turned_away(broker, None, broker.new_gateway())


def test_a_certificate_of_another_cloud_is_turned_away(broker: Broker, tmp_path: Path) -> None:
    name, now = broker.new_gateway(), datetime.now(UTC)
    stranger = found("Ridethrough gateways", ec.generate_private_key(CURVE), 1, now)
    key = ec.generate_private_key(CURVE)
    pair = written(tmp_path, issue(stranger, name, Use.CLIENT, key.public_key(), 2, now), key)
    assert is_turned_away(broker, pair, name)


def test_a_certificate_that_has_expired_is_turned_away(broker: Broker) -> None:
    name = broker.new_gateway()
    long_ago = datetime.now(UTC) - LEAF_LIFE - timedelta(days=1)
    assert is_turned_away(broker, broker.minted("gateways", name, now=long_ago), name)


def test_s12_a_server_certificate_is_no_clients(broker: Broker) -> None:
    for port in (broker.gateways_port, broker.bridge_port):
        assert is_turned_away(broker, Pair(*broker.folder.service("broker")), "broker", port)
        assert is_turned_away(broker, broker.minted("services", BRIDGE, Use.SERVER), BRIDGE, port)


def test_s12_a_bridge_of_the_gateways_authority_hears_no_gateway(broker: Broker) -> None:
    """Mosquitto lets it in at the gateways' listener, as a gateway of that name: deliveries count, not
    SUBACKs."""
    pair, name = broker.minted("gateways", BRIDGE), broker.new_gateway()
    assert broker.kind == "mosquitto" or is_turned_away(broker, pair, BRIDGE)
    if broker.kind == "mosquitto":
        assert is_turned_away(broker, pair, BRIDGE, broker.bridge_port)
        false_bridge = broker.wire(pair).connected(connect(BRIDGE))
        false_bridge.send(subscribe("ups/v1/+/up/#", "ups/v1/bridge/down/#"))
        false_bridge.expect(SUBACK)
        false_bridge.send(publish(f"ups/v1/{name}/down/ack", b"forged", number=7))
        broker.client(name).said(f"ups/v1/{name}/up/events", b"secret")
        assert false_bridge.expect(PUBACK) == b"\x00\x07"
        with pytest.raises(TimeoutError):
            false_bridge.receive(0.5)


def test_s12_the_services_authority_makes_no_gateways(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    pair = broker.minted("services", name)
    if not is_turned_away(broker, pair, name, broker.bridge_port):
        false_gateway = broker.wire(pair, port=broker.bridge_port).connected(connect(name))
        false_gateway.send(publish(f"ups/v1/{name}/up/events", b"forged", number=1))
        false_gateway.receive()
    broker.client(name).said(f"ups/v1/{name}/up/events", b"true")
    assert bridge.next().payload == b"true"


@pytest.mark.parametrize("clean", [True, False])
def test_a_gateway_that_says_it_is_the_bridge_takes_nothing_over(broker: Broker, clean: bool) -> None:
    """amqtt hands a session over to whoever names it, and deletes it before it refuses. Mosquitto renames
    the client."""
    bridge, name, liar = broker.bridge(), broker.new_gateway(), broker.new_gateway()
    false_bridge = broker.gateway_wire(liar)
    hello = connect(BRIDGE, user=BRIDGE, clean=clean)
    if broker.kind == "embedded":
        assert false_bridge.answer(hello) == 2
    else:
        false_bridge.connected(hello)
    broker.client(name).said(f"ups/v1/{name}/up/events", b"still heard")
    assert bridge.next().payload == b"still heard"
    assert not bridge.gone.is_set()
    if broker.kind == "mosquitto":
        with pytest.raises(TimeoutError):
            false_bridge.receive(0.5)


def test_a_user_name_that_is_not_the_certificates_gives_nobody_anothers_rights(broker: Broker) -> None:
    """The embedded broker refuses it; Mosquitto does not look at it."""
    bridge, name, other = broker.bridge(), broker.new_gateway(), broker.new_gateway()
    wire = broker.gateway_wire(name)
    hello = connect(name, user=other)
    if broker.kind == "embedded":
        assert wire.answer(hello) == 5
    else:
        wire.connected(hello).send(publish(f"ups/v1/{other}/up/events", b"forged", number=1))
        wire.receive()
    broker.client(other).said(f"ups/v1/{other}/up/events", b"true")
    assert bridge.next().payload == b"true"


def test_s13_a_second_client_of_one_name_closes_the_first(broker: Broker) -> None:
    """amqtt lets two clean sessions of one name stay side by side: a cloned card would not be seen."""
    name = broker.new_gateway()
    first = broker.gateway_wire(name).connected(connect(name))
    second = broker.gateway_wire(name).connected(connect(name))
    assert first.closed()
    second.send(b"\xc0\x00")
    assert second.receive() == (0xD0, b"")


def test_the_closed_ones_will_is_said_before_the_second_speaks(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    will = (f"ups/v1/{name}/up/offline", b"first")
    broker.gateway_wire(name).connected(connect(name, will=will))
    second = broker.gateway_wire(name).connected(connect(name))
    second.send(publish(f"ups/v1/{name}/up/hello", b"second"))
    assert [bridge.next().payload, bridge.next().payload] == [b"first", b"second"]


def test_a_name_can_come_and_go_at_once_as_often_as_it_likes(broker: Broker) -> None:
    """amqtt's session monitor may end a session that is just back."""
    bridge, name = broker.bridge(), broker.new_gateway()
    for number in range(30):
        with broker.gateway_wire(name) as wire:
            wire.connected(connect(name)).send(publish(f"ups/v1/{name}/up/hello", b"%d" % number, number=1))
            wire.receive()
    assert [bridge.next().payload for _ in range(30)] == [b"%d" % number for number in range(30)]


def test_what_is_no_tls_at_all_harms_nobody(broker: Broker) -> None:
    with socket.create_connection((HOST, broker.gateways_port), WAIT_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            assert b"HTTP" not in plain.recv(100)
    assert broker.wire(broker.pair(name := broker.new_gateway())).answer(connect(name)) == 0


def test_tls_1_1_is_turned_away(broker: Broker) -> None:
    """A ClientHello of TLS 1.1 (RFC 4346, 7.4.1.2), answered by anything but a handshake."""
    hello = b"\x03\x02" + bytes(32) + b"\x00" + b"\x00\x04\xc0\x13\x00\x2f" + b"\x01\x00"
    handshake = b"\x01" + len(hello).to_bytes(3, "big") + hello
    with socket.create_connection((HOST, broker.gateways_port), WAIT_S) as plain:
        plain.sendall(b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake)
        assert plain.recv(7)[:1] != b"\x16"
