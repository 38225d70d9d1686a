"""cloud_bridge.authority: what the two authorities sign, as RFC 5280 and safety rules S12 and S15 want it."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_bridge.authority import (
    AUTHORITY_LIFE,
    CURVE,
    LEAF_LIFE,
    Authority,
    Use,
    common_name,
    found,
    hosts_of,
    is_demo,
    issue,
    issuer_of,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = ec.generate_private_key(CURVE)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return found("Ridethrough gateways", ec.generate_private_key(CURVE), 1, NOW)


def leaf(authority: Authority, name: str = "pi-1", use: Use = Use.CLIENT, now: datetime = NOW) -> x509.Certificate:
    return issue(authority, name, use, KEY.public_key(), 2, now)


def test_a_leafs_subject_is_its_name_alone(authority: Authority) -> None:
    certificate = leaf(authority)
    assert [(each.oid, each.value) for each in certificate.subject] == [(NameOID.COMMON_NAME, "pi-1")]
    assert common_name(certificate) == "pi-1"


def test_s12_a_leaf_signs_nothing_and_has_one_use(authority: Authority) -> None:
    for use, oid in ((Use.CLIENT, ExtendedKeyUsageOID.CLIENT_AUTH), (Use.SERVER, ExtendedKeyUsageOID.SERVER_AUTH)):
        extensions = leaf(authority, use=use).extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert not constraints.value.ca
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.digital_signature
        assert not usage.key_cert_sign
        assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [oid]


def test_an_authority_signs_leaves_only(authority: Authority) -> None:
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert authority.certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_pi_whose_clock_stands_at_the_epoch_accepts_them(authority: Authority) -> None:
    for certificate in (authority.certificate, leaf(authority)):
        assert certificate.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_leaf_never_outlives_its_authority(authority: Authority) -> None:
    assert leaf(authority).not_valid_after_utc == NOW + LEAF_LIFE
    late = NOW + AUTHORITY_LIFE - timedelta(days=10)
    assert leaf(authority, now=late).not_valid_after_utc == NOW + AUTHORITY_LIFE


def test_keys_are_p_256(authority: Authority) -> None:
    for certificate in (authority.certificate, leaf(authority)):
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"


def test_hosts_are_names_and_addresses_each_once(authority: Authority) -> None:
    hosts = ["bridge.example.net", "127.0.0.1", "::1", "127.0.0.1"]
    certificate = issue(authority, "broker", Use.SERVER, KEY.public_key(), 3, NOW, hosts)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["bridge.example.net"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert hosts_of(certificate) == ["bridge.example.net", "127.0.0.1", "::1"]
    assert hosts_of(leaf(authority)) == []


def test_s12_the_signer_is_known_by_its_signature_not_by_its_name(authority: Authority) -> None:
    namesake = Authority(authority.certificate, ec.generate_private_key(CURVE))
    authorities = {"gateways": authority.certificate}
    assert issuer_of(leaf(authority), authorities) == "gateways"
    assert issuer_of(leaf(namesake), authorities) is None


def test_two_clouds_authorities_have_two_names() -> None:
    names = {common_name(found("x", ec.generate_private_key(CURVE), 1, NOW).certificate) for _ in range(3)}
    assert len(names) == 3


def test_s15_a_demos_certificates_say_so(authority: Authority) -> None:
    demo = found("Ridethrough gateways", ec.generate_private_key(CURVE), 1, NOW, demo=True)
    assert is_demo(demo.certificate)
    assert is_demo(leaf(demo))
    assert not is_demo(authority.certificate)
    assert not is_demo(leaf(authority))
    organisation = demo.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [each.value for each in organisation] == ["Ridethrough demo"]


def test_a_certificate_with_two_names_has_none() -> None:
    key = ec.generate_private_key(CURVE)
    two = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("pi-1", "bridge")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(two)
        .issuer_name(two)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert common_name(certificate) is None
