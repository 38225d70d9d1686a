"""Who gets a certificate, and for which key. Pure: rows of the registry and `now` are handed in.

Of a signing request the public key alone is taken; name, use, lifetime and CA:false are the authority's (S12).
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud_bridge.authority import common_name, issuer_of
from cloud_bridge.errors import CloudError
from cloud_bridge.folder import GATEWAYS
from cloud_bridge.register import Certificate, Token
from gateway.wire import enrolment as wire
from gateway.wire.limits import PEM_LENGTH
from gateway.wire.topics import is_gateway_name

CLAIM_VALID_S = 15 * 60.0
CLAIM_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""Of base32 (RFC 4648, section 6): none is taken for another."""
CLAIM_LENGTH = 8
"""40 bits, guessed at by portal users for 15 minutes at most, each guess counted."""
CLAIMS_A_DAY = 50
"""Of one gateway."""
CERTIFICATES_A_DAY = 12
"""Of one gateway. One in 45 days is usual; a Pi that forgets its renewals must not fill the registry."""
DAY_MS = 86_400_000


class Refused(CloudError):
    """Nothing is issued. `error`: a word of wire.Why, told to who asked; the text is for our log alone."""

    def __init__(self, why: str, error: str = wire.Why.REFUSED) -> None:
        super().__init__(why)
        self.error = error


def key_of_request(csr: str) -> ec.EllipticCurvePublicKey:
    """The P-256 key of a signing request that was made with it. Raises Refused."""
    try:
        request = x509.load_pem_x509_csr(_pem(csr))
        key = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Refused(f"signing request: {error}", wire.Why.MALFORMED) from None
    if not proven:
        raise Refused("a signing request that its own key did not sign", wire.Why.MALFORMED)
    return _p256(key, "signing request")


def request_der(csr: str) -> bytes:
    """What a renewal's signature covers of a signing request that `key_of_request` took."""
    return x509.load_pem_x509_csr(_pem(csr)).public_bytes(Encoding.DER)


def bearer(pem: str, authority: x509.Certificate) -> tuple[str, x509.Certificate]:
    """The gateway that a certificate of ours names; its dates are not looked at. Raises Refused."""
    try:
        certificate = x509.load_pem_x509_certificate(_pem(pem))
        issuer = issuer_of(certificate, {GATEWAYS: authority})
        name = common_name(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Refused(f"certificate: {error}", wire.Why.MALFORMED) from None
    if issuer is None or name is None or not is_gateway_name(name):
        raise Refused("a certificate that this cloud's authority of gateways did not sign")
    return name, certificate


def check_signature(certificate: x509.Certificate, signature: str, content: bytes) -> None:
    """Raises Refused unless the certificate's key signed `content`."""
    key = _p256(certificate.public_key(), "certificate")
    try:
        key.verify(base64.b64decode(signature, validate=True), content, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise Refused("not signed with the certificate's key") from None


def token_use(token: Token | None, gateway: str, key: str, issued: Certificate | None, now: int) -> Certificate | None:
    """The certificate that this token got for this key already, its answer lost; None: a first use. Raises Refused.

    `key`: digest of the key; `issued`: the newest certificate of `gateway` for it.
    """
    if token is None:
        raise Refused("no such token")
    if token.gateway != gateway:
        raise Refused(f"a token of {token.gateway!r}")
    if token.used_at is None:
        if token.expires_at <= now:
            raise Refused("the token has run out")
        return None
    if token.public_key_digest != key or issued is None or not _is_good(issued, now):
        raise Refused("the token was used already")
    return issued


def renewal(
    shown: x509.Certificate, row: Certificate | None, issued: Certificate | None, now: int
) -> Certificate | None:
    """The certificate that was issued for this key already, its answer lost; None: a new one is due. Raises Refused.

    `row`: what the registry knows of `shown`, None if it was restored from a time before; `issued`: the newest
    certificate for the key of the request. One that has run out renews as long as it is the gateway's newest: who was
    off for longer than a certificate lives needs no visit.
    """
    if row is not None and row.revoked_at is not None:
        raise Refused("a revoked certificate")
    if issued is not None and issued.revoked_at is not None:
        raise Refused("a key whose certificate was revoked")
    is_shown = row is not None and issued is not None and row.serial_number == issued.serial_number
    if issued is not None and issued.replaced_by is None and not is_shown:
        return issued if _is_good(issued, now) else None
    ends = int(shown.not_valid_after_utc.timestamp() * 1000)
    is_newest = row is not None and row.replaced_by is None
    if ends <= now and not is_newest:
        raise Refused("a certificate that has run out and is not the gateway's newest")
    return None


def check_bearer(shown: x509.Certificate, row: Certificate | None, now: int) -> None:
    """Raises Refused unless the certificate is still good."""
    if row is not None and row.revoked_at is not None:
        raise Refused("a revoked certificate")
    if int(shown.not_valid_after_utc.timestamp() * 1000) <= now:
        raise Refused("a certificate that has run out")


def check_daily(issued: int, most: int, what: str) -> None:
    """Raises Refused if `issued` in the last day is all there may be."""
    if issued >= most:
        raise Refused(f"{issued} {what} in a day already", wire.Why.TOO_OFTEN)


def claim_code(random: bytes) -> str:
    """A code of CLAIM_LENGTH random bytes, as in `K7QM-2XAB`."""
    letters = "".join(CLAIM_CHARACTERS[byte % len(CLAIM_CHARACTERS)] for byte in random[:CLAIM_LENGTH])
    return f"{letters[:4]}-{letters[4:]}"


def claim_digest(code: str) -> str:
    """What is kept of a claim code, however it is typed: SHA-256."""
    typed = "".join(code.upper().split()).replace("-", "").replace("0", "O").replace("1", "I").replace("8", "B")
    return hashlib.sha256(typed.encode()).hexdigest()


def key_digest(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def as_row(certificate: x509.Certificate, gateway: str, now: int) -> Certificate:
    """What the registry keeps of a certificate that was signed at `now`."""
    return Certificate(
        serial_number=format(certificate.serial_number, "x"),
        gateway=gateway,
        issued_at=now,
        expires_at=int(certificate.not_valid_after_utc.timestamp() * 1000),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        public_key_digest=key_digest(_p256(certificate.public_key(), "certificate")),
        pem=certificate.public_bytes(Encoding.PEM).decode(),
    )


def _is_good(certificate: Certificate, now: int) -> bool:
    return certificate.revoked_at is None and now < certificate.expires_at


def _p256(key: object, of: str) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused(f"{of}: expected a key on the curve P-256", wire.Why.MALFORMED)
    return key


def _pem(text: str) -> bytes:
    if len(text) > PEM_LENGTH or not text.isascii():
        raise Refused(f"expected PEM of at most {PEM_LENGTH} characters", wire.Why.MALFORMED)
    return text.encode()
