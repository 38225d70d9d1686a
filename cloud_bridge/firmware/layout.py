"""Who signs what in a repository of firmware, how many have to, and for how long it is good.

Top-level targets ask for two, as root does: whoever could sign them alone could hand `reissue` to himself.
"""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

import msgspec

from gateway.wire.firmware_facts import REISSUE

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"


class Rule(msgspec.Struct, frozen=True):
    """`keys`: how many are made. `life`: how long a signed version is good. `online`: its key stays on the server."""

    keys: int
    threshold: int
    life: timedelta
    online: bool = False


RULES = MappingProxyType(
    {
        ROOT: Rule(3, 2, timedelta(days=5 * 365)),
        TARGETS: Rule(2, 2, timedelta(days=2 * 365)),
        SNAPSHOT: Rule(1, 1, timedelta(days=30), online=True),
        TIMESTAMP: Rule(1, 1, timedelta(days=7), online=True),
        REISSUE: Rule(2, 2, timedelta(days=2 * 365)),
    }
)
_HARDWARE = Rule(1, 1, timedelta(days=2 * 365))

RENEW_BEFORE = timedelta(days=30)
"""From then on a role that is signed offline is said to end soon."""


def rule(role: str) -> Rule:
    """Any role without a line of its own is a hardware id's."""
    return RULES.get(role, _HARDWARE)


def key_files(role: str) -> list[str]:
    """Paths of the keys below the repository's `keys`."""
    made = rule(role)
    folder = "online" if made.online else "offline"
    if made.keys == 1:
        return [f"{folder}/{role}.pem"]
    return [f"{folder}/{role}-{number}.pem" for number in range(1, made.keys + 1)]


def is_top_level(role: str) -> bool:
    return role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)


def delegator(role: str) -> str:
    """Whose metadata says which keys sign for it."""
    return ROOT if is_top_level(role) else TARGETS


def is_offline(role: str) -> bool:
    return not rule(role).online


def hardware_id_problem(text: str) -> str | None:
    """Why it can be no hardware id with a role of its own."""
    if not (1 <= len(text) <= 32 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text)):
        return f"{text!r} is no hardware id: expected a product id as 18, or upslink-50"
    if text in RULES:
        return f"{text!r} is the name of another role"
    return None
