"""The enrolment token: what its bearer is let in with, and what it has to check before it says a word (S11).

Text: `ridethrough-token:` and base64url, unpadded, of JSON. A token has one text: anything else is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated

import msgspec

from gateway.wire import limits
from gateway.wire.errors import Malformed, TooLarge
from gateway.wire.messages import Message
from gateway.wire.topics import is_gateway_name

PREFIX = "ridethrough-token:"
SECRET_BYTES = 32

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SHA-256, in hexadecimal digits."""
Secret = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SECRET_BYTES random bytes, in hexadecimal digits."""
EnrolmentUrl = Annotated[
    str, msgspec.Meta(pattern=r"^https://(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5}\Z")
]
"""`https://HOST:PORT`."""


class Token(Message, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """`authority`: SHA-256 of the DER certificate that signs the cloud's servers; `command_key`: of the raw 32 bytes of
    the Ed25519 key that signs orders; `firmware_root`: of the firmware's root metadata, None as long as the cloud has
    none."""

    url: EnrolmentUrl
    gateway: Annotated[str, msgspec.Meta(max_length=limits.GATEWAY_NAME_LENGTH)]
    secret: Secret
    authority: Digest
    command_key: Digest
    firmware_root: Digest | None = None

    def __repr__(self) -> str:
        return f"Token(url={self.url!r}, gateway={self.gateway!r}, secret=...)"


def encode(token: Token) -> str:
    """One line, without an end."""
    return PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def decode(text: str) -> Token:
    """Raises TooLarge, Malformed; white space around it is passed over. No error shows what was given: it is secret."""
    text = text.strip()
    if len(text) > limits.TOKEN_LENGTH:
        raise TooLarge(f"{len(text)} characters: an enrolment token has at most {limits.TOKEN_LENGTH}")
    if not text.startswith(PREFIX):
        raise Malformed(f"not an enrolment token: one begins with {PREFIX!r}")
    token = _parse(text.removeprefix(PREFIX))
    if not is_gateway_name(token.gateway):
        raise Malformed("enrolment token for a name that no gateway may bear")
    if encode(token) != text:
        raise Malformed("enrolment token that is not written as one is: copy it again, whole")
    return token


def digest(secret: str) -> str:
    """What is kept of a secret: SHA-256 of its text. It has 256 random bits, so that a slow hash adds nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _parse(encoded: str) -> Token:
    try:
        content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(content, type=Token)
    except (binascii.Error, ValueError, RecursionError, msgspec.MsgspecError):
        raise Malformed("damaged enrolment token: copy it again, whole") from None
