"""URLs of drivers: what is understood, and how the rest is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Transport
from drivers.errors import BadUrl
from drivers.modbus.options import PARAMETERS, read_options
from drivers.modbus.runtime.driver import ModbusDriver, open_rtu, open_tcp
from drivers.open import Opener, open_driver, schemes
from drivers.parameters import allowed_for
from drivers.url import Address, address, parse

SERIAL, TCP = Transport.SERIAL, Transport.TCP


def test_a_url_is_scheme_target_and_parameters() -> None:
    url = parse("modbus+rtu:///dev/ttyUSB0?baud=9600&unit=1")
    assert (url.scheme, url.target) == ("modbus+rtu", "/dev/ttyUSB0")
    assert url.parameters == {"baud": "9600", "unit": "1"}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("10.0.0.5", Address("10.0.0.5", 502)),
        ("10.0.0.5:1502", Address("10.0.0.5", 1502)),
        ("ups.example.net:502/", Address("ups.example.net", 502)),
        ("[fe80::1]:502", Address("fe80::1", 502)),
    ],
)
def test_hosts_and_ports(target: str, found: Address) -> None:
    url = parse(f"modbus+tcp://{target}")
    assert address(url, url.target, 502) == found


@pytest.mark.parametrize("target", ["", ":502", "10.0.0.5:0", "10.0.0.5:65536", "a b", "host:port", "a/b"])
def test_what_is_no_host_and_port_is_refused(target: str) -> None:
    with pytest.raises(BadUrl):
        open_driver(f"modbus+tcp://{target}")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("10.0.0.5", "modbus\\+tcp://10.0.0.5:502"),
        ("modbus+tcp://10.0.0.5?unit", "NAME=VALUE"),
        ("modbus+tcp://10.0.0.5?unit=1&unit=2", "twice"),
        ("modbus+tcp://me:secret@10.0.0.5", "passwords"),
        ("modbus+tcp://10.0.0.5?unti=1", "unknown parameter 'unti'; allowed: unit, .* did you mean 'unit'"),
        ("modbus+tcp://10.0.0.5?baud=9600", "unknown parameter 'baud'"),
        ("modbus+rtu:///dev/ttyUSB0?nmc=true", "unknown parameter 'nmc'"),
        ("modbus+tcp://10.0.0.5?unit=0", "must be 1 to 247"),
        ("modbus+tcp://10.0.0.5?unit=248", "must be 1 to 247"),
        ("modbus+tcp://10.0.0.5?timeout_s=nan", "0.25 to 30"),
        ("modbus+rtu:///dev/ttyUSB0?timeout_s=0.2", "0.25 to 30"),
        ("modbus+rtu:///dev/ttyUSB0?gap_ms=34", "35 to 1000"),
        ("modbus+rtu:///dev/ttyUSB0?parity=mark", "none, even or odd"),
        ("modbus+tcp://10.0.0.5?nmc=yes", "true or false"),
        ("modbus+tcp://10.0.0.5?fast_s=5&full_s=4", "shorter"),
        ("modbus+rtu://", "no serial device"),
        ("modbus+rtu://socket://10.0.0.9", "HOST:PORT"),
        ("telnet://10.0.0.5", "modbus\\+rtu, modbus\\+tcp"),
        ("modbus+tcp://" + "a" * 600, "512"),
    ],
)
def test_a_refused_url_says_what_would_be_right(url: str, problem: str) -> None:
    with pytest.raises(BadUrl, match=problem):
        open_driver(url)


@given(text=st.text(max_size=60) | st.text(max_size=30).map("modbus+tcp://h?{}".format))
def test_any_text_is_a_driver_or_a_bad_url(text: str) -> None:
    try:
        assert open_driver(text).url == text
    except BadUrl:
        return


def test_the_entry_points_open_our_schemes() -> None:
    ours: dict[str, Opener] = {"modbus+tcp": open_tcp, "modbus+rtu": open_rtu}
    assert {scheme: schemes()[scheme].load() for scheme in ours} == ours
    for url in ("modbus+tcp://10.0.0.5", "modbus+rtu:///dev/ttyUSB0", "modbus+rtu://socket://10.0.0.9:4001"):
        assert isinstance(open_driver(url), ModbusDriver)


@pytest.mark.parametrize(
    ("url", "transport", "fast_s", "full_s", "reconnect_s", "gap_s"),
    [
        ("modbus+rtu:///dev/ttyUSB0", SERIAL, 1, 5, 1, 0.035),
        ("modbus+tcp://10.0.0.5", TCP, 2, 6, 15, 0),
        ("modbus+tcp://10.0.0.5?nmc=true", TCP, 3, 9, 15, 0),
        ("modbus+tcp://10.0.0.5?one_request_per_connection=true", TCP, 10, 30, 15, 5),
        ("modbus+rtu:///dev/ttyUSB0?fast_s=0.2&full_s=2&reconnect_s=3&gap_ms=50", SERIAL, 0.2, 2, 3, 0.05),
    ],
)
def test_s4_the_pace_is_gentle_by_default(
    url: str, transport: Transport, fast_s: float, full_s: float, reconnect_s: float, gap_s: float
) -> None:
    options = read_options(parse(url), transport)
    assert (options.pace.fast_s, options.pace.full_s, options.pace.reconnect_s) == (fast_s, full_s, reconnect_s)
    assert options.gap_s == gap_s


def test_s4_the_owner_may_ask_five_times_a_second_and_no_more() -> None:
    with pytest.raises(BadUrl, match="0.2 to 60"):
        read_options(parse("modbus+rtu:///dev/ttyUSB0?fast_s=0.1"), SERIAL)


def test_patience_is_at_least_250_ms_and_longer_on_tcp() -> None:
    assert read_options(parse("modbus+rtu:///dev/x"), SERIAL).timeout_s == 0.5
    assert read_options(parse("modbus+tcp://h"), TCP).timeout_s == 2.0


def test_every_parameter_is_for_one_transport_or_both() -> None:
    assert {p.name for p in allowed_for(PARAMETERS, SERIAL)} | {p.name for p in allowed_for(PARAMETERS, TCP)} == {
        p.name for p in PARAMETERS
    }
