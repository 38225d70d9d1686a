"""Where notices may go: targets are what users typed (S24).

A name is resolved here, each of its addresses is judged, and the connection is made to a judged one: what the name
means a moment later is of no consequence.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from cloud_bridge.notify.errors import BadTarget, NotSent

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is given out to the public (IANA)."""
SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SPECIAL_4 = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))
"""Protocol assignments, where a cloud's metadata service is too, and 6to4 relays (RFC 6890, 7526); what the standard
library says of them changed from one Python to another."""
PLATFORM = {ipaddress.ip_address("168.63.129.16"): "Azure's platform"}
"""Public by its number, but it answers machines of one cloud alone, as a metadata service does."""

_LOCAL_NAMES = re.compile(r"(^|\.)(localhost|localdomain|local|internal|lan|home\.arpa)\.?$")
LOOKUPS = 32
"""Names that are looked up at once. A lookup can't be broken off and lasts half a minute where nobody answers, so they
have threads of their own: mails are drawn, and passwords read, in the loop's."""
ALLOW = "the operator can allow it with allow_private_targets in cloud.yaml"


_lookups = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")


def why_refused(ip: Ip) -> str:
    """Why no notice may go there; empty if it may."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return why_refused(ip.ipv4_mapped)
        if ip in NAT64:
            return why_refused(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
        if ip in SIX_TO_FOUR:
            return "a 6to4 address"
    for bad, name in (
        (ip.is_loopback, "a loopback address"),
        (ip.is_link_local, "a link-local address, as metadata services have"),
        (ip.is_multicast, "a multicast address"),
        (ip.is_unspecified, "no address of a host"),
        (ip in PLATFORM, "an address of the platform's own"),
        (not ip.is_global or ip.is_reserved, "a private or reserved address"),
        (any(ip in network for network in SPECIAL_4), "a reserved address"),
        (ip.version == 6 and ip not in GLOBAL_6, "a private or reserved address"),
    ):
        if bad:
            return name
    return ""


def is_this_machine(address: str, port: int) -> bool:
    """Whether packets to that address never leave: a public one of ours is a way past what guards us from outside."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((address, port or 9))  # of a datagram socket that sends nothing
        return bool(asking.getsockname()[0] == address)
    return False


def literal(host: str) -> Ip | None:
    """The address that `host` is written as, in any way that the resolver would take (127.1, 0x7f000001)."""
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(bare)) if re.fullmatch(r"[0-9a-fA-FxX.]+", bare) else None
    except OSError:
        return None


def check_host(host: str, allow_private: bool) -> None:
    """By its spelling alone. Raises BadTarget."""
    if allow_private:
        return
    ip = literal(host)
    why = why_refused(ip) if ip else "a name of this machine or network" if _LOCAL_NAMES.search(host.lower()) else ""
    if why:
        raise BadTarget("host", f"{host} is {why}; {ALLOW}")


async def resolved(host: str, port: int, allow_private: bool) -> list[str]:
    """The host's addresses, every one of which was judged. Raises NotSent."""
    try:
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(_lookups, look_up)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"{host} can't be resolved: {error}", again=True) from error
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not allow_private:
        for address in addresses:
            why = why_refused(ipaddress.ip_address(address.partition("%")[0]))
            why = why or ("this machine" if is_this_machine(address, port) else "")
            if why:
                raise NotSent(f"{host} is {address}, {why}; {ALLOW}", again=False)
    return addresses
