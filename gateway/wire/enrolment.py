"""What a gateway and the cloud's enrolment endpoint say to each other: JSON over HTTPS, one request a connection.

GET  /v1/trust       -> Trust             before anything is sent, to be compared with the token's digests (S11)
POST /v1/enrol       Enrol   -> Issued    one use of a token; again with the same key: the same certificate
POST /v1/renew       Renew   -> Issued    by the key of an earlier certificate
GET  /v1/nonce       -> Fresh             for the next one
POST /v1/claim-code  Claim   -> ClaimCode
any                  -> Failure           with a status of 400 or more
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec

from gateway.wire import limits
from gateway.wire.messages import Instant, Message, ShortText
from gateway.wire.token import Secret

TRUST, ENROL, RENEW, NONCE, CLAIM_CODE = "/v1/trust", "/v1/enrol", "/v1/renew", "/v1/nonce", "/v1/claim-code"
_RENEWAL = b"ridethrough-renew/1"
_CLAIM = b"ridethrough-claim/1"

Pem = Annotated[str, msgspec.Meta(max_length=limits.PEM_LENGTH)]
Signature = Annotated[str, msgspec.Meta(max_length=128)]
"""ECDSA with SHA-256 on P-256, DER (RFC 3279, 2.2.3), base64."""
FreshNonce = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Url = Annotated[str, msgspec.Meta(max_length=300)]


class Trust(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`authority`: certificate of whom the cloud's servers come from; `command_key`: the Ed25519 public key that signs
    orders; both PEM. `firmware_root`: the firmware's root metadata, if there is any."""

    authority: Pem
    command_key: Pem
    firmware_root: Annotated[str, msgspec.Meta(max_length=limits.ROOT_METADATA_LENGTH)] | None = None


class Enrol(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`token`: the token's secret, not its text. Of `csr` the EC P-256 key alone is taken (S12)."""

    token: Secret
    gateway: ShortText
    csr: Pem

    def __repr__(self) -> str:
        return f"Enrol(gateway={self.gateway!r})"


class Renew(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`certificate`: one that is good, or the gateway's newest. `signature`: over `renewal_bytes`, by its key."""

    csr: Pem
    certificate: Pem
    signature: Signature


class Issued(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`issuer`: certificate of whom `certificate` comes from; `ca`: of whom the cloud's servers come from.

    `cloud`: mqtts://HOST:PORT; `enrolment`: https://HOST:PORT.
    """

    gateway: ShortText
    certificate: Pem
    issuer: Pem
    ca: Pem
    command_key: Pem
    cloud: Url
    enrolment: Url


class Fresh(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Good once, for limits.NONCE_S."""

    nonce: FreshNonce


class Claim(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A code for all the gateway's units, or for one. `signature`: over `claim_bytes`, by the certificate's key."""

    gateway: ShortText
    certificate: Pem
    nonce: FreshNonce
    signature: Signature
    unit: ShortText = ""


class ClaimCode(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`code`: eight characters of base32 in two groups, as in `K7QM-2XAB`."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[A-Z2-7]{4}-[A-Z2-7]{4}\Z")]
    expires_at: Instant


class Failure(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`error`: one of the words of `Why`; a later version may have more. `detail`: a sentence for a person."""

    error: ShortText
    detail: Annotated[str, msgspec.Meta(max_length=limits.DETAIL_LENGTH)] = ""


class Why:
    """Words of a Failure. Nobody is told which of a token's or a certificate's properties was wrong."""

    MALFORMED = "malformed"  # 400
    REFUSED = "refused"  # 403: no such token, not for this gateway, used by another key, run out; no such certificate
    TOO_LARGE = "too_large"  # 413
    TOO_OFTEN = "too_often"  # 429
    FAILED = "failed"  # 500, 503: not the gateway's fault; try again later


def renewal_bytes(csr_der: bytes, certificate_der: bytes) -> bytes:
    """What a renewal signs. Replayed it brings forth the same certificate for the same key, hence no nonce."""
    return b"\n".join((_RENEWAL, _hex(csr_der), _hex(certificate_der)))


def claim_bytes(gateway: str, unit: str, nonce: str) -> bytes:
    """What a claim signs."""
    return b"\n".join((_CLAIM, gateway.encode(), unit.encode(), nonce.encode()))


def _hex(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
