"""What the broker said it took arrives, once and in order, whoever comes and goes meanwhile."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tests.cloud_bridge.conformance.brokers import Broker
from tests.cloud_bridge.conformance.wire import (
    PUBACK,
    PUBLISH,
    SUBACK,
    UNSUBACK,
    connect,
    puback,
    publish,
    subscribe,
    unsubscribe,
)

MANY = 300
"""Fewer than a gateway's burst: these tests are not about its allowance."""


def test_what_was_acknowledged_is_delivered_though_its_sender_leaves_at_once(broker: Broker) -> None:
    """amqtt acknowledges what lies in a queue, and forgets the queue with the connection."""
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    for number in range(1, MANY + 1):
        wire.send(publish(f"ups/v1/{name}/up/events", b"%d" % number, number=number))
    wire.send(b"\xe0\x00")
    acknowledged = 0
    while (got := wire.receive()) is not None:
        acknowledged += got[0] == PUBACK
    assert [bridge.next().payload for _ in range(acknowledged)] == [b"%d" % n for n in range(1, acknowledged + 1)]
    assert acknowledged == MANY


def test_nothing_is_lost_while_others_subscribe_and_unsubscribe(broker: Broker) -> None:
    """amqtt walks a dictionary that changes under its feet, and drops what later filters would have matched.

    Two filters of the bridge match: the embedded broker delivers for each, Mosquitto for one (both may: section 3.3.5).
    """
    bridge, name, restless = broker.bridge(), broker.new_gateway(), broker.new_gateway()
    bridge.subscribe(f"ups/v1/{name}/up/#")
    sender = broker.gateway_wire(name).connected(connect(name))
    wire = broker.gateway_wire(restless).connected(connect(restless))
    topics = [f"ups/v1/{restless}/down/{number}" for number in range(60)]
    for _ in range(MANY // 60):
        wire.send(*map(subscribe, topics), *map(unsubscribe, topics))
    sender.send(*[publish(f"ups/v1/{name}/up/events", b"%d" % number, number=number + 1) for number in range(MANY)])
    each = 2 if broker.kind == "embedded" else 1
    heard = [int(bridge.next().payload) for _ in range(MANY * each)]
    assert sorted(heard) == sorted(list(range(MANY)) * each)
    answers = [wire.receive() for _ in range(2 * MANY)]
    assert [got and got[0] for got in answers] == ([SUBACK] * 60 + [UNSUBACK] * 60) * (MANY // 60)


def test_a_delivery_that_was_not_acknowledged_is_not_kept_for_the_next_connection(broker: Broker) -> None:
    """Nor does anything of ours need it: the application's own acknowledgement comes after the commit."""
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    wire.send(subscribe(f"ups/v1/{name}/down/#"))
    wire.expect(SUBACK)
    bridge.said(f"ups/v1/{name}/down/ack", b"first")
    assert wire.expect(PUBLISH).endswith(b"first")
    wire.close()
    again = broker.gateway_wire(name).connected(connect(name))
    again.send(subscribe(f"ups/v1/{name}/down/#"))
    again.expect(SUBACK)
    bridge.said(f"ups/v1/{name}/down/ack", b"second")
    assert again.expect(PUBLISH).endswith(b"second")


def test_a_subscription_with_qos_0_gets_qos_0(broker: Broker) -> None:
    """Firmware chunks rely on it: amqtt delivers with the subscription's QoS, whatever the message was
    sent with."""
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    wire.send(subscribe(f"ups/v1/{name}/down/#", qos=0))
    wire.expect(SUBACK)
    bridge.say(f"ups/v1/{name}/down/firmware/chunk", b"data", qos=1)
    got = wire.receive()
    assert got is not None
    assert got[0] == PUBLISH


def test_a_qos_0_message_to_a_qos_1_subscription_differs_by_broker(broker: Broker) -> None:
    """MQTT says the smaller of the two; the embedded broker delivers with QoS 1. Nothing of ours depends
    on it."""
    bridge, name = broker.bridge(), broker.new_gateway()
    broker.client(name).say(f"ups/v1/{name}/up/heartbeat", b"{}", qos=0)
    assert bridge.next().qos == (1 if broker.kind == "embedded" else 0)


def test_subscriptions_are_changed_in_the_order_they_are_sent(broker: Broker) -> None:
    """amqtt does the SUBSCRIBE first, whatever came first: who renews a subscription loses it."""
    bridge, name = broker.bridge(), broker.new_gateway()
    topic = f"ups/v1/{name}/down/#"
    wire = broker.gateway_wire(name).connected(connect(name))
    wire.send(subscribe(topic), unsubscribe(topic), subscribe(topic))
    for kind in (SUBACK, UNSUBACK, SUBACK):
        wire.expect(kind)
    bridge.said(f"ups/v1/{name}/down/ack", b"heard")
    assert wire.expect(PUBLISH).endswith(b"heard")


def test_one_client_can_not_make_every_message_slow_with_filters(embedded_broker: Broker) -> None:
    """Mosquitto keeps filters in a tree."""
    name = embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name).connected(connect(name))
    wire.send(*[subscribe(f"ups/v1/{name}/down/{number}") for number in range(65)])
    codes = [wire.expect(SUBACK)[2] for _ in range(65)]
    assert codes == [1] * 64 + [0x80]


def test_subscribing_again_changes_the_qos(broker: Broker) -> None:
    """amqtt keeps the first one (MQTT 3.1.1, section 3.8.4: it is replaced)."""
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    for qos in (1, 0):
        wire.send(subscribe(f"ups/v1/{name}/down/#", qos=qos))
        wire.expect(SUBACK)
    bridge.say(f"ups/v1/{name}/down/ack", b"once", qos=1)
    got = wire.receive()
    assert got is not None
    assert got[0] == PUBLISH


def test_a_persistent_session_is_none_here(embedded_broker: Broker) -> None:
    """What is said to a gateway that is away is not kept: on coming back it asks (Mosquitto would keep
    it)."""
    bridge, name = embedded_broker.bridge(), embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name).connected(connect(name, clean=False))
    wire.send(subscribe(f"ups/v1/{name}/down/#"))
    wire.expect(SUBACK)
    wire.send(b"\xe0\x00")
    assert wire.closed()
    bridge.said(f"ups/v1/{name}/down/ack", b"missed")
    again = embedded_broker.gateway_wire(name)
    again.send(connect(name, clean=False))
    assert again.receive() == (0x20, b"\x00\x00")
    again.send(subscribe(f"ups/v1/{name}/down/#"))
    again.expect(SUBACK)
    bridge.said(f"ups/v1/{name}/down/ack", b"live")
    assert again.expect(PUBLISH).endswith(b"live")


def test_payloads_of_the_longest_batch_pass_unchanged(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    payload = bytes(range(256)) * 512
    assert len(payload) == 128 * 1024
    broker.client(name).said(f"ups/v1/{name}/up/status", payload)
    assert bridge.next().payload == payload


def test_a_message_is_with_the_bridge_in_milliseconds(
    broker: Broker, record_property: Callable[[str, object], None]
) -> None:
    """One at a time, QoS 1 both ways: a timer, a poll or Nagle's algorithm on the way would show as 40 ms
    and more."""
    bridge, name = broker.bridge(), broker.new_gateway()
    sender = broker.client(name)
    taken_s = []
    for number in range(500):
        begun = time.perf_counter()
        sender.say(f"ups/v1/{name}/up/events", b"%d" % number)
        assert bridge.next().payload == b"%d" % number
        taken_s.append(time.perf_counter() - begun)
    taken_s.sort()
    record_property("median_ms", 1000 * statistics.median(taken_s))
    record_property("p99_ms", 1000 * taken_s[494])
    assert statistics.median(taken_s) < 0.010


def test_the_first_message_of_a_connection_waits_for_nothing(embedded_broker: Broker) -> None:
    """Nagle's algorithm would hold it until the client's delayed acknowledgement, for about 40 ms."""
    taken_s = []
    for _ in range(9):
        bridge, name = embedded_broker.bridge(), embedded_broker.new_gateway()
        wire = embedded_broker.gateway_wire(name).connected(connect(name))
        begun = time.perf_counter()
        wire.send(publish(f"ups/v1/{name}/up/events", b"first", number=1))
        bridge.next()
        taken_s.append(time.perf_counter() - begun)
    assert statistics.median(taken_s) < 0.020


def test_a_subscriber_that_does_not_acknowledge_goes_on_getting_messages(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    wire.send(subscribe(f"ups/v1/{name}/down/#"))
    wire.expect(SUBACK)
    for number in range(20):
        bridge.said(f"ups/v1/{name}/down/ack", b"%d" % number)
        assert wire.expect(PUBLISH).endswith(b"%d" % number)
    wire.send(puback(999))
    bridge.said(f"ups/v1/{name}/down/ack", b"after a foreign acknowledgement")
    assert wire.expect(PUBLISH).endswith(b"acknowledgement")
