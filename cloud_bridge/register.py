"""What the registry knows of gateways, as values. Instants are UTC milliseconds."""

from __future__ import annotations

import msgspec

TOKEN_VALID_S = 3600
"""Of an enrolment token, unless its maker asks for less (S11)."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One that was issued. `serial_number`: hexadecimal digits. The gateway's newest has no `replaced_by`."""

    serial_number: str
    gateway: str
    issued_at: int
    expires_at: int
    fingerprint: str
    public_key_digest: str
    pem: str
    revoked_at: int | None = None
    replaced_by: str | None = None
    restored_at: int | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An enrolment token; `public_key_digest`: of the key that used it."""

    digest: str
    gateway: str
    created_at: int
    expires_at: int
    used_at: int | None = None
    public_key_digest: str | None = None


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway. `expires_at`: end of its newest certificate; `token_until`: of a token that waits to be used."""

    name: str
    created_at: int
    revoked_at: int | None = None
    revoked_why: str | None = None
    certificates: int = 0
    expires_at: int | None = None
    token_until: int | None = None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim code opened: a gateway's units, or one of them."""

    gateway: str
    unit: str | None = None
