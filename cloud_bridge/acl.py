"""Who may say and hear what: `ups/v1/G/up/` is gateway G's to fill, `ups/v1/G/down/` the bridge's.

These rules hold for the embedded broker; config/broker/acl-*.conf says the same to Mosquitto.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cloud_bridge.folder import BRIDGE, GATEWAYS, SERVICES
from gateway.wire.topics import ROOT, Up, is_gateway_name, up

TOPIC_LENGTH = 128
"""Most characters of a topic; the longest that means anything has about 60."""
_LEVELS = ROOT.count("/") + 1


class Role(Enum):
    GATEWAY = "gateway"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate says its bearer is."""

    name: str
    role: Role


def identify(common_name: str | None, issuer: str | None) -> Identity | None:
    """Whom the certificate names; None if `issuer`, who signed it, may not give out that name (S12)."""
    if issuer == SERVICES and common_name == BRIDGE:
        return Identity(BRIDGE, Role.BRIDGE)
    if issuer == GATEWAYS and common_name is not None and is_gateway_name(common_name):
        return Identity(common_name, Role.GATEWAY)
    return None


def may_publish(who: Identity, topic: str) -> bool:
    """Whether `who` may say something under `topic`."""
    owner, side, rest = _split(topic)
    return bool(rest) and "+" not in topic and "#" not in topic and _is_own(who, owner, side, _SAYS)


def may_receive(who: Identity, topic: str) -> bool:
    """Whether `who` may hear what was said under `topic`."""
    owner, side, rest = _split(topic)
    return bool(rest) and _is_own(who, owner, side, _HEARS)


def may_subscribe(who: Identity, topic_filter: str) -> bool:
    """Whether every topic that `topic_filter` matches is one that `who` may hear."""
    owner, side, rest = _split(topic_filter)
    if not rest:
        return False
    if who.role is Role.BRIDGE and owner == "+":
        return side == _HEARS[who.role]
    return _is_own(who, owner, side, _HEARS)


def will_topic(who: Identity) -> str | None:
    """The one topic that `who` may leave a will under: a gateway's, that it is offline."""
    return up(who.name, Up.OFFLINE) if who.role is Role.GATEWAY else None


def own_tree(who: Identity, *, says: bool) -> str:
    """The topics that `who` may use, for an error."""
    owner = who.name if who.role is Role.GATEWAY else "GATEWAY"
    return f"{ROOT}/{owner}/{(_SAYS if says else _HEARS)[who.role]}/"


_SAYS = {Role.GATEWAY: "up", Role.BRIDGE: "down"}
_HEARS = {Role.GATEWAY: "down", Role.BRIDGE: "up"}


def _split(topic: str) -> tuple[str, str, str]:
    """Owner, side and the rest of a topic or filter; all empty if it is outside the tree or not sane."""
    parts = topic.split("/", _LEVELS + 2)
    if len(topic) > TOPIC_LENGTH or not topic.isprintable() or len(parts) < _LEVELS + 3:
        return "", "", ""
    if "/".join(parts[:_LEVELS]) != ROOT:
        return "", "", ""
    return parts[_LEVELS], parts[_LEVELS + 1], parts[_LEVELS + 2]


def _is_own(who: Identity, owner: str, side: str, sides: dict[Role, str]) -> bool:
    if side != sides[who.role] or not is_gateway_name(owner):
        return False
    return who.role is Role.BRIDGE or owner == who.name
