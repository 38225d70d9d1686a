"""What must not stand in a bug report: serial numbers, and where the unit is."""

from __future__ import annotations

import re

from drivers.capture.model import Registers, Reply, Said, Variable
from drivers.smartups.registers import SERIAL
from drivers.url import Url

MASK = "X"
PRIVATE_PARAMETERS = frozenset({"user", "password_file", "ca"})
"""URL parameters that name people and files."""
UPSLINK_SERIAL = "n"
_SECRET_NAME = re.compile(r"(?i)serial|hostname|^driver\.parameter\.|^server\.|password|ipaddr|macaddr")
"""NUT's and apcupsd's variables that name a unit, a host or its login."""


def mask(said: Said) -> Said:
    """With every serial number, and in variables every host, replaced character by character; padding stays."""
    match said:
        case Registers(address, words):
            return Registers(address, tuple(_word(at, word) for at, word in enumerate(words, address)))
        case Reply(asked, str(text)) if asked == UPSLINK_SERIAL:
            return Reply(asked, _text(text))
        case Variable(name, value) if _SECRET_NAME.search(name):
            return Variable(name, _text(value))
    return said


def _word(address: int, word: int) -> int:
    if not SERIAL.address <= address < SERIAL.end:
        return word
    octets = (ord(MASK) if 0x20 < octet < 0x7F else octet for octet in word.to_bytes(2, "big"))
    return int.from_bytes(bytes(octets), "big")


def _text(text: str) -> str:
    return re.sub(r"\S", MASK, text)


def without_place(url: Url) -> str:
    """The URL with HOST or DEVICE for the place, without parameters that name people or files."""
    prefix, target = ("socket://", url.target[9:]) if url.target.startswith("socket://") else ("", url.target)
    place = "/DEVICE" if target.startswith("/") else "HOST"
    name = f"/{target.partition('/')[2]}" if place == "HOST" and "/" in target.rstrip("/") else ""
    kept = "&".join(f"{key}={value}" for key, value in url.parameters.items() if key not in PRIVATE_PARAMETERS)
    return f"{url.scheme}://{prefix}{place}{name}" + (f"?{kept}" if kept else "")
