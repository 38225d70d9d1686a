"""What a scan looks at, in which order, and what it makes of the answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadUrl
from drivers.scan.plan import (
    NAMED_PATIENCE_S,
    NETWORK_PATIENCE_S,
    Place,
    Protocol,
    Result,
    Try,
    places,
    shuts,
)
from drivers.scan.targets import NETWORK_LIMIT, Device, Host, Network, read_target
from drivers.scan.units import read_units
from drivers.url import Url


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/dev/ttyUSB0", Device("/dev/ttyUSB0")),
        ("./ups", Device("./ups")),
        ("ups-rack-1", Host("ups-rack-1")),
        ("ups.example.net:1502", Host("ups.example.net", 1502)),
        ("10.0.0.5", Host("10.0.0.5")),
        ("10.0.0.5:3493", Host("10.0.0.5", 3493)),
        ("fe80::1", Host("fe80::1")),
        ("[fe80::1]", Host("fe80::1")),
        ("[fe80::1]:502", Host("fe80::1", 502)),
        ("10.0.0.0/24", Network("10.0.0.0/24")),
        ("10.0.0.77/24", Network("10.0.0.0/24")),
        ("10.0.0.0/22", Network("10.0.0.0/22")),
        ("fd00::/118", Network("fd00::/118")),
    ],
)
def test_a_target_is_what_its_form_says(text: str, target: object) -> None:
    assert read_target(text) == target


def test_a_url_is_taken_as_it_is() -> None:
    target = read_target("modbus+tcp://10.0.0.5?unit=3")
    assert isinstance(target, Url)
    (place,) = places(target.text, target, (1, 2))
    assert [each.url for each in place.tries] == ["modbus+tcp://10.0.0.5?unit=3"]
    nut = read_target("nut://h:3493/")
    (place,) = places("nut://h:3493/", nut, (1,))
    assert place.tries == (Try(Protocol.NUT, "h:3493/", "nut://h:3493"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a URL, a serial device"),
        ("10.0.0.0/8", "16777216 addresses; at most 1024"),
        ("10.0.0.0/21", "2048 addresses"),
        ("fd00::/64", "at most 1024"),
        ("10.0.0.0/33", "not a network"),
        ("rack/ups", "not a network"),
        ("ttyUSB0", "/dev/ttyUSB0"),
        ("host:0", "port 0"),
        ("host:99999", "port 99999"),
        ("two words", "HOST"),
        ("a\x1b[2J", "expected a URL"),
        ("me@host", "HOST"),
        ("x" * 600, "expected a URL"),
    ],
)
def test_what_names_nothing_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(BadUrl) as caught:
        read_target(text)
    assert says in caught.value.problem


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_a_declared_error(text: str) -> None:
    try:
        target = read_target(text)
    except BadUrl:
        return
    if isinstance(target, Network):
        assert sum(1 for _ in target.hosts()) <= NETWORK_LIMIT


def protocols(place: Place) -> list[tuple[Protocol, str]]:
    return [(each.protocol, each.url) for each in place.tries]


def test_a_serial_line_is_asked_for_upslink_before_any_modbus_byte() -> None:
    (place,) = places("/dev/tty S0", Device("/dev/tty S0"), (1, 7))
    assert protocols(place) == [
        (Protocol.UPSLINK, "upslink:///dev/tty%20S0"),
        (Protocol.MODBUS_RTU, "modbus+rtu:///dev/tty%20S0?baud=9600&unit=1"),
        (Protocol.MODBUS_RTU, "modbus+rtu:///dev/tty%20S0?baud=9600&unit=7"),
    ]
    upslink, modbus, _ = place.tries
    assert shuts(upslink, Result(opened=True, spoke=True))
    assert not shuts(upslink, Result(opened=True))
    assert not shuts(modbus, Result(opened=True, spoke=True))
    assert shuts(modbus, Result())


def test_a_host_is_asked_on_the_three_known_ports() -> None:
    (place,) = places("h", Host("h"), (1,))
    assert protocols(place) == [
        (Protocol.MODBUS_TCP, "modbus+tcp://h:502?unit=1"),
        (Protocol.NUT, "nut://h:3493"),
        (Protocol.NIS, "nis://h:3551"),
    ]
    assert (place.named, place.patience_s) == (True, NAMED_PATIENCE_S)


@pytest.mark.parametrize(
    ("port", "protocol"),
    [(3493, Protocol.NUT), (3551, Protocol.NIS), (502, Protocol.MODBUS_TCP), (4001, Protocol.MODBUS_TCP)],
)
def test_a_named_port_is_asked_one_protocol_only(port: int, protocol: Protocol) -> None:
    """The words of NUT are commands to an UPS-Link unit behind a serial server, S among them."""
    (place,) = places("h", Host("::1", port), (1,))
    assert [(each.protocol, each.door) for each in place.tries] == [(protocol, f"[::1]:{port}")]


def test_s5_a_network_is_its_own_addresses_and_no_other() -> None:
    found = list(places("192.0.2.0/30", Network("192.0.2.0/30"), (1,)))
    assert [place.name for place in found] == ["192.0.2.1", "192.0.2.2"]
    assert all((not place.named, place.patience_s) == (True, NETWORK_PATIENCE_S) for place in found)
    assert {each.door.rpartition(":")[0] for place in found for each in place.tries} == {"192.0.2.1", "192.0.2.2"}
    assert len(list(places("10.0.0.0/22", Network("10.0.0.0/22"), (1,)))) == 1022


def test_unit_ids_are_listed_as_a_person_lists_them() -> None:
    assert read_units("1") == (1,)
    assert read_units("3-5, 1,4") == (1, 3, 4, 5)
    assert read_units("1-247") == tuple(range(1, 248))
    for text in ("", "0", "248", "5-3", "a", "1,,2", "1-2-3"):
        with pytest.raises(ValueError, match="unit id"):
            read_units(text)
