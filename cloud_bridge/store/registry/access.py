"""Tokens of the REST API, kept as digests (S25). Each function works inside its caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud_bridge.api_access import ApiToken, Scope
from cloud_bridge.errors import Taken
from cloud_bridge.store.registry.alert_tables import api_tokens


def add(connection: Connection, token: ApiToken) -> None:
    """A name is used once, so that whoever reads an old line of a log knows whose it was. Raises Taken."""
    values = {
        "digest": token.digest,
        "name": token.name,
        "scopes": " ".join(sorted(token.scopes)),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }
    try:
        connection.execute(insert(api_tokens).values(values))
    except IntegrityError:
        raise Taken("token", token.name) from None


def find(connection: Connection, digest: str) -> ApiToken | None:
    row = connection.execute(select(api_tokens).where(api_tokens.c.digest == digest)).first()
    return _token(row) if row else None


def find_named(connection: Connection, name: str) -> ApiToken | None:
    row = connection.execute(select(api_tokens).where(api_tokens.c.name == name)).first()
    return _token(row) if row else None


def listed(connection: Connection) -> list[ApiToken]:
    """In the order of their making."""
    return [_token(row) for row in connection.execute(select(api_tokens).order_by(api_tokens.c.created_at))]


def revoke(connection: Connection, name: str, now: int) -> None:
    """For good; the first time counts."""
    good = (api_tokens.c.name == name) & api_tokens.c.revoked_at.is_(None)
    connection.execute(update(api_tokens).where(good).values(revoked_at=now))


def _token(row: Row[Any]) -> ApiToken:
    # A scope of a later version is none here.
    known = frozenset(Scope(word) for word in row.scopes.split() if word in set(Scope))
    return ApiToken(
        digest=row.digest,
        name=row.name,
        scopes=known,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
