"""What is wrong with a gateway's certificate and its authority, judged by their content. The files are the
caller's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DEMO_ORGANISATION = "Ridethrough demo"
"""Organisation in the subject of a demo's authorities: their keys lie in a demo's folder (S15)."""

EXPIRES_SOON = timedelta(days=60)
RENEWAL_IS_LATE = timedelta(days=30)
"""Of 90: a gateway that renews by itself has done it by then, or has failed to for days (gateway.renewal)."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong at `where`. `fatal`: the gateway must not run with it; else a date, which a
    clock decides."""

    where: str
    what: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def own_certificate(
    where: str, certificate: x509.Certificate, key: PublicKeyTypes, gateway: str, now: datetime, *, renews: bool = False
) -> Iterator[Finding]:
    """Of the certificate that names the gateway; `key` is the public half of the key beside it. `renews`: the gateway
    gets a new one by itself (gateway.renewal)."""
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [gateway]:
        yield Finding(where, f"names {', '.join(names) or 'nobody'}, expected {gateway}: the broker would refuse it")
    if certificate.public_key() != key:
        yield Finding(where, "does not belong to the key beside it")
    if ExtendedKeyUsageOID.CLIENT_AUTH not in _uses(certificate):
        yield Finding(where, "is not made for a client")
    yield from dates(where, certificate, now, RENEWAL_IS_LATE if renews else EXPIRES_SOON)


def authority(where: str, certificate: x509.Certificate, host: str, now: datetime) -> Iterator[Finding]:
    """Of the authority that the broker's certificate must come from."""
    if is_demo(certificate) and not is_loopback(host):
        what = f"made by `ridethrough demo`: its key is no secret, so it is refused for {host} (S15); use `cloud init`"
        yield Finding(where, what)
    yield from dates(where, certificate, now)


def dates(
    where: str, certificate: x509.Certificate, now: datetime, soon: timedelta = EXPIRES_SOON
) -> Iterator[Finding]:
    """Whether it has run out or soon will, or is not valid yet: never fatal, since a Pi may have a wrong
    clock."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        yield Finding(where, f"is valid from {begins:%Y-%m-%d} on; is this machine's clock right?", fatal=False)
    elif ends <= now:
        yield Finding(where, f"expired on {ends:%Y-%m-%d}", fatal=False)
    elif ends - now < soon:
        yield Finding(where, f"expires on {ends:%Y-%m-%d}, in {(ends - now).days} days", fatal=False)


def is_demo(certificate: x509.Certificate) -> bool:
    """Whether it is a demo's authority, or signed by one."""
    names = [*certificate.subject, *certificate.issuer]
    return any(each.oid == NameOID.ORGANIZATION_NAME and each.value == DEMO_ORGANISATION for each in names)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _uses(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return {ExtendedKeyUsageOID.CLIENT_AUTH}
