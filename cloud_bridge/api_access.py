"""Who may do what through the REST API (S25). Pure. Instants are UTC milliseconds.

Whoever can open the unix socket may do everything, as whoever runs the command line may. Over the network only a token
counts, never an address; of a token the registry has the SHA-256 alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from cloud_bridge.errors import CloudError

SECRET_BYTES = 32
MARK = "rt1_"
"""What tokens begin with, so that people and scanners of secrets know one when they see it."""
TOKEN_LENGTH = 100
"""Longest that is looked at."""
VALID_AT_MOST_S = 5 * 366 * 86_400

_TOKEN_NAME = re.compile(r"^[A-Za-z0-9._-]{1,64}\Z")


class Scope(StrEnum):
    """READ: see everything but secrets. RESPOND: acknowledge, assign and note alerts. TEST: send test notices.
    WRITE: change owners, devices, channels, policies, rules, silences, routes, mutes. TOKENS: see, make and revoke
    tokens of the API. None holds another."""

    READ = "read"
    RESPOND = "respond"
    TEST = "test"
    WRITE = "write"
    TOKENS = "tokens"


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry has of one. `expires_at` None: when it is revoked."""

    digest: str
    name: str
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None


class TokenForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token that is asked for. `valid_s`: how long it is good; none: until it is revoked."""

    name: Annotated[str, Meta(pattern=_TOKEN_NAME.pattern)]
    scopes: Annotated[frozenset[Scope], Meta(min_length=1)]
    valid_s: Annotated[int, Meta(ge=60, le=VALID_AT_MOST_S)] | None = None


class TokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one; the token itself is told once, when it is made."""

    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class TokenMade(TokenShown, frozen=True, kw_only=True):
    token: str


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `name`: of the token; empty: somebody on this machine."""

    name: str
    scopes: frozenset[Scope]


SOMEBODY_HERE = Caller("", frozenset(Scope))
"""Whom the unix socket let in."""


class NotAllowed(CloudError):
    """The caller is known and may do other things. `scope`: what it lacks."""

    def __init__(self, caller: Caller, scope: Scope) -> None:
        has = ", ".join(sorted(caller.scopes))
        super().__init__(f"this takes a token with the scope {scope}; {caller.name!r} has {has}")
        self.scope = scope


class NoToken(CloudError):
    """Nobody we know. The text is the same for a token that is unknown, ran out, or was revoked."""

    def __init__(self) -> None:
        super().__init__("this takes `Authorization: Bearer TOKEN`, with a token that is good: `cloud api token add`")


# Of routes that no rule below covers. {…} as in the routes themselves.
_NEEDS: Mapping[tuple[str, str], Scope] = {
    ("POST", "/v1/alerts/{alert}/acknowledge"): Scope.RESPOND,
    ("POST", "/v1/alerts/{alert}/assign"): Scope.RESPOND,
    ("POST", "/v1/alerts/{alert}/note"): Scope.RESPOND,
    ("POST", "/v1/channels/{owner}/{channel}/test"): Scope.TEST,
}
_TOKENS = "/v1/tokens"


def needed(method: str, path: str) -> Scope:
    """The scope that a route takes; what nobody thought of takes WRITE."""
    if path == _TOKENS or path.startswith(f"{_TOKENS}/"):
        return Scope.TOKENS
    if method in ("GET", "HEAD"):
        return Scope.READ
    return _NEEDS.get((method, path), Scope.WRITE)


def check_scope(caller: Caller, method: str, path: str) -> None:
    """Raises NotAllowed."""
    if (scope := needed(method, path)) not in caller.scopes:
        raise NotAllowed(caller, scope)


def is_token_name(name: str) -> bool:
    return _TOKEN_NAME.match(name) is not None


def token_text(secret: bytes) -> str:
    """Of SECRET_BYTES random bytes."""
    return MARK + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def shown_in(authorization: str) -> str:
    """The token in an Authorization header (RFC 6750, section 2.1). Raises NoToken."""
    scheme, _, token = authorization.partition(" ")
    looks_like_one = token.isascii() and token.startswith(MARK) and len(MARK) < len(token) <= TOKEN_LENGTH
    if scheme.lower() != "bearer" or not looks_like_one:
        raise NoToken
    return token


def caller_with(shown: str, token: ApiToken | None, now: int) -> Caller:
    """`token`: what the registry has under the digest of what was shown. Raises NoToken."""
    known = token.digest if token else ""
    if not hmac.compare_digest(digest_of(shown), known) or token is None:
        raise NoToken
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        raise NoToken
    return Caller(token.name, token.scopes)


def shown(token: ApiToken) -> TokenShown:
    return TokenShown(
        name=token.name,
        scopes=tuple(sorted(token.scopes)),
        created_at=_instant(token.created_at),
        expires_at=None if token.expires_at is None else _instant(token.expires_at),
        revoked_at=None if token.revoked_at is None else _instant(token.revoked_at),
    )


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
