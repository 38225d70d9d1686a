"""Whether a request was meant for us: its Host header (RFC 9110, section 7.2). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from cloud_bridge.addresses import is_every_address, parse_address
from cloud_bridge.errors import BadAddress

LENGTH = 300
OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def host_of(header: str) -> str | None:
    """The host that a Host header names, in lower case, without port and brackets; None if it is none."""
    if len(header) > LENGTH:
        return None
    host, colon, port = header.rpartition(":")
    if not colon or header.endswith("]"):
        host, port = header, "0"
    try:
        return parse_address(f"{host.removesuffix('.')}:{port}").host.lower()
    except BadAddress:
        return None


def host_of_url(url: str) -> str:
    """Of a URL that the settings took."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def hosts_of_api(certified: str, listens_at: str) -> frozenset[str]:
    """What may be asked for at a listener: the name in its certificate, its address, and this machine's own."""
    return OWN_HOSTS | _named((certified, listens_at))


def _named(hosts: Iterable[str]) -> frozenset[str]:
    return frozenset(host.lower() for host in hosts if host and not is_every_address(host))
