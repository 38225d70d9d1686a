"""Enrolment tokens and claim codes, kept as digests. Each function works inside its caller's transaction."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_bridge.register import Claimed, Token
from cloud_bridge.store.registry.schema import claims, tokens

KEPT_MS = 30 * 86_400_000
"""How long a token or code that has run out is remembered, for whoever asks what became of it."""


def add_token(connection: Connection, token: Token) -> None:
    """One that waits for the same gateway's use is void from now on: the last that was handed out counts."""
    connection.execute(delete(tokens).where(tokens.c.expires_at < token.created_at - KEPT_MS))
    connection.execute(delete(tokens).where(tokens.c.gateway == token.gateway, tokens.c.used_at.is_(None)))
    connection.execute(insert(tokens).values(**msgspec.structs.asdict(token)))


def find_token(connection: Connection, digest: str) -> Token | None:
    """Nobody else can use it until the transaction ends."""
    query = select(tokens).where(tokens.c.digest == digest).with_for_update()
    row = connection.execute(query).mappings().first()
    return Token(**row) if row else None


def use_token(connection: Connection, digest: str, public_key_digest: str, now: int) -> None:
    unused = (tokens.c.digest == digest) & tokens.c.used_at.is_(None)
    connection.execute(update(tokens).where(unused).values(used_at=now, public_key_digest=public_key_digest))


def add_claim(connection: Connection, digest: str, claimed: Claimed, now: int, expires_at: int) -> None:
    connection.execute(delete(claims).where(claims.c.expires_at < now - KEPT_MS))
    values = {"gateway": claimed.gateway, "unit": claimed.unit, "created_at": now, "expires_at": expires_at}
    connection.execute(insert(claims).values(digest=digest, **values))


def claims_since(connection: Connection, gateway: str, since: int) -> int:
    counted = select(func.count()).select_from(claims)
    wanted = (claims.c.gateway == gateway) & (claims.c.created_at > since)
    return int(connection.execute(counted.where(wanted)).scalar_one())


def redeem_claim(connection: Connection, digest: str, now: int) -> Claimed | None:
    """What the code opens, once; None if there is no such code, or it has run out or was used."""
    good = (claims.c.digest == digest) & claims.c.used_at.is_(None) & (claims.c.expires_at > now)
    used = connection.execute(
        update(claims).where(good).values(used_at=now).returning(claims.c.gateway, claims.c.unit)
    ).first()
    return Claimed(gateway=used.gateway, unit=used.unit) if used else None
