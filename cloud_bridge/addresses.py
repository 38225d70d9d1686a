"""HOST:PORT: where the broker listens, and how far that reaches (safety rule S13)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from cloud_bridge.errors import BadAddress

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\Z")
LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = "::"
"""Listening here means every address of the machine, IPv4's too."""


class Address(NamedTuple):
    """A host (a name, an IPv4 address, or an IPv6 address without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`HOST:PORT` or `[IPV6]:PORT`; port 0 is any free one. Raises BadAddress."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise BadAddress(f"expected HOST:PORT, as in bridge.example.net:8883, got {text[:80]!r}")
    if (ip_of(host) is None and not _HOST_NAME.match(host)) or (":" in host) != bracketed:
        raise BadAddress(f"not a host name or address: {host[:80]!r} in {text[:80]!r}")
    return Address(host, int(port))


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that `host` is written as; None of a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    ip = ip_of(host)
    return host == "localhost" if ip is None else ip.is_loopback


def is_every_address(host: str) -> bool:
    ip = ip_of(host)
    return ip is not None and ip.is_unspecified


def listen_for(named: Address) -> Address:
    """Where a broker listens whose gateways are told `named`: there only, or everywhere if it is a name.

    A name may stand for a router's address, which no machine behind it can listen at.
    """
    if is_loopback(named.host):
        return named if ip_of(named.host) else Address(LOOPBACK, named.port)
    return named if ip_of(named.host) else Address(EVERY_ADDRESS, named.port)


def exposure(listen: Address) -> str | None:
    """What an owner should hear about listening there (S13); None if nobody outside can reach it."""
    ip = ip_of(listen.host)
    if is_every_address(listen.host):
        return f"{listen} is every address of this machine: if one of them is public, so is this door"
    if ip is not None and ip.is_global:
        return f"{listen} is a public address: anyone can try this door; put a firewall or a VPN before it"
    return None
