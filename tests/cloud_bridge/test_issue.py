"""Certificates and claim codes out of a real registry, on SQLite and on PostgreSQL; nothing of HTTP."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from cloud_bridge.authority import Use, common_name, issue, issuer_of, pem
from cloud_bridge.enrolment import CERTIFICATES_A_DAY, CLAIMS_A_DAY, Refused, as_row, claim_digest
from cloud_bridge.folder import Folder
from cloud_bridge.register import Claimed, Token
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.issue import Issuing
from cloud_bridge.runtime.keys import load_authority, load_certificate
from cloud_bridge.runtime.revocation import write_list
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways, tokens
from cloud_bridge.store.registry.migrate import migrate
from cloud_bridge.store.registry.registry import Registry
from config.runtime.files import load
from gateway.wire import enrolment as wire
from gateway.wire.token import digest
from tests.cloud_bridge.enrolling import new_key, renewal, request_for, signed

PI = "pi-1"
HOUR_MS = 3_600_000


class Office:
    """An authority that gives certificates out, and what a test does to its registry."""

    def __init__(self, folder: Folder, registry: Registry) -> None:
        self.settings = load(folder.settings, CloudSettings)
        self.registry = registry
        self.authority = load_authority(self.settings.tls.gateways, self.settings.tls.issuing_key)
        self.issuing = Issuing(self.settings, registry, self.authority, load_certificate(self.settings.tls.services))
        self._numbers = itertools.count(1)

    def token(self, name: str = PI, valid_ms: int = HOUR_MS) -> str:
        secret, now = format(next(self._numbers), "064x"), now_ms()
        with self.registry.writing() as connection:
            gateways.register(connection, name, now)
            made = Token(digest=digest(secret), gateway=name, created_at=now, expires_at=now + valid_ms)
            tokens.add_token(connection, made)
        return secret

    def enrol(self, key: ec.EllipticCurvePrivateKey, name: str = PI, token: str | None = None) -> wire.Issued:
        asked = wire.Enrol(token=token or self.token(name), gateway=name, csr=request_for(key))
        return self.issuing.enrol(asked)

    def expired(self, key: ec.EllipticCurvePrivateKey, name: str = PI, *, known: bool = True) -> str:
        """A certificate that ran out yesterday, as a gateway has that was off for long."""
        then = datetime.now(UTC) - timedelta(days=91)
        serial = x509.random_serial_number()
        life = timedelta(days=90)
        leaf = issue(self.authority, name, Use.CLIENT, key.public_key(), serial, then, life=life)
        if known:
            with self.registry.writing() as connection:
                gateways.register(connection, name, now_ms())
                gateways.record(connection, as_row(leaf, name, int(then.timestamp() * 1000)))
        return pem(leaf).decode()

    def revoke(self, name: str = PI) -> None:
        with self.registry.writing(noticed=True) as connection:
            gateways.revoke(connection, name, "", now_ms())

    def restore(self, name: str = PI) -> None:
        with self.registry.writing(noticed=True) as connection:
            gateways.restore(connection, name, now_ms())

    def claim(self, key: ec.EllipticCurvePrivateKey, certificate: str, unit: str = "") -> wire.ClaimCode:
        nonce = self.issuing.nonce().nonce
        signature = signed(key, wire.claim_bytes(PI, unit, nonce))
        asked = wire.Claim(gateway=PI, certificate=certificate, nonce=nonce, unit=unit, signature=signature)
        return self.issuing.claim(asked)

    def count(self, name: str = PI) -> int:
        with self.registry.reading() as connection:
            return gateways.find(connection, name).certificates


@pytest.fixture
def office(tmp_path: Path, registry: Registry) -> Office:
    return Office(init(tmp_path / "cloud", "127.0.0.1:0"), registry)


def leaf_of(issued: wire.Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate.encode())


def test_s12_a_token_gets_a_clients_certificate_for_its_name_and_the_key_shown(office: Office) -> None:
    key = new_key()
    issued = office.enrol(key)
    leaf = leaf_of(issued)
    assert issuer_of(leaf, {"gateways": office.authority.certificate}) == "gateways"
    assert common_name(leaf) == issued.gateway == PI
    assert leaf.public_key() == key.public_key()
    uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [Use.CLIENT.value]
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert timedelta(days=89) < leaf.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=90)
    assert leaf.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert (issued.cloud, issued.enrolment) == ("mqtts://127.0.0.1:0", "https://127.0.0.1:0")
    assert issued.ca.encode() == office.settings.tls.services.read_bytes()
    assert issued.issuer.encode() == office.settings.tls.gateways.read_bytes()
    assert issued.command_key.encode() == office.settings.command_public.read_bytes()


def test_s11_a_token_is_used_once_and_the_same_key_may_ask_again(office: Office) -> None:
    key, token = new_key(), office.token()
    first = office.enrol(key, token=token)
    assert office.enrol(key, token=token) == first
    with pytest.raises(Refused, match="used already"):
        office.enrol(new_key(), token=token)
    assert office.count() == 1


def test_s11_of_many_who_use_a_token_at_once_one_key_wins(office: Office) -> None:
    token, keys = office.token(), [new_key() for _ in range(6)]

    def attempt(key: ec.EllipticCurvePrivateKey) -> bool:
        try:
            office.enrol(key, token=token)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, keys)) == 1
    assert office.count() == 1


def test_s11_a_token_for_another_name_too_old_or_of_a_revoked_gateway_opens_nothing(office: Office) -> None:
    with pytest.raises(Refused, match="token of 'pi-2'"):
        office.enrol(new_key(), PI, office.token("pi-2"))
    with pytest.raises(Refused, match="run out"):
        office.enrol(new_key(), token=office.token(valid_ms=0))
    with pytest.raises(Refused, match="no such token"):
        office.enrol(new_key(), token="f" * 64)
    token = office.token()
    office.revoke()
    with pytest.raises(Refused, match="no such token"):
        office.enrol(new_key(), token=token)
    assert office.count() == 0


def test_a_refusal_leaves_the_token_unused(office: Office) -> None:
    token = office.token()
    with pytest.raises(Refused):
        office.enrol(new_key(), "pi-2", token)
    with pytest.raises(Refused):
        office.issuing.enrol(wire.Enrol(token=token, gateway=PI, csr="x"))
    office.enrol(new_key(), token=token)


def test_a_new_token_lets_a_new_pi_in_under_a_revoked_name_and_the_old_one_stays_out(office: Office) -> None:
    stolen, new = new_key(), new_key()
    old = office.enrol(stolen)
    office.revoke()
    issued = office.enrol(new)
    assert office.registry.revoked_gateways() == frozenset()
    with office.registry.reading() as connection:
        assert set(gateways.revoked_serials(connection)) == {leaf_of(old).serial_number}
    with pytest.raises(Refused, match="revoked"):
        office.issuing.renew(renewal(stolen, old.certificate, request_for(new_key())))
    office.issuing.renew(renewal(new, issued.certificate, request_for(new_key())))


def test_a_certificate_renews_for_a_new_key_and_stays_good_itself(office: Office) -> None:
    old_key, key = new_key(), new_key()
    old = office.enrol(old_key)
    issued = office.issuing.renew(renewal(old_key, old.certificate, request_for(key)))
    assert leaf_of(issued).public_key() == key.public_key()
    assert common_name(leaf_of(issued)) == PI
    with office.registry.reading() as connection:
        assert gateways.revoked_serials(connection) == {}


def test_a_renewal_asked_again_gets_the_same_certificate_and_no_second_one(office: Office) -> None:
    old_key, key = new_key(), new_key()
    asked = renewal(old_key, office.enrol(old_key).certificate, request_for(key))
    first = office.issuing.renew(asked)
    assert office.issuing.renew(asked) == first
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: office.issuing.renew(asked).certificate, range(8))) == {first.certificate}
    assert office.count() == 2


def test_a_gateway_that_was_off_longer_than_its_certificate_lives_needs_no_visit(office: Office) -> None:
    key, new = new_key(), new_key()
    issued = office.issuing.renew(renewal(key, office.expired(key), request_for(new)))
    assert leaf_of(issued).not_valid_after_utc > datetime.now(UTC)


def test_an_expired_certificate_that_was_replaced_renews_nothing_but_a_lost_answer(office: Office) -> None:
    key, new = new_key(), new_key()
    certificate = office.expired(key)
    issued = office.issuing.renew(renewal(key, certificate, request_for(new)))
    assert office.issuing.renew(renewal(key, certificate, request_for(new))) == issued
    with pytest.raises(Refused, match="run out"):
        office.issuing.renew(renewal(key, certificate, request_for(new_key())))


def test_a_registry_from_before_a_certificate_takes_it_up_while_it_is_good(office: Office) -> None:
    key = new_key()
    serial = x509.random_serial_number()
    leaf = issue(office.authority, PI, Use.CLIENT, key.public_key(), serial, datetime.now(UTC))
    office.issuing.renew(renewal(key, pem(leaf).decode(), request_for(new_key())))
    assert office.count() == 2
    with pytest.raises(Refused, match="run out"):
        office.issuing.renew(renewal(key, office.expired(key, "pi-2", known=False), request_for(new_key())))


def test_s12_a_renewal_needs_the_key_of_the_certificate_and_our_own_authority(office: Office, tmp_path: Path) -> None:
    key = new_key()
    issued = office.enrol(key)
    csr = request_for(new_key())
    with pytest.raises(Refused, match="not signed"):
        office.issuing.renew(renewal(new_key(), issued.certificate, csr))
    asked = renewal(key, issued.certificate, csr)
    with pytest.raises(Refused, match="not signed"):
        office.issuing.renew(msgspec.structs.replace(asked, csr=request_for(new_key())))
    other = init(tmp_path / "other", gateways=[PI])
    with pytest.raises(Refused, match="did not sign"):
        office.issuing.renew(
            msgspec.structs.replace(asked, certificate=(other.gateway(PI) / "gateway.pem").read_text())
        )
    bridge = load(other.settings, CloudSettings).tls.bridge.certificate.read_text()
    with pytest.raises(Refused, match="did not sign"):
        office.issuing.renew(msgspec.structs.replace(asked, certificate=bridge))
    assert office.count() == 1


def test_a_revoked_gateway_renews_nothing_until_it_is_restored(office: Office) -> None:
    key = new_key()
    issued = office.enrol(key)
    office.revoke()
    asked = renewal(key, issued.certificate, request_for(new_key()))
    with pytest.raises(Refused, match="revoked"):
        office.issuing.renew(asked)
    office.restore()
    office.issuing.renew(asked)


def test_a_revoked_gateway_renews_nothing_with_a_certificate_that_the_registry_does_not_know(office: Office) -> None:
    office.enrol(new_key())
    office.revoke()
    key, serial = new_key(), x509.random_serial_number()
    leaf = issue(office.authority, PI, Use.CLIENT, key.public_key(), serial, datetime.now(UTC))
    with pytest.raises(Refused, match="revoked gateway"):
        office.issuing.renew(renewal(key, pem(leaf).decode(), request_for(new_key())))


def test_a_revocation_that_a_restored_registry_has_forgotten_stays_in_the_list(office: Office, tmp_path: Path) -> None:
    issued, path = office.enrol(new_key()), office.settings.tls.revoked
    office.revoke()
    assert write_list(path, office.registry, office.authority)
    assert not write_list(path, office.registry, office.authority)
    migrate(tmp_path / "restored.sqlite3")
    with Registry(tmp_path / "restored.sqlite3") as restored:
        assert not write_list(path, restored, office.authority)
        with restored.writing() as connection:
            gateways.register(connection, PI, now_ms())
            other = issue(office.authority, PI, Use.CLIENT, new_key().public_key(), 5, datetime.now(UTC))
            gateways.record(connection, as_row(other, PI, now_ms()))
            gateways.revoke(connection, PI, "", now_ms())
        assert write_list(path, restored, office.authority)
    listed = x509.load_pem_x509_crl(path.read_bytes())
    assert {each.serial_number for each in listed} == {5, leaf_of(issued).serial_number}


def test_a_registry_restored_from_before_a_revocation_learns_it_from_the_list(office: Office) -> None:
    """As if the backup had been made between the certificate and its revocation."""
    key, path = new_key(), office.settings.tls.revoked
    issued = office.enrol(key)
    serial = leaf_of(issued).serial_number
    office.revoke()
    assert write_list(path, office.registry, office.authority)
    with office.registry.writing() as connection:
        connection.execute(text("UPDATE certificates SET revoked_at = NULL"))
        connection.execute(text("UPDATE gateways SET revoked_at = NULL"))
    assert not write_list(path, office.registry, office.authority)
    with office.registry.reading() as connection:
        assert serial in gateways.revoked_serials(connection)
    with pytest.raises(Refused, match="revoked"):
        office.issuing.renew(renewal(key, issued.certificate, request_for(new_key())))


def test_a_revocation_that_was_taken_back_leaves_the_list(office: Office) -> None:
    key, path = new_key(), office.settings.tls.revoked
    issued = office.enrol(key)
    for _ in range(2):
        office.revoke()
        assert write_list(path, office.registry, office.authority)
        office.restore()
        assert write_list(path, office.registry, office.authority)
        assert not list(x509.load_pem_x509_crl(path.read_bytes()))
    office.issuing.renew(renewal(key, issued.certificate, request_for(new_key())))


def test_a_revoked_certificate_of_which_only_the_list_knows_gets_nothing(office: Office) -> None:
    """As if the backup had been made before the certificate."""
    key = new_key()
    issued = office.enrol(key)
    office.revoke()
    write_list(office.settings.tls.revoked, office.registry, office.authority)
    with office.registry.writing() as connection:
        for table in ("tokens", "certificates", "gateways"):
            connection.execute(text(f"DELETE FROM {table}"))
    with pytest.raises(Refused, match="revoked"):
        office.issuing.renew(renewal(key, issued.certificate, request_for(new_key())))
    with office.registry.writing() as connection:
        gateways.register(connection, PI, now_ms())
    with pytest.raises(Refused, match="revoked"):
        office.claim(key, issued.certificate)


def test_a_gateway_that_forgets_its_renewals_is_stopped_before_it_fills_the_registry(office: Office) -> None:
    key = new_key()
    issued = office.enrol(key)
    for _ in range(CERTIFICATES_A_DAY - 1):
        office.issuing.renew(renewal(key, issued.certificate, request_for(new_key())))
    with pytest.raises(Refused, match="in a day already") as raised:
        office.issuing.renew(renewal(key, issued.certificate, request_for(new_key())))
    assert raised.value.error == wire.Why.TOO_OFTEN
    office.enrol(new_key(), "pi-2")


def test_a_claim_code_opens_the_gateway_or_the_unit_it_was_asked_for(office: Office) -> None:
    key = new_key()
    certificate = office.enrol(key).certificate
    for unit, opened in (("", None), ("rack-1", "rack-1")):
        made = office.claim(key, certificate, unit)
        assert 14 * 60_000 < made.expires_at - now_ms() <= 15 * 60_000
        with office.registry.writing() as connection:
            claimed = tokens.redeem_claim(connection, claim_digest(made.code.lower()), now_ms())
        assert claimed == Claimed(gateway=PI, unit=opened)


def test_a_claim_is_asked_for_once_a_nonce_by_the_gateway_itself(office: Office) -> None:
    key = new_key()
    certificate, nonce = office.enrol(key).certificate, office.issuing.nonce().nonce
    good = wire.Claim(
        gateway=PI, certificate=certificate, nonce=nonce, signature=signed(key, wire.claim_bytes(PI, "", nonce))
    )
    for bad in (
        msgspec.structs.replace(good, unit="rack-1"),
        msgspec.structs.replace(good, gateway="pi-2"),
        msgspec.structs.replace(good, nonce=office.issuing.nonce().nonce),
        msgspec.structs.replace(good, signature=signed(new_key(), wire.claim_bytes(PI, "", nonce))),
    ):
        with pytest.raises(Refused):
            office.issuing.claim(bad)
    office.issuing.claim(good)
    with pytest.raises(Refused, match="nonce"):
        office.issuing.claim(good)


def test_who_is_out_claims_nothing(office: Office) -> None:
    key = new_key()
    old = office.expired(key)
    with pytest.raises(Refused, match="run out"):
        office.claim(key, old)
    certificate = office.enrol(key).certificate
    office.revoke()
    with pytest.raises(Refused, match="revoked"):
        office.claim(key, certificate)


def test_claim_codes_of_a_day_are_bounded(office: Office) -> None:
    key = new_key()
    certificate = office.enrol(key).certificate
    for _ in range(CLAIMS_A_DAY):
        office.claim(key, certificate)
    with pytest.raises(Refused, match="in a day already"):
        office.claim(key, certificate)
