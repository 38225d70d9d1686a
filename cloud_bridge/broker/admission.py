"""Which CONNECT is let in. Asked before the broker hears of the client: amqtt gives a session to whoever
names it.

MQTT 3.1.1, sections 3.1 and 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloud_bridge.acl import Identity, will_topic
from cloud_bridge.broker.errors import BadPacket, Refused
from config.text import one_line

PROTOCOL_LEVEL = 4
"""MQTT 3.1.1."""
WILL_BYTES = 1024
MOST_KEEP_ALIVE_S = 300
"""A peer that is gone without a word is noticed after 1.5 times this at the latest."""
UNSAID_KEEP_ALIVE_S = 30
"""Taken when a client asks for none, which would let a dead peer stay for ever."""
KEEP_ALIVE_GRACE = 1.5
"""Section 3.1.2.10."""

BAD_LEVEL, BAD_NAME, UNAVAILABLE, NOT_AUTHORIZED = 1, 2, 3, 5
"""CONNACK return codes (table 3.1)."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """What a CONNECT packet says, as far as it is looked at."""

    protocol: str
    level: int
    client_id: str
    user_name: str | None
    keep_alive_s: int
    will: Will | None


def admit(connect: Connect, who: Identity) -> float:
    """Checks a CONNECT against its bearer's certificate; returns how many seconds of silence mean that it is
    gone.

    Raises BadPacket, Refused.
    """
    if connect.protocol != "MQTT":
        raise BadPacket(f"CONNECT for the protocol {one_line(connect.protocol, _SHOWN)!r}: expected 'MQTT'")
    if connect.level != PROTOCOL_LEVEL:
        raise Refused(f"protocol level {connect.level}: only MQTT 3.1.1 (level 4) is spoken here", BAD_LEVEL)
    _check_names(connect, who)
    if connect.will:
        _check_will(connect.will, who)
    if connect.keep_alive_s > MOST_KEEP_ALIVE_S:
        raise Refused(f"keep-alive of {connect.keep_alive_s} s: at most {MOST_KEEP_ALIVE_S} s", BAD_NAME)
    return KEEP_ALIVE_GRACE * (connect.keep_alive_s or UNSAID_KEEP_ALIVE_S)


def _check_names(connect: Connect, who: Identity) -> None:
    if connect.client_id != who.name:
        shown = one_line(connect.client_id, _SHOWN)
        raise Refused(f"client id {shown!r} with the certificate of {who.name!r}", BAD_NAME)
    if connect.user_name not in (None, who.name):
        shown = one_line(connect.user_name or "", _SHOWN)
        raise Refused(f"user name {shown!r} with the certificate of {who.name!r}", NOT_AUTHORIZED)


def _check_will(will: Will, who: Identity) -> None:
    if will.topic != will_topic(who):
        allowed = will_topic(who) or "no will"
        raise Refused(f"a will under {one_line(will.topic, _SHOWN)!r}: allowed is {allowed}", NOT_AUTHORIZED)
    if will.retain or will.qos > 1:
        raise Refused("a will that is retained or has QoS 2: neither is spoken here", NOT_AUTHORIZED)
    if len(will.payload) > WILL_BYTES:
        raise Refused(f"a will of {len(will.payload)} bytes: at most {WILL_BYTES}", NOT_AUTHORIZED)
