"""The links in notices: what whoever has one may do without a login, and for how long. Pure.

A token is PAYLOAD.SIGNATURE, both base64url without padding (RFC 4648, section 5). The signature is HMAC-SHA256 over
the purpose and the payload, so a token of one purpose is none of another (S23). Instants are UTC milliseconds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from cloud_bridge.alerts.model import ID_LENGTH
from cloud_bridge.errors import CloudError

KEY_BYTES = 32
ADDRESS_LENGTH = 254
"""Of a mail address: RFC 5321, section 4.5.3.1.3, without its brackets."""
UNSUBSCRIBE_VALID_MS = 60 * 86_400_000
"""S23."""

_DOMAIN = b"ridethrough link 1"
_ID_MAX = 2**31 - 1
"""Of an Integer in PostgreSQL."""


class Purpose(StrEnum):
    """Also the first part of the link's path."""

    UNSUBSCRIBE = "unsubscribe"
    TURN_ON = "turn-on"


class NoPublicUrl(CloudError):
    """A link was to be made, and nobody said where people reach this cloud."""

    def __init__(self) -> None:
        super().__init__("public_url is not set in cloud.yaml: without it no link can be made")


class BadLink(CloudError):
    """Not a link of ours, or one that ran out; what exactly is nobody's business."""

    def __init__(self) -> None:
        super().__init__("not a link of ours, or no longer")


class Unsubscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`address` gets nothing more by `policy` (its id). `channel`: by which it got the notice, 0 if nobody said."""

    address: Annotated[str, Meta(min_length=1, max_length=ADDRESS_LENGTH)]
    policy: Annotated[int, Meta(ge=0, le=_ID_MAX)]
    until: int
    channel: Annotated[int, Meta(ge=0, le=_ID_MAX)] = 0


class TurnOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Notifications of a muted device are on again. `mute`: its id; with it the link dies."""

    mute: Annotated[str, Meta(min_length=1, max_length=ID_LENGTH)]


Asked = TypeVar("Asked", Unsubscribe, TurnOn)


def unsubscribe_url(public_url: str, key: bytes, address: str, policy: int, now: int, channel: int = 0) -> str:
    """Good for 60 days. `channel`: what the notice goes by; the confirmation goes there too. Raises NoPublicUrl."""
    asked = Unsubscribe(address.lower(), policy, now + UNSUBSCRIBE_VALID_MS, channel)
    return _url(public_url, Purpose.UNSUBSCRIBE, sign(key, Purpose.UNSUBSCRIBE, asked))


def turn_on_url(public_url: str, key: bytes, mute_id: str) -> str:
    """Good as long as the mute lasts. Raises NoPublicUrl."""
    return _url(public_url, Purpose.TURN_ON, sign(key, Purpose.TURN_ON, TurnOn(mute_id)))


def sign(key: bytes, purpose: Purpose, asked: Unsubscribe | TurnOn) -> str:
    """The token of a link."""
    payload = msgspec.json.encode(asked)
    return f"{_text(payload)}.{_text(_signature(key, purpose, payload))}"


def asked_to_unsubscribe(key: bytes, token: str, now: int) -> Unsubscribe:
    """Raises BadLink."""
    asked = _verified(key, Purpose.UNSUBSCRIBE, token, Unsubscribe)
    if now >= asked.until:
        raise BadLink
    return asked


def asked_to_turn_on(key: bytes, token: str) -> TurnOn:
    """Whether the mute is still there is for the registry to say. Raises BadLink."""
    return _verified(key, Purpose.TURN_ON, token, TurnOn)


def _verified(key: bytes, purpose: Purpose, token: str, kind: type[Asked]) -> Asked:
    payload, dot, signature = token.partition(".")
    if not dot:
        raise BadLink
    content = _bytes(payload)
    if not hmac.compare_digest(_bytes(signature), _signature(key, purpose, content)):
        raise BadLink
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:  # signed by a later version of ours
        raise BadLink from None


def _signature(key: bytes, purpose: Purpose, payload: bytes) -> bytes:
    return hmac.digest(key, b"\n".join((_DOMAIN, purpose.encode(), payload)), hashlib.sha256)


def _url(public_url: str, purpose: Purpose, token: str) -> str:
    if not public_url:
        raise NoPublicUrl
    return f"{public_url}/{purpose}/{token}"


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Of the one text that stands for them. Raises BadLink."""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise BadLink from None
    if _text(content) != text:
        raise BadLink
    return content
