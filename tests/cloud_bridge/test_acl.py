"""cloud_bridge.acl: the access rules, as shared design and safety rule S12 give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.acl import (
    TOPIC_LENGTH,
    Identity,
    Role,
    identify,
    may_publish,
    may_receive,
    may_subscribe,
    will_topic,
)

PI = Identity("pi-1", Role.GATEWAY)
BRIDGE = Identity("bridge", Role.BRIDGE)


@pytest.mark.parametrize(
    ("name", "issuer", "expected"),
    [
        ("pi-1", "gateways", PI),
        ("bridge", "services", BRIDGE),
        ("bridge", "gateways", None),
        ("enroll", "gateways", None),
        ("admin", "gateways", None),
        ("pi-1", "services", None),
        ("broker", "services", None),
        ("pi-1", None, None),
        (None, "gateways", None),
        ("PI-1", "gateways", None),
        ("+", "gateways", None),
        ("pi-1/up", "gateways", None),
        ("pi-1\n", "gateways", None),
    ],
)
def test_s12_each_authority_gives_out_its_own_names_only(
    name: str | None, issuer: str | None, expected: Identity | None
) -> None:
    assert identify(name, issuer) == expected


@pytest.mark.parametrize(
    ("who", "topic", "allowed"),
    [
        (PI, "ups/v1/pi-1/up/events", True),
        (PI, "ups/v1/pi-1/up/firmware/chunk", True),
        (PI, "ups/v1/pi-1/down/ack", False),
        (PI, "ups/v1/pi-2/up/events", False),
        (PI, "ups/v1/pi-1/up/", False),
        (PI, "ups/v1/pi-1/up", False),
        (PI, "ups/v1/pi-1/up/+", False),
        (PI, "ups/v1/pi-1/up/#", False),
        (PI, "ups/v1/pi-1/up/a\x00b", False),
        (PI, "ups/v1/pi-1/up/" + "a" * TOPIC_LENGTH, False),
        (PI, "ups/v2/pi-1/up/events", False),
        (PI, "/ups/v1/pi-1/up/events", False),
        (PI, "", False),
        (BRIDGE, "ups/v1/pi-1/down/ack", True),
        (BRIDGE, "ups/v1/pi-1/up/events", False),
        (BRIDGE, "ups/v1/+/down/ack", False),
        (BRIDGE, "ups/v1/bridge/down/ack", False),
    ],
)
def test_who_may_publish_what(who: Identity, topic: str, allowed: bool) -> None:
    assert may_publish(who, topic) is allowed


@pytest.mark.parametrize(
    ("who", "topic_filter", "allowed"),
    [
        (PI, "ups/v1/pi-1/down/#", True),
        (PI, "ups/v1/pi-1/down/ack", True),
        (PI, "ups/v1/pi-1/down/+/chunk", True),
        (PI, "ups/v1/pi-1/down", False),
        (PI, "ups/v1/pi-1/up/#", False),
        (PI, "ups/v1/+/down/#", False),
        (PI, "ups/v1/pi-1/+/ack", False),
        (PI, "ups/v1/pi-1/#", False),
        (PI, "ups/+/pi-1/down/#", False),
        (PI, "#", False),
        (PI, "+/+/+/+/+", False),
        (PI, "$share/x/ups/v1/pi-1/down/#", False),
        (BRIDGE, "ups/v1/+/up/#", True),
        (BRIDGE, "ups/v1/pi-1/up/events", True),
        (BRIDGE, "ups/v1/+/down/#", False),
        (BRIDGE, "ups/v1/#", False),
        (BRIDGE, "#", False),
    ],
)
def test_who_may_subscribe_to_what(who: Identity, topic_filter: str, allowed: bool) -> None:
    assert may_subscribe(who, topic_filter) is allowed


def test_a_will_has_one_topic() -> None:
    assert will_topic(PI) == "ups/v1/pi-1/up/offline"
    assert will_topic(BRIDGE) is None


levels = st.lists(st.sampled_from(["ups", "v1", "pi-1", "pi-2", "up", "down", "+", "#", "", "ack"]), max_size=7)
topics = levels.map("/".join) | st.text()
identities = st.sampled_from([PI, Identity("pi-2", Role.GATEWAY), BRIDGE])


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT 3.1.1, section 4.7, written again from its text."""
    want, have = topic_filter.split("/"), topic.split("/")
    for place, level in enumerate(want):
        if level == "#":
            return True
        if place >= len(have) or level not in ("+", have[place]):
            return False
    return len(want) == len(have)


@given(identities, topics, topics)
def test_no_filter_that_may_be_subscribed_to_matches_what_may_not_be_heard(
    who: Identity, topic_filter: str, topic: str
) -> None:
    speakers = [PI, Identity("pi-2", Role.GATEWAY), BRIDGE]
    if (
        may_subscribe(who, topic_filter)
        and matches(topic_filter, topic)
        and any(may_publish(s, topic) for s in speakers)
    ):
        assert may_receive(who, topic)


@given(identities, topics)
def test_nobody_hears_what_it_may_say(who: Identity, topic: str) -> None:
    assert not (may_publish(who, topic) and may_receive(who, topic))


@given(topics)
def test_a_topic_has_at_most_one_gateway_that_may_use_it(topic: str) -> None:
    gateways = [PI, Identity("pi-2", Role.GATEWAY), Identity("pi-3", Role.GATEWAY)]
    assert sum(may_publish(who, topic) or may_receive(who, topic) for who in gateways) <= 1
