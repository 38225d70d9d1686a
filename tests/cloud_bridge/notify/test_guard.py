"""Where notices may go (S24)."""

from __future__ import annotations

import ipaddress
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.notify.errors import BadTarget, NotSent
from cloud_bridge.notify.guard import check_host, is_this_machine, literal, resolved, why_refused

REFUSED = [
    pytest.param("127.0.0.1", id="loopback"),
    pytest.param("127.8.8.8", id="loopback, all of its network"),
    pytest.param("0.0.0.0", id="this host, unspecified"),
    pytest.param("10.1.2.3", id="private, 10/8"),
    pytest.param("172.16.0.1", id="private, 172.16/12"),
    pytest.param("192.168.1.1", id="private, 192.168/16"),
    pytest.param("169.254.169.254", id="metadata service, link-local"),
    pytest.param("100.64.0.1", id="carrier-grade NAT"),
    pytest.param("100.100.100.200", id="metadata service in carrier-grade NAT's network"),
    pytest.param("168.63.129.16", id="platform service with a public number"),
    pytest.param("192.0.0.192", id="metadata service in the protocol assignments"),
    pytest.param("224.0.0.1", id="multicast"),
    pytest.param("239.255.255.250", id="multicast, discovery"),
    pytest.param("255.255.255.255", id="broadcast"),
    pytest.param("240.0.0.1", id="reserved"),
    pytest.param("198.18.0.1", id="benchmarks"),
    pytest.param("203.0.113.9", id="documentation"),
    pytest.param("::1", id="loopback of IPv6"),
    pytest.param("::", id="unspecified of IPv6"),
    pytest.param("::ffff:127.0.0.1", id="loopback mapped into IPv6"),
    pytest.param("::ffff:169.254.169.254", id="metadata service mapped into IPv6"),
    pytest.param("::127.0.0.1", id="loopback, IPv4-compatible"),
    pytest.param("64:ff9b::10.0.0.1", id="private through NAT64"),
    pytest.param("64:ff9b:1::a00:1", id="local-use NAT64"),
    pytest.param("2002:7f00:1::1", id="loopback through 6to4"),
    pytest.param("2001:0:7f00:1::1", id="Teredo"),
    pytest.param("fe80::1", id="link-local of IPv6"),
    pytest.param("fec0::1", id="site-local of IPv6"),
    pytest.param("fd00:ec2::254", id="metadata service, unique-local"),
    pytest.param("ff02::1", id="multicast of IPv6"),
    pytest.param("ff0e::1", id="multicast of IPv6, global"),
    pytest.param("2001:db8::1", id="documentation of IPv6"),
    pytest.param("4000::1", id="a part of IPv6 that nobody has"),
]
ALLOWED = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "64:ff9b::808:808",
]
SPELLINGS = [
    pytest.param("127.1", id="short"),
    pytest.param("2130706433", id="one number"),
    pytest.param("0x7f000001", id="hexadecimal"),
    pytest.param("0x7f.0.0.1", id="hexadecimal part"),
    pytest.param("017700000001", id="octal"),
    pytest.param("0177.0.0.1", id="octal part"),
    pytest.param("[::1]", id="in brackets"),
    pytest.param("::1%lo", id="with a zone"),
]


@pytest.mark.parametrize("address", REFUSED)
def test_s24_no_notice_goes_to_an_address_that_is_not_public(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) == ""


@given(st.ip_addresses(v=4))
def test_s24_a_mapped_address_is_judged_as_the_one_that_it_means(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert why_refused(mapped) == why_refused(address)


@given(st.ip_addresses())
def test_s24_what_python_calls_private_is_never_allowed(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert why_refused(address)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_s24_however_loopback_is_spelt_it_is_refused_when_it_is_saved(spelling: str) -> None:
    ip = literal(spelling)
    assert ip is not None
    assert ip.is_loopback
    with pytest.raises(BadTarget, match="allow_private_targets"):
        check_host(spelling, allow_private=False)
    check_host(spelling, allow_private=True)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "a.localhost.", "printer.local", "db.internal", "nas.lan"])
def test_s24_names_of_this_machine_or_network_are_refused_when_they_are_saved(name: str) -> None:
    with pytest.raises(BadTarget):
        check_host(name, allow_private=False)


@pytest.mark.parametrize(
    "name", ["example.net", "localhost.example.net", "internal.example.net", "cafe", "fade.example"]
)
def test_names_that_may_be_public_are_taken_and_judged_when_they_are_resolved(name: str) -> None:
    assert literal(name) is None
    check_host(name, allow_private=False)


async def test_s24_a_name_is_judged_by_every_address_that_it_has() -> None:
    with pytest.raises(NotSent, match="loopback") as caught:
        await resolved("localhost", 80, allow_private=False)
    assert not caught.value.again
    assert "127.0.0.1" in await resolved("localhost", 80, allow_private=True)


async def test_a_name_that_does_not_exist_is_tried_again() -> None:
    with pytest.raises(NotSent, match="resolved") as caught:
        await resolved("no such name", 80, allow_private=False)
    assert caught.value.again
    with pytest.raises(NotSent, match="resolved"):
        await resolved("a" * 64 + ".example", 80, allow_private=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_s24_an_address_of_this_machine_is_known_whatever_its_number(address: str) -> None:
    assert is_this_machine(address, 443)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "8.8.8.8"])
def test_another_machine_s_address_is_none_of_this_one(address: str) -> None:
    assert not is_this_machine(address, 443)


async def test_s24_names_are_looked_up_in_threads_of_their_own() -> None:
    """A lookup can't be broken off: as many as the loop has threads would keep mails from being drawn."""
    await resolved("localhost", 80, allow_private=True)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("lookup")]
