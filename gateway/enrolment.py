"""What a gateway asks its cloud's enrolment endpoint, and what of the answers it believes. Pure: keys come in.

A certificate is taken only if it is what we asked for: our key, our name, a client's, from the authority that we were
told of when we enrolled. Who hands it over has no say in that.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import NotEnrolled
from gateway.wire import enrolment as wire
from gateway.wire.token import Token

CURVE = ec.SECP256R1()
FOREIGN = "this is not the cloud that made the token, or somebody is between; nothing was sent"


def trusted(token: Token, trust: wire.Trust) -> wire.Trust:
    """What the cloud shows, if it is what the token says (S11), and nothing beside it: a PEM file may hold a second
    certificate, and that one nobody has compared. Raises NotEnrolled."""
    try:
        authority = x509.load_pem_x509_certificate(trust.authority.encode())
        command_key = _command_key(trust.command_key)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotEnrolled(token.url, f"shows no certificate or key: {_first_line(error)}") from error
    root = trust.firmware_root if token.firmware_root else None
    compared = {
        "authority": (authority.fingerprint(hashes.SHA256()).hex(), token.authority),
        "command key": (hashlib.sha256(command_key.public_bytes_raw()).hexdigest(), token.command_key),
        "firmware root": (root and hashlib.sha256(root.encode()).hexdigest(), token.firmware_root),
    }
    for what, (shown, expected) in compared.items():
        if shown != expected:
            raise NotEnrolled(token.url, f"shows another {what} than the token names: {FOREIGN}")
    key = command_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return wire.Trust(authority=pem(authority), command_key=key, firmware_root=root)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key(content: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError if it is none on P-256."""
    try:
        key = load_pem_private_key(content, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("expected a key on the curve P-256")
    return key


def signing_request(key: ec.EllipticCurvePrivateKey, gateway: str) -> x509.CertificateSigningRequest:
    """Of it the issuer takes the key alone (S12); the name is for who reads it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


def enrolment(token: Token, key: ec.EllipticCurvePrivateKey) -> wire.Enrol:
    csr = signing_request(key, token.gateway)
    return wire.Enrol(token=token.secret, gateway=token.gateway, csr=pem(csr))


def renewal(
    gateway: str,
    new: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> wire.Renew:
    """For the key `new`, by the newest certificate that we have and its key."""
    csr = signing_request(new, gateway)
    signed = wire.renewal_bytes(csr.public_bytes(Encoding.DER), certificate.public_bytes(Encoding.DER))
    return wire.Renew(csr=pem(csr), certificate=pem(certificate), signature=_signature(key, signed))


def claim(
    gateway: str, unit: str, nonce: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> wire.Claim:
    signature = _signature(key, wire.claim_bytes(gateway, unit, nonce))
    return wire.Claim(gateway=gateway, unit=unit, nonce=nonce, certificate=pem(certificate), signature=signature)


def issuer_of(text: str, where: str, servers: x509.Certificate) -> x509.Certificate:
    """The authority that gateways' certificates come from. Raises NotEnrolled."""
    try:
        issuer = x509.load_pem_x509_certificate(text.encode())
        is_authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise NotEnrolled(where, f"the issuer's certificate: {_first_line(error)}") from error
    if not is_authority:
        raise NotEnrolled(where, "names an issuer that is no authority")
    if issuer.public_key() == servers.public_key():
        raise NotEnrolled(where, "has one authority for gateways and servers: any gateway could pass for a server")
    return issuer


def accepted(
    text: str, where: str, gateway: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate
) -> x509.Certificate:
    """The certificate, if it is the one that was asked for. Raises NotEnrolled."""
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        wrong = _wrong(certificate, gateway, key, issuer)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotEnrolled(where, f"what it issued is no certificate: {_first_line(error)}") from error
    if wrong:
        raise NotEnrolled(where, f"the certificate that it issued {wrong}: it is not taken")
    return certificate


def check_longer(where: str, new: x509.Certificate, old: x509.Certificate) -> None:
    """Raises NotEnrolled unless the new one lasts longer than the one that was shown for it."""
    if new.not_valid_after_utc <= old.not_valid_after_utc:
        until = f"{new.not_valid_after_utc:%Y-%m-%d}"
        raise NotEnrolled(where, f"issued a certificate until {until}, no longer than the one that we have")


def _wrong(
    certificate: x509.Certificate, gateway: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate
) -> str:
    """What is wrong with it, or nothing. Its dates are the cloud's: our clock may not be set."""
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return "does not come from the authority of this cloud's gateways"
    if certificate.public_key() != key.public_key():
        return "is for another key than ours"
    if names != [gateway]:
        return f"names {', '.join(names) or 'nobody'}, expected {gateway}"
    return _wrong_use(certificate)


def _wrong_use(certificate: x509.Certificate) -> str:
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        uses = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound as error:
        return f"does not say what it is for ({_first_line(error)})"
    if is_authority:
        return "would make us an authority"
    return "" if uses == [ExtendedKeyUsageOID.CLIENT_AUTH] else "is not a client's"


def _command_key(text: str) -> Ed25519PublicKey:
    key = load_pem_public_key(text.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the command key is not Ed25519")
    return key


def _signature(key: ec.EllipticCurvePrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()


def pem(what: x509.Certificate | x509.CertificateSigningRequest) -> str:
    return what.public_bytes(Encoding.PEM).decode()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
