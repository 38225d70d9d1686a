"""What `cloud check` finds wrong with certificates; files and ports are looked at in runtime/check.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from cloud_bridge.authority import EXPIRY_WARNING, GATEWAY_WARNING, Use, common_name, hosts_of, is_demo, issuer_of
from cloud_bridge.register import Gateway


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `serious`: something does not work, or lets someone in; else it is a warning."""

    where: str
    what: str
    serious: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.serious else 'warning'}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate that should be `name`'s, for `use`, of `authority`, beside the key whose public half
    is `key`."""

    where: str
    certificate: x509.Certificate
    key: PublicKeyTypes | None
    authority: x509.Certificate
    name: str
    use: Use
    hosts: Sequence[str] = ()
    renewed: bool = False
    """Its bearer renews it by itself, so that this copy's dates say nothing; `gateway_dates` does."""


def dates(where: str, certificate: x509.Certificate, now: datetime) -> Iterator[Problem]:
    """Whether it has run out, or soon will."""
    ends = certificate.not_valid_after_utc
    if ends <= now:
        yield Problem(where, f"expired on {ends:%Y-%m-%d}: nothing connects with it any more")
    elif ends - now < EXPIRY_WARNING:
        yield Problem(where, f"expires on {ends:%Y-%m-%d}: in {(ends - now).days} days", serious=False)


def authority_problems(where: str, certificate: x509.Certificate, now: datetime) -> Iterator[Problem]:
    """Of an authority's own certificate."""
    yield from dates(where, certificate, now)
    if is_demo(certificate):
        yield Problem(where, "a demo's: gateways refuse it off loopback (S15)", serious=False)


def gateway_dates(where: str, gateways: Iterable[Gateway], now: datetime) -> Iterator[Problem]:
    """Of gateways that did not renew in time: warnings, since one that is off does so when it is back."""
    for gateway in gateways:
        if gateway.revoked_at is not None or gateway.expires_at is None:
            continue
        ends = datetime.fromtimestamp(gateway.expires_at / 1000, UTC)
        if ends <= now:
            what = f"the certificate of {gateway.name} expired on {ends:%Y-%m-%d}; it renews it when it is back"
            yield Problem(where, what, serious=False)
        elif ends - now < GATEWAY_WARNING:
            days = f"on {ends:%Y-%m-%d}, in {(ends - now).days} days"
            what = f"the certificate of {gateway.name} expires {days}: does the gateway reach the enrolment endpoint?"
            yield Problem(where, what, serious=False)


def list_problems(
    where: str,
    revoked: x509.CertificateRevocationList,
    issuer: x509.Certificate,
    wanted: Collection[int],
    now: datetime,
) -> Iterator[Problem]:
    """Of the revocation list; `wanted`: the serial numbers that should be in it."""
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not revoked.is_signature_valid(key):
        yield Problem(where, "not signed by the gateways' authority: no broker takes it")
    if revoked.last_update_utc > now:
        yield Problem(where, f"begins on {revoked.last_update_utc:%Y-%m-%d}: Mosquitto lets nobody in until then")
    ends = revoked.next_update_utc
    if ends is None or ends <= now:
        yield Problem(where, "has run out: Mosquitto lets nobody in any more")
    elif ends - now < EXPIRY_WARNING:
        yield Problem(where, f"ends on {ends:%Y-%m-%d}: then Mosquitto lets nobody in", serious=False)
    listed = {each.serial_number for each in revoked}
    if lacking := len(set(wanted) - listed):
        yield Problem(where, f"lacks {lacking} certificates that are revoked: does the enrol role run?", serious=False)


def leaf_problems(leaf: Leaf, now: datetime) -> Iterator[Problem]:
    """Of a broker's, the bridge's or a gateway's certificate."""
    if not leaf.renewed:
        yield from dates(leaf.where, leaf.certificate, now)
    if issuer_of(leaf.certificate, {"": leaf.authority}) is None:
        yield Problem(leaf.where, "not signed by this cloud's authority for it")
    if (name := common_name(leaf.certificate)) != leaf.name:
        yield Problem(leaf.where, f"names {name!r}; expected {leaf.name!r}")
    if leaf.key is not None and leaf.key != leaf.certificate.public_key():
        yield Problem(leaf.where, "does not belong to the key beside it")
    uses = leaf.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if leaf.use.value not in uses:
        yield Problem(leaf.where, f"not made for a {leaf.use.name.lower()}")
    for host in leaf.hosts:
        if host not in hosts_of(leaf.certificate):
            yield Problem(leaf.where, f"not good for {host!r}: who connects to that host will refuse it")
