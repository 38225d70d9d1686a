"""Which units' URLs name one port."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ports import conflict


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("modbus+rtu:///dev/ttyUSB0?unit=1", "modbus+rtu:///dev/ttyUSB0?unit=2"),
        ("modbus+rtu:///dev/ttyUSB0", "upslink:///dev/ttyUSB0"),
        ("modbus+rtu://socket://10.0.0.9:4001?unit=1", "modbus+rtu://socket://10.0.0.9:4001?unit=2"),
    ],
)
def test_s5_two_units_on_one_serial_line_are_refused_whatever_their_unit_ids(one: str, other: str) -> None:
    told = conflict([("rack-1", one), ("rack-2", other)])
    assert told is not None
    assert told.startswith("rack-1 and rack-2: both are on the serial line")
    assert "multi-drop" in told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("modbus+tcp://10.0.0.5", "modbus+tcp://10.0.0.5:502/?unit=1"),
        ("modbus+tcp://UPS.lan?timeout_s=3", "modbus+tcp://ups.lan?nmc=true"),
        ("modbus+tcp://[::1]", "modbus+tcp://[::1]:502"),
        ("nut://nas/ups", "nut://nas:3493/ups"),
        ("nis://nas", "nis://nas:3551"),
    ],
)
def test_two_names_for_one_unit_on_the_network_are_refused(one: str, other: str) -> None:
    told = conflict([("a", "modbus+tcp://10.0.0.99"), ("b", one), ("c", other)])
    assert told is not None
    assert told.startswith("b and c: both lead to")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("modbus+tcp://10.0.0.5?unit=1", "modbus+tcp://10.0.0.5?unit=2"),
        ("modbus+tcp://10.0.0.5:502", "modbus+tcp://10.0.0.5:503"),
        ("modbus+tcp://[fe80::1]", "modbus+tcp://[fe80::2]"),
        ("modbus+rtu:///dev/ttyUSB0", "modbus+rtu:///dev/ttyUSB1"),
        ("nut://nas/ups", "nut://nas/other"),
        ("nut://nas/UPS", "nut://nas/ups"),
    ],
)
def test_each_on_a_port_of_its_own_is_right(one: str, other: str) -> None:
    assert conflict([("rack-1", one), ("rack-2", other)]) is None


def test_s5_two_links_to_one_device_are_one_line() -> None:
    units = [("a", "modbus+rtu:///dev/serial/by-id/usb-1"), ("b", "modbus+rtu:///dev/ttyUSB0")]
    assert conflict(units) is None
    told = conflict(units, real=lambda _: "/dev/ttyUSB0")
    assert told is not None
    assert "/dev/ttyUSB0" in told


@given(st.lists(st.text(), max_size=4))
def test_any_texts_as_urls_are_judged(urls: list[str]) -> None:
    told = conflict([(str(number), url) for number, url in enumerate(urls)])
    assert told is None or "both" in told
