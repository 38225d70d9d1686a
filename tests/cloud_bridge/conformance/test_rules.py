"""What a client may say and hear. Deliveries are looked at, not SUBACKs: Mosquitto grants what it then
never delivers."""

from __future__ import annotations

import pytest

from tests.cloud_bridge.conformance.brokers import BRIDGE, Broker
from tests.cloud_bridge.conformance.wire import PUBLISH, SUBACK, connect, publish, subscribe


@pytest.mark.parametrize(
    "topic",
    [
        "ups/v1/{other}/up/events",
        "ups/v1/{other}/down/ack",
        "ups/v1/{own}/down/ack",
        "ups/v1/{own}x/up/events",
        "ups/v2/{own}/up/events",
        "/ups/v1/{own}/up/events",
        "$SYS/broker/uptime",
        "enroll/v1/x/csr",
    ],
)
def test_a_foreign_topic_is_dropped_and_the_client_stays(broker: Broker, topic: str) -> None:
    bridge, own, other = broker.bridge(), broker.new_gateway(), broker.new_gateway()
    listener = broker.client(other)
    listener.subscribe(f"ups/v1/{other}/down/#")
    wire = broker.gateway_wire(own).connected(connect(own))
    wire.send(publish(topic.format(own=own, other=other), b"forged", number=1))
    wire.receive()
    wire.send(publish(f"ups/v1/{own}/up/events", b"true", number=2))
    assert bridge.next().payload == b"true"
    bridge.said(f"ups/v1/{other}/down/ack", b"true")
    assert listener.next().payload == b"true"


@pytest.mark.parametrize(
    "topic",
    ["#", "+/#", "ups/#", "ups/v1/+/down/#", "ups/v1/+/up/#", "ups/v1/{other}/down/#", "ups/v1/{own}/up/#", "$SYS/#"],
)
def test_a_foreign_subscription_delivers_nothing_foreign(broker: Broker, topic: str) -> None:
    bridge, own, other = broker.bridge(), broker.new_gateway(), broker.new_gateway()
    wire = broker.gateway_wire(own).connected(connect(own))
    wire.send(subscribe(topic.format(own=own, other=other), f"ups/v1/{own}/down/#"))
    codes = wire.expect(SUBACK)[2:]
    assert broker.kind == "mosquitto" or codes == b"\x80\x01"
    broker.client(other).said(f"ups/v1/{other}/up/events", b"secret")
    bridge.said(f"ups/v1/{other}/down/ack", b"secret")
    bridge.said(f"ups/v1/{own}/down/ack", b"its own")
    assert wire.expect(PUBLISH).endswith(b"its own")


def test_the_top_of_its_own_tree_is_no_topic_here(embedded_broker: Broker) -> None:
    """Mosquitto's `up/#` matches it; ingest knows no such message."""
    bridge, name = embedded_broker.bridge(), embedded_broker.new_gateway()
    sender = embedded_broker.client(name)
    sender.said(f"ups/v1/{name}/up", b"top")
    sender.said(f"ups/v1/{name}/up/events", b"event")
    assert bridge.next().payload == b"event"


def test_the_bridge_can_not_speak_for_a_gateway(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    bridge.said(f"ups/v1/{name}/up/events", b"forged")
    broker.client(name).said(f"ups/v1/{name}/up/events", b"true")
    assert bridge.next().payload == b"true"


@pytest.mark.parametrize(
    "topic", ["ups/v1/{other}/down/ack", "ups/v1/{other}/up/offline", "ups/v1/{own}/down/ack", "#", ""]
)
def test_a_will_under_a_foreign_topic_is_never_said(broker: Broker, topic: str) -> None:
    """amqtt says a will without asking its rules: one under another's `down/ack` would empty that one's
    outbox."""
    bridge, own, other = broker.bridge(), broker.new_gateway(), broker.new_gateway()
    victim = broker.client(other)
    victim.subscribe(f"ups/v1/{other}/down/#")
    wire = broker.gateway_wire(own)
    wire.send(connect(own, will=(topic.format(own=own, other=other), b"forged")))
    wire.receive()
    wire.close()
    broker.client(own).said(f"ups/v1/{own}/up/events", b"true")
    assert bridge.next().payload == b"true"
    bridge.said(f"ups/v1/{other}/down/ack", b"true")
    assert victim.next().payload == b"true"


def test_a_will_under_any_other_topic_of_its_own_is_refused_here(embedded_broker: Broker) -> None:
    """Mosquitto's rules can't tell a will from any other message of the gateway."""
    name = embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name)
    assert wire.answer(connect(name, will=(f"ups/v1/{name}/up/events", b"x"))) == 5


def test_the_bridge_leaves_no_will_here(embedded_broker: Broker) -> None:
    wire = embedded_broker.wire(embedded_broker.pair(BRIDGE))
    assert wire.answer(connect(BRIDGE, will=("ups/v1/pi-1/down/ack", b"x"))) == 5


def test_a_lost_gateways_will_is_said(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name, will=(f"ups/v1/{name}/up/offline", b"lost")))
    wire.close()
    assert bridge.next().payload == b"lost"


def test_a_goodbye_takes_the_will_back(broker: Broker) -> None:
    bridge, name = broker.bridge(), broker.new_gateway()
    broker.client(name, will=(f"ups/v1/{name}/up/offline", b"lost")).close()
    broker.client(name).said(f"ups/v1/{name}/up/hello", b"back")
    assert bridge.next().payload == b"back"


def test_a_goodbye_in_the_same_breath_as_the_connect_takes_the_will_back(broker: Broker) -> None:
    """amqtt forgets a DISCONNECT that comes before its own loop has begun."""
    bridge, name = broker.bridge(), broker.new_gateway()
    with broker.gateway_wire(name) as wire:
        wire.send(
            connect(name, will=(f"ups/v1/{name}/up/offline", b"lost")),
            publish(f"ups/v1/{name}/up/events", b"said"),
            b"\xe0\x00",
        )
        assert wire.closed()
    broker.client(name).said(f"ups/v1/{name}/up/hello", b"back")
    assert [bridge.next().payload, bridge.next().payload] == [b"said", b"back"]


def test_a_retained_message_is_refused_and_never_replayed(broker: Broker) -> None:
    """amqtt replays retained messages to whoever connects, subscribed or not, whosever they are."""
    name, other = broker.new_gateway(), broker.new_gateway()
    wire = broker.gateway_wire(name).connected(connect(name))
    wire.send(publish(f"ups/v1/{name}/up/events", b"kept", number=1, flags=1))
    assert wire.closed()
    stranger = broker.gateway_wire(other).connected(connect(other))
    late = broker.bridge()
    broker.client(name).said(f"ups/v1/{name}/up/events", b"live")
    assert late.next().payload == b"live"
    with pytest.raises(TimeoutError):
        stranger.receive(0.3)


def test_a_retained_will_is_refused(broker: Broker) -> None:
    name = broker.new_gateway()
    retained = 0x20
    hello = connect(name, will=(f"ups/v1/{name}/up/offline", b"x"), will_flags=retained)
    assert broker.gateway_wire(name).answer(hello) in (None, 5)


def test_a_foreign_subscription_is_told(embedded_broker: Broker) -> None:
    name = embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name).connected(connect(name))
    wire.send(subscribe("ups/v1/+/up/#"))
    assert wire.expect(SUBACK)[2:] == b"\x80"
    embedded_broker.process.logged(f"may not subscribe to 'ups/v1/+/up/#': refused (allowed: ups/v1/{name}/down/)")


def test_a_foreign_topic_is_told_in_one_line_however_often_it_is_tried(embedded_broker: Broker) -> None:
    name, other = embedded_broker.new_gateway(), embedded_broker.new_gateway()
    wire = embedded_broker.gateway_wire(name).connected(connect(name))
    for number in range(1, 21):
        wire.send(publish(f"ups/v1/{other}/up/events\n", b"forged", number=number))
        wire.receive()
    embedded_broker.process.logged(f"{name} (127.0.0.1:")
    wire.close()
    embedded_broker.process.logged("gone")
    told = [line for line in embedded_broker.process.stderr.splitlines() if f"{name} (" in line]
    dropped = [line for line in told if "may not publish" in line]
    assert len(dropped) == 1
    assert f"allowed: ups/v1/{name}/up/" in dropped[0]
