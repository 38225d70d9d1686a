"""Topic names: `ups/v1/GATEWAY/up/KIND` and `ups/v1/GATEWAY/down/KIND`."""

from __future__ import annotations

import re
from enum import StrEnum

from gateway.wire.errors import BadTopic
from gateway.wire.limits import GATEWAY_NAME_LENGTH, UNIT_NAME_LENGTH

ROOT = "ups/v1"
_NAME = re.compile(r"[a-z0-9-]+\Z")
RESERVED_NAMES = frozenset({"bridge", "enroll", "admin"})
"""Certificate names that no gateway may bear (S12)."""


class Up(StrEnum):
    """Kinds of message a gateway sends."""

    HELLO = "hello"
    HEARTBEAT = "heartbeat"
    OFFLINE = "offline"
    EVENTS = "events"
    STATUS = "status"
    HEALTH = "health"
    CHALLENGE = "challenge"
    FIRMWARE = "firmware"


class Down(StrEnum):
    """Kinds of message a gateway receives."""

    ACK = "ack"
    CHALLENGE = "challenge"
    COMMAND = "command"
    FIRMWARE = "firmware"


def is_gateway_name(name: str) -> bool:
    """Whether a gateway may bear this name."""
    return len(name) <= GATEWAY_NAME_LENGTH and bool(_NAME.match(name)) and name not in RESERVED_NAMES


def is_unit_name(name: str) -> bool:
    """Whether a UPS may bear this name in a gateway's settings."""
    return len(name) <= UNIT_NAME_LENGTH and bool(_NAME.match(name))


def up(gateway: str, kind: Up) -> str:
    return f"{ROOT}/{gateway}/up/{kind}"


def down(gateway: str, kind: Down) -> str:
    return f"{ROOT}/{gateway}/down/{kind}"


def chunk(gateway: str) -> str:
    """Where the chunks of an image come (QoS 0); a gateway subscribes to it during a transfer only."""
    return f"{down(gateway, Down.FIRMWARE)}/chunk"


def up_tree(gateway: str = "+") -> str:
    """Filter for everything that a gateway (any gateway by default) sends."""
    return f"{ROOT}/{gateway}/up/#"


def down_tree(gateway: str) -> str:
    """Filter for everything that is said to one gateway."""
    return f"{ROOT}/{gateway}/down/#"


def parse_up(topic: str) -> tuple[str, Up]:
    """Gateway name and kind of an up topic; the name is taken from nowhere else (S14). Raises BadTopic."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[:2] != ROOT.split("/") or parts[3] != "up":
        raise BadTopic(f"not an up topic: {topic[:100]!r}")
    if not is_gateway_name(parts[2]):
        raise BadTopic(f"not a gateway name: {parts[2][:40]!r}")
    try:
        return parts[2], Up(parts[4])
    except ValueError:
        raise BadTopic(f"unknown kind of message: {parts[4][:40]!r}") from None
