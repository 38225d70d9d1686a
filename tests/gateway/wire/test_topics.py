"""Topic names, and that a gateway's name comes from there alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import BadTopic
from gateway.wire.topics import (
    Down,
    Up,
    down,
    down_tree,
    is_gateway_name,
    is_unit_name,
    parse_up,
    up,
    up_tree,
)


def test_topics_are_spelt_like_this() -> None:
    assert up("pi-basement", Up.EVENTS) == "ups/v1/pi-basement/up/events"
    assert down("pi-basement", Down.ACK) == "ups/v1/pi-basement/down/ack"
    assert up_tree() == "ups/v1/+/up/#"
    assert down_tree("pi-basement") == "ups/v1/pi-basement/down/#"


@pytest.mark.parametrize("kind", list(Up))
def test_every_up_topic_is_read_back(kind: Up) -> None:
    assert parse_up(up("pi-1", kind)) == ("pi-1", kind)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "ups/v1/pi-1/up",
        "ups/v1/pi-1/up/events/more",
        "ups/v2/pi-1/up/events",
        "ups/v1/pi-1/down/events",
        "ups/v1/Pi/up/events",
        "ups/v1/bridge/up/events",
        "ups/v1//up/events",
        "ups/v1/pi-1/up/unheard",
        f"ups/v1/{'a' * 33}/up/events",
        "ups/v1/pi-1\n/up/events",
    ],
)
def test_a_topic_that_is_not_ours_is_refused(topic: str) -> None:
    with pytest.raises(BadTopic):
        parse_up(topic)


@pytest.mark.parametrize("name", ["bridge", "enroll", "admin", "", "a_b", "pi-1\n", "ä"])
def test_s12_reserved_and_malformed_names_are_no_gateway_names(name: str) -> None:
    assert not is_gateway_name(name)


def test_a_unit_may_bear_a_name_reserved_for_gateways() -> None:
    assert is_unit_name("bridge")
    assert not is_unit_name("rack 1")


@given(st.text(max_size=80))
def test_any_text_ends_in_a_gateway_and_kind_or_a_declared_error(topic: str) -> None:
    try:
        gateway, kind = parse_up(topic)
    except BadTopic:
        return
    assert up(gateway, kind) == topic
