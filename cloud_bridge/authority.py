"""Certificates: two authorities and the leaves they sign. Pure: keys, serial numbers and `now` are handed in.

RFC 5280 profile: EC P-256, the common name alone as subject, CA:false with one extended key usage for a leaf.
The authority decides name, use, lifetime and hosts; of a signing request it takes the key alone (S12).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_bridge.addresses import ip_of

CURVE = ec.SECP256R1()
NOT_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)
"""A Raspberry Pi has no clock: until the network tells it the time it may believe any date from Unix time
0 on, and its alarms must get through all the same. A certificate's beginning protects nothing: nobody had
the key earlier."""
AUTHORITY_LIFE = timedelta(days=20 * 365)
LEAF_LIFE = timedelta(days=5 * 365)
"""Of the services' own: long, since nothing renews them by itself; `cloud check` warns in time."""
GATEWAY_LIFE = timedelta(days=90)
"""Gateways renew theirs by themselves at half of it (docs/enrolment.md)."""
EXPIRY_WARNING = timedelta(days=60)
GATEWAY_WARNING = timedelta(days=30)
"""Less than is left when a gateway should have renewed its own."""
DEMO_ORGANISATION = "Ridethrough demo"
"""Marks keys that lie in a demo's folder: `gateway check` refuses them off loopback (S15)."""


class Use(Enum):
    """What a leaf is for; a gateway accepts no client's certificate as a broker's."""

    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs: its certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def found(name: str, key: ec.EllipticCurvePrivateKey, serial: int, now: datetime, *, demo: bool = False) -> Authority:
    """A new authority, signed by itself. Its name ends in digits of its key's digest: two clouds' can be
    told apart."""
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, f"{name} {key_id.digest.hex()[:8]}")]
    if demo:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEMO_ORGANISATION))
    subject = x509.Name(attributes)
    builder = (
        _builder(subject, subject, key.public_key(), serial, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(key_id, critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue(
    authority: Authority,
    name: str,
    use: Use,
    public_key: ec.EllipticCurvePublicKey,
    serial: int,
    now: datetime,
    hosts: Iterable[str] = (),
    *,
    life: timedelta = LEAF_LIFE,
) -> x509.Certificate:
    """A leaf for `name`. `hosts` are the names and addresses a server answers to."""
    signer = authority.certificate
    ends = min(now + life, signer.not_valid_after_utc)
    signer_id = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_named(name), signer.subject, public_key, serial, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use.value]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer_id), critical=False)
    )
    if alternatives := [_general_name(host) for host in dict.fromkeys(hosts)]:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def revocation_list(
    authority: Authority, revoked: Mapping[int, datetime], number: int, now: datetime
) -> x509.CertificateRevocationList:
    """The serial numbers that are good no more, and since when (RFC 5280, section 5).

    It is good until its authority ends: it lies beside the broker, and one that ran out would lock everybody out.
    """
    signer = authority.certificate
    signer_id = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.subject)
        .last_update(min(now, signer.not_valid_after_utc - timedelta(days=1)))
        .next_update(signer.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer_id), critical=False)
    )
    for serial, since in sorted(revoked.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(authority.key, hashes.SHA256())


def issuer_of(certificate: x509.Certificate, authorities: Mapping[str, x509.Certificate]) -> str | None:
    """Which of `authorities` signed it, by its signature: the other of ours could forge a mere name."""
    for name, authority in authorities.items():
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return name
    return None


def common_name(certificate: x509.Certificate) -> str | None:
    """Whom a leaf names; None unless it has exactly one common name."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else None


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses a server's certificate is good for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def is_demo(certificate: x509.Certificate) -> bool:
    """Whether an authority, or the authority that a leaf names, is a demo's (S15)."""
    organisations = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return any(each.value == DEMO_ORGANISATION for each in organisations)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    serial: int,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(ends)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    ip = ip_of(host)
    return x509.DNSName(host) if ip is None else x509.IPAddress(ipaddress.ip_address(ip))


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
