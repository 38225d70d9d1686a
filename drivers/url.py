"""A driver's URL: scheme, what it points to, parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from drivers.errors import BadUrl

URL_LIMIT = 512
"""Most characters of a URL."""

_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<target>[^?#]*)(?:\?(?P<query>[^#]*))?\Z")
_HOST = r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))"
_HOST_PORT = re.compile(_HOST + r"(?::(?P<port>[0-9]{1,5}))?/?\Z")


class Url(msgspec.Struct, frozen=True):
    """`text` as it was given; `target` is all between `://` and `?`."""

    text: str
    scheme: str
    target: str
    parameters: Mapping[str, str]


class Address(msgspec.Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Url:
    """Split a URL. Raises BadUrl."""
    if len(text) > URL_LIMIT:
        raise BadUrl(text[:64] + "...", f"longer than {URL_LIMIT} characters")
    found = _SCHEME.match(text)
    if found is None or not text.isprintable() or " " in text:
        raise BadUrl(text, "not a URL; one looks like modbus+tcp://10.0.0.5:502?unit=1")
    if "@" in found["target"]:
        raise BadUrl(text, "user names and passwords do not belong in a driver's URL")
    return Url(text, found["scheme"], unquote(found["target"]), _parameters(text, found["query"] or ""))


def _parameters(text: str, query: str) -> Mapping[str, str]:
    parameters: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise BadUrl(text, f"parameter {part!r} is not NAME=VALUE")
        if name in parameters:
            raise BadUrl(text, f"parameter {name!r} stands twice")
        parameters[name] = unquote(value)
    return parameters


def address(url: Url, target: str, default_port: int | None) -> Address:
    """Host and port of a target. Raises BadUrl."""
    found = _HOST_PORT.match(target)
    if found is None or (found["port"] is None and default_port is None):
        wanted = "HOST:PORT" if default_port is None else "HOST or HOST:PORT"
        raise BadUrl(url.text, f"{target!r} is not {wanted}")
    port = int(found["port"]) if found["port"] else default_port or 0
    if not 0 < port < 65536:
        raise BadUrl(url.text, f"port {port} is not between 1 and 65535")
    return Address(found["v6"] or found["host"], port)
