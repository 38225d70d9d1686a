"""Tokens of the REST API: made, listed, revoked, looked up. Each function raises RegistryError."""

from __future__ import annotations

import secrets

import msgspec

from cloud_bridge.api_access import (
    SECRET_BYTES,
    ApiToken,
    Caller,
    TokenForm,
    TokenMade,
    TokenShown,
    caller_with,
    digest_of,
    is_token_name,
    shown,
    shown_in,
    token_text,
)
from cloud_bridge.errors import NotThere
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.registry import access
from cloud_bridge.store.registry.registry import Registry


def make(registry: Registry, form: TokenForm) -> TokenMade:
    """Raises Taken."""
    text, now = token_text(secrets.token_bytes(SECRET_BYTES)), now_ms()
    until = None if form.valid_s is None else now + form.valid_s * 1000
    kept = ApiToken(digest=digest_of(text), name=form.name, scopes=form.scopes, created_at=now, expires_at=until)
    with registry.writing() as connection:
        access.add(connection, kept)
    return TokenMade(token=text, **msgspec.structs.asdict(shown(kept)))


def all_tokens(registry: Registry) -> list[TokenShown]:
    """Oldest first."""
    with registry.reading() as connection:
        return [shown(token) for token in access.listed(connection)]


def revoke(registry: Registry, name: str) -> TokenShown:
    """From the next request on. Raises NotThere."""
    found = None
    if is_token_name(name):  # PostgreSQL takes no NUL, for one
        with registry.writing() as connection:
            access.revoke(connection, name, now_ms())
            found = access.find_named(connection, name)
    if found is None:
        raise NotThere("token", name, "`ridethrough cloud api token list` names all")
    return shown(found)


def caller(registry: Registry, authorization: str) -> Caller:
    """Whose the Authorization header is. Raises NoToken."""
    token = shown_in(authorization)
    with registry.reading() as connection:
        kept = access.find(connection, digest_of(token))
    return caller_with(token, kept, now_ms())
