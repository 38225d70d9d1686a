"""Which units' URLs name one port: each unit needs its own, and locks are by port, never by unit id (S5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType

from drivers.errors import BadUrl
from drivers.url import Url, parse

DEFAULT_PORTS = MappingProxyType({"modbus+tcp": "502", "nut": "3493", "nis": "3551"})
"""What a URL of the scheme may leave out (docs/drivers.md)."""


def _as_it_is(device: str) -> str:
    return device


def conflict(units: Iterable[tuple[str, str]], real: Callable[[str], str] = _as_it_is) -> str | None:
    """A sentence about the first two of these (name, URL) that share a port; None if none do.

    `real`: the device that a path leads to, where links can be followed.
    """
    owners: dict[str, str] = {}
    for name, text in units:
        try:
            url = parse(text)
        except BadUrl:  # is told by whoever opens it
            continue
        port = _line(url, real) or _unit(url)
        if (other := owners.setdefault(port, name)) != name:
            return f"{other} and {name}: {_why(url, port)}"
    return None


def _line(url: Url, real: Callable[[str], str]) -> str | None:
    """A serial line, by its device or its serial server, whatever is spoken on it."""
    if url.target.startswith("/"):
        return real(url.target)
    return url.target if url.target.startswith("socket://") else None


def _unit(url: Url) -> str:
    """A unit on a network: each unit id behind an address is a unit, over a connection of its own."""
    address, slash, path = url.target.rstrip("/").partition("/")
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, DEFAULT_PORTS.get(url.scheme, "")
    where = f"{url.scheme}://{host.lower()}:{port}{slash}{path}"
    return f"{where} unit {url.parameters.get('unit', '1')}" if url.scheme == "modbus+tcp" else where


def _why(url: Url, port: str) -> str:
    if url.target.startswith(("/", "socket://")):
        return (
            f"both are on the serial line {port}; several units on one line (multi-drop) are not supported: "
            "each needs a line of its own"
        )
    return f"both lead to {port}; each unit is read under one name only"
