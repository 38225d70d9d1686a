"""What a person names to be scanned: a URL, a serial device, a host, a network. Nothing else is ever looked at (S5)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import msgspec

from drivers import url as urls
from drivers.errors import BadUrl
from drivers.url import Address

NETWORK_LIMIT = 1024
"""Most addresses of one network: /22, or /118 of IPv6."""

_TTY = re.compile(r"tty[A-Za-z]+[0-9]+\Z")


class Device(msgspec.Struct, frozen=True):
    path: str


class Host(msgspec.Struct, frozen=True):
    """`port` None: the known ports of UPSs and of the daemons that hold them."""

    host: str
    port: int | None = None


class Network(msgspec.Struct, frozen=True):
    text: str

    def hosts(self) -> Iterator[Host]:
        return (Host(str(address)) for address in ipaddress.ip_network(self.text, strict=False).hosts())


Target = urls.Url | Device | Host | Network


def read_target(text: str) -> Target:
    """Raises BadUrl with what would be right."""
    if "://" in text:
        return urls.parse(text)
    if not text or not text.isprintable() or len(text) > urls.URL_LIMIT:
        raise BadUrl(text[:64], "expected a URL, a serial device, HOST, HOST:PORT or a network")
    if text.startswith(("/", "./", "../")):
        return Device(text)
    if "/" in text:
        return _network(text)
    if _TTY.match(text):
        raise BadUrl(text, f"a serial device is named by its path: /dev/{text}")
    return _host(text)


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadUrl(text, "not a network; one looks like 10.0.0.0/24 (a device begins with / or ./)") from None
    if network.num_addresses > NETWORK_LIMIT:
        wanted = f"at most {NETWORK_LIMIT} addresses at a time: /22 or smaller (IPv6: /118)"
        raise BadUrl(text, f"{network.num_addresses} addresses; {wanted}")
    return Network(str(network))


def _host(text: str) -> Host:
    """HOST, HOST:PORT, an IPv6 address bare or in brackets."""
    try:
        return Host(str(ipaddress.IPv6Address(text.strip("[]"))))
    except ValueError:
        found: Address = urls.address(urls.Url(text, "", text, {}), text, 1)
    has_port = re.search(r":[0-9]+\Z", text) is not None
    return Host(found.host, found.port if has_port else None)
