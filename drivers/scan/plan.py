"""What is tried on a target, in which order, and what an answer means for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import quote

import msgspec

from drivers.scan.targets import Device, Host, Network, Target
from drivers.url import Address, Url

MODBUS_PORT, NUT_PORT, NIS_PORT = 502, 3493, 3551
NAMED_PATIENCE_S = 5.0
"""For a connection to a host that was named; a management card may be slow."""
NETWORK_PATIENCE_S = 1.0
"""For a connection to one of a network's addresses, most of which are nobody's."""


class Protocol(StrEnum):
    MODBUS_TCP = "modbus+tcp"
    MODBUS_RTU = "modbus+rtu"
    UPSLINK = "upslink"
    NUT = "nut"
    NIS = "nis"
    URL = "url"


class Try(msgspec.Struct, frozen=True):
    """One attempt through one `door`, a port or a serial line that serves one master at a time."""

    protocol: Protocol
    door: str
    url: str


class Place(msgspec.Struct, frozen=True):
    """All that is tried at one device or host, one after the other. `named`: what fails is told."""

    name: str
    tries: tuple[Try, ...]
    patience_s: float = NAMED_PATIENCE_S
    named: bool = True


class Found(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A UPS, and the URL to use for it."""

    target: str
    protocol: str
    url: str
    model: str | None = None
    sku: str | None = None
    serial: str | None = None
    firmware: str | None = None
    name: str | None = None


class Result(msgspec.Struct, frozen=True):
    """What a try brought. `opened`: the door opened. `spoke`: something understood what was asked, a UPS or not.

    `note` says in one sentence why nothing was found.
    """

    found: tuple[Found, ...] = ()
    opened: bool = False
    spoke: bool = False
    note: str | None = None


def places(text: str, target: Target, units: tuple[int, ...]) -> Iterator[Place]:
    """`text` is how the target was named; `units` are the Modbus unit ids to ask."""
    match target:
        case Url(scheme="nut") if "/" not in target.target.strip("/") and not target.parameters:
            yield Place(text, (Try(Protocol.NUT, target.target, text.rstrip("/")),))
        case Url():
            yield Place(text, (Try(Protocol.URL, target.target, text),))
        case Device(path):
            yield Place(path, tuple(_device_tries(path, units)))
        case Host():
            yield Place(text, tuple(_host_tries(target, units)))
        case Network():
            for host in target.hosts():
                yield Place(host.host, tuple(_host_tries(host, units)), NETWORK_PATIENCE_S, named=False)


def _device_tries(path: str, units: tuple[int, ...]) -> Iterator[Try]:
    """UPS-Link first, and Modbus only where that is silent: a unit in smart mode takes single characters as commands,
    and the bytes of a Modbus frame are characters to it. To a Modbus unit a `Y` at 2400 baud is noise.
    """
    place = quote(path)
    yield Try(Protocol.UPSLINK, path, f"upslink://{place}")
    for unit in units:
        yield Try(Protocol.MODBUS_RTU, path, f"modbus+rtu://{place}?baud=9600&unit={unit}")


def _host_tries(host: Host, units: tuple[int, ...]) -> Iterator[Try]:
    """A port of neither daemon is asked for Modbus only: behind it there may be a serial line, to whose UPS the words
    of the other protocols are commands.
    """
    if host.port not in (NUT_PORT, NIS_PORT):
        door = str(Address(host.host, host.port or MODBUS_PORT))
        for unit in units:
            yield Try(Protocol.MODBUS_TCP, door, f"modbus+tcp://{door}?unit={unit}")
    if host.port in (None, NUT_PORT):
        door = str(Address(host.host, NUT_PORT))
        yield Try(Protocol.NUT, door, f"nut://{door}")
    if host.port in (None, NIS_PORT):
        door = str(Address(host.host, NIS_PORT))
        yield Try(Protocol.NIS, door, f"nis://{door}")


def shuts(attempt: Try, result: Result) -> bool:
    """Whether nothing more is tried through this door: it did not open, or an UPS-Link unit is behind it."""
    return not result.opened or (attempt.protocol is Protocol.UPSLINK and result.spoke)
