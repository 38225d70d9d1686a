"""cloud_bridge.enrolment, attempts and nonces: the rules, with nothing but values."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.attempts import MOST_KEPT, Attempts, Guard, Room, site_of
from cloud_bridge.authority import GATEWAY_LIFE, Use, found, issue, pem, revocation_list
from cloud_bridge.enrolment import (
    CLAIM_CHARACTERS,
    Refused,
    as_row,
    bearer,
    check_bearer,
    check_daily,
    check_signature,
    claim_code,
    claim_digest,
    key_digest,
    key_of_request,
    renewal,
    request_der,
    token_use,
)
from cloud_bridge.nonces import RANDOM_BYTES, Nonces
from cloud_bridge.register import Certificate, Token
from gateway.wire.enrolment import Why, claim_bytes, renewal_bytes
from gateway.wire.limits import NONCE_S, PEM_LENGTH
from tests.cloud_bridge.enrolling import new_key, request_for, signed

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NOW = int(AT.timestamp() * 1000)
LATER = NOW + int(GATEWAY_LIFE.total_seconds() * 1000)
HOUR = 3_600_000
ISSUER = found("Ridethrough gateways", new_key(), 1, AT)
OTHER = found("Ridethrough gateways", new_key(), 1, AT)
KEY = new_key()
LEAF = issue(ISSUER, "pi-1", Use.CLIENT, KEY.public_key(), 7, AT, life=GATEWAY_LIFE)
ROW = as_row(LEAF, "pi-1", NOW)
TOKEN = Token(digest="d" * 64, gateway="pi-1", created_at=NOW, expires_at=NOW + HOUR)


def changed(row: Certificate, **values: object) -> Certificate:
    return msgspec.structs.replace(row, **values)


def test_s12_of_a_signing_request_the_key_alone_is_taken() -> None:
    request = request_for(KEY, "bridge", x509.BasicConstraints(ca=True, path_length=None))
    leaf = issue(ISSUER, "pi-1", Use.CLIENT, key_of_request(request), 9, AT, life=GATEWAY_LIFE)
    assert leaf.public_key() == KEY.public_key()
    assert [name.value for name in leaf.subject] == ["pi-1"]
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert leaf.not_valid_after_utc == AT + GATEWAY_LIFE


def foreign_requests() -> list[str]:
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    requests = [
        made.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()),
        made.sign(rsa.generate_private_key(65537, 2048), hashes.SHA256()),
        made.sign(ed25519.Ed25519PrivateKey.generate(), None),
    ]
    return [request.public_bytes(Encoding.PEM).decode() for request in requests]


@pytest.mark.parametrize("request_", foreign_requests(), ids=["p-384", "rsa", "ed25519"])
def test_s12_a_key_of_another_kind_gets_no_certificate(request_: str) -> None:
    with pytest.raises(Refused, match="P-256"):
        key_of_request(request_)


def test_a_signing_request_that_its_key_did_not_sign_is_refused() -> None:
    der = bytearray(x509.load_pem_x509_csr(request_for(KEY).encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    body = base64.encodebytes(bytes(der)).decode()
    forged = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(Refused):
        key_of_request(forged)


@given(st.text(max_size=200) | st.just("x" * (PEM_LENGTH + 1)))
def test_any_text_is_a_request_and_a_certificate_or_refused(text: str) -> None:
    for read in (key_of_request, lambda text: bearer(text, ISSUER.certificate)):
        with pytest.raises(Refused) as raised:
            read(text)
        assert raised.value.error == Why.MALFORMED


def test_a_bearer_is_whom_our_own_authority_named() -> None:
    assert bearer(pem(LEAF).decode(), ISSUER.certificate) == ("pi-1", LEAF)
    with pytest.raises(Refused, match="did not sign"):
        bearer(pem(LEAF).decode(), OTHER.certificate)
    bridge = issue(ISSUER, "bridge", Use.CLIENT, KEY.public_key(), 8, AT)
    with pytest.raises(Refused):
        bearer(pem(bridge).decode(), ISSUER.certificate)


def test_a_signature_is_good_for_its_key_and_its_bytes_alone() -> None:
    content = renewal_bytes(request_der(request_for(KEY)), b"certificate")
    check_signature(LEAF, signed(KEY, content), content)
    for signature, said in (
        (signed(new_key(), content), content),
        (signed(KEY, content), content + b"x"),
        ("", content),
        ("####", content),
        ("AAAA", content),
    ):
        with pytest.raises(Refused, match="not signed"):
            check_signature(LEAF, signature, said)


def test_what_a_renewal_and_a_claim_sign_is_pinned_and_never_the_other() -> None:
    assert renewal_bytes(b"", b"abc") == (
        b"ridethrough-renew/1\n"
        b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert claim_bytes("pi-1", "rack-1", "aa" * 32) == b"ridethrough-claim/1\npi-1\nrack-1\n" + b"aa" * 32


def test_s11_a_token_is_for_one_gateway_one_key_and_its_time() -> None:
    assert token_use(TOKEN, "pi-1", "k", None, NOW + HOUR - 1) is None
    used = msgspec.structs.replace(TOKEN, used_at=NOW, public_key_digest=ROW.public_key_digest)
    assert token_use(used, "pi-1", ROW.public_key_digest, ROW, NOW + 2 * HOUR) == ROW
    for token, gateway, key, row, now in (
        (None, "pi-1", "k", None, NOW),
        (TOKEN, "pi-2", "k", None, NOW),
        (TOKEN, "pi-1", "k", None, NOW + HOUR),
        (used, "pi-1", "k", ROW, NOW),
        (used, "pi-1", ROW.public_key_digest, None, NOW),
        (used, "pi-1", ROW.public_key_digest, changed(ROW, revoked_at=NOW), NOW),
        (used, "pi-1", ROW.public_key_digest, ROW, LATER),
    ):
        with pytest.raises(Refused):
            token_use(token, gateway, key, row, now)


def test_the_newest_certificate_renews_however_long_ago_it_ran_out() -> None:
    assert renewal(LEAF, ROW, None, NOW) is None
    assert renewal(LEAF, ROW, None, LATER * 2) is None
    assert renewal(LEAF, None, None, LATER - 1) is None
    with pytest.raises(Refused, match="run out"):
        renewal(LEAF, None, None, LATER)


def test_an_older_certificate_renews_only_while_it_is_good() -> None:
    older = changed(ROW, replaced_by="8")
    assert renewal(LEAF, older, None, LATER - 1) is None
    with pytest.raises(Refused, match="run out"):
        renewal(LEAF, older, None, LATER)


def test_a_renewal_whose_answer_was_lost_gets_the_same_certificate_again() -> None:
    older, given_ = changed(ROW, replaced_by="8"), changed(ROW, serial_number="8", fingerprint="8" * 64)
    assert renewal(LEAF, older, given_, NOW) == given_
    given_ = changed(given_, expires_at=LATER * 2)
    assert renewal(LEAF, older, given_, LATER * 2 - 1) == given_
    assert renewal(LEAF, older, given_, LATER * 2) is None


def test_a_certificate_renewed_for_its_own_key_gets_a_new_one() -> None:
    assert renewal(LEAF, ROW, ROW, NOW) is None


def test_what_was_revoked_renews_nothing() -> None:
    with pytest.raises(Refused, match="revoked"):
        renewal(LEAF, changed(ROW, revoked_at=NOW), None, NOW)
    with pytest.raises(Refused, match="revoked"):
        renewal(LEAF, ROW, changed(ROW, serial_number="8", revoked_at=NOW), NOW)
    with pytest.raises(Refused, match="revoked"):
        check_bearer(LEAF, changed(ROW, revoked_at=NOW), NOW)
    with pytest.raises(Refused, match="run out"):
        check_bearer(LEAF, ROW, LATER)
    check_bearer(LEAF, None, LATER - 1)


def test_what_is_made_in_a_day_is_bounded() -> None:
    check_daily(11, 12, "certificates")
    with pytest.raises(Refused) as raised:
        check_daily(12, 12, "certificates")
    assert raised.value.error == Why.TOO_OFTEN


def test_a_row_says_what_its_certificate_says() -> None:
    assert (ROW.serial_number, ROW.gateway, ROW.issued_at, ROW.expires_at) == ("7", "pi-1", NOW, LATER)
    assert ROW.public_key_digest == key_digest(KEY.public_key())


@given(st.binary(min_size=8, max_size=8))
def test_a_claim_code_is_two_groups_of_base32_however_it_is_typed(random: bytes) -> None:
    code = claim_code(random)
    assert len(code) == 9
    assert set(code.replace("-", "")) <= set(CLAIM_CHARACTERS)
    for typed in (code.lower(), code.replace("-", ""), f" {code[:4]} {code[5:]}\n", code.replace("O", "0")):
        assert claim_digest(typed) == claim_digest(code)


def test_every_character_of_a_claim_code_is_as_likely_as_any_other() -> None:
    drawn = [claim_code(bytes([byte] * 8))[0] for byte in range(256)]
    assert {letter: drawn.count(letter) for letter in CLAIM_CHARACTERS} == dict.fromkeys(CLAIM_CHARACTERS, 8)


def test_a_revocation_list_is_the_authoritys_and_good_as_long_as_it() -> None:
    since = AT - timedelta(days=1)
    listed = revocation_list(ISSUER, {7: since, 2**158: AT}, 3, AT)
    assert listed.is_signature_valid(KEY.public_key()) is False
    assert listed.is_signature_valid(ISSUER.key.public_key())
    assert {each.serial_number: each.revocation_date_utc for each in listed} == {7: since, 2**158: AT}
    assert listed.next_update_utc == ISSUER.certificate.not_valid_after_utc
    assert listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    assert listed.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES), st.floats(0, 1e9), st.floats(0, NONCE_S - 0.1))
def test_a_nonce_is_good_once_while_it_is_fresh(random: bytes, now: float, waited: float) -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.new(random, now)
    assert len(nonce) == 64
    assert nonces.use(nonce, now + waited)
    assert not nonces.use(nonce, now + waited)


@given(st.text(max_size=70) | st.binary(min_size=32, max_size=32).map(bytes.hex))
def test_a_nonce_that_is_not_ours_is_none(nonce: str) -> None:
    assert not Nonces(b"secret").use(nonce, 0.0)


def test_a_nonce_of_another_process_or_too_old_is_none() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.new(bytes(8), 100.0)
    assert not Nonces(b"other").use(nonce, 100.0)
    assert not nonces.use(nonce, 100.0 + NONCE_S + 0.1)
    assert not nonces.use(nonce, 99.0)
    assert nonces.use(nonce, 100.0)


def test_attempts_are_bounded_at_once_and_over_time() -> None:
    attempts = Attempts(burst=3, per_s=0.5)
    for _ in range(3):
        assert attempts.wait_s("a", 0.0) == 0
        attempts.count("a", 0.0)
    assert attempts.wait_s("a", 0.0) == pytest.approx(2.0)
    assert attempts.wait_s("b", 0.0) == 0
    assert attempts.wait_s("a", 2.0) == 0
    attempts.count("a", 2.0)
    assert attempts.wait_s("a", 2.0) > 0


def test_names_that_a_stranger_invents_fill_no_memory() -> None:
    attempts = Attempts(burst=1, per_s=1)
    for number in range(MOST_KEPT + 10):
        attempts.count(str(number), 0.0)
    assert attempts.wait_s("0", 0.0) == 0
    assert attempts.wait_s(str(MOST_KEPT), 0.0) > 0


def test_an_address_that_fails_too_often_is_refused_and_its_neighbours_are_not() -> None:
    guard = Guard()
    for _ in range(10):
        assert not guard.refusal_s("2001:db8::1", 0.0)
        guard.failed("2001:db8::1", 0.0)
    assert guard.refusal_s("2001:db8::ffff", 0.0) > 0
    assert not guard.refusal_s("2001:db8:0:1::1", 0.0)
    assert not guard.refusal_s("2001:db8::1", 61.0)


def test_a_token_that_is_guessed_at_from_many_addresses_is_refused_to_all() -> None:
    guard = Guard()
    for number in range(10):
        guard.failed(f"192.0.2.{number}", 0.0, "digest")
    assert guard.failing_s("digest", 0.0) > 0
    assert guard.failing_s("other", 0.0) == 0


def test_one_address_and_all_together_have_a_rate() -> None:
    one = Guard()
    assert sum(not one.refusal_s("192.0.2.1", 0.0) for _ in range(100)) == 60
    all_ = Guard()
    assert sum(not all_.refusal_s(f"192.0.2.{number}", 0.0) for number in range(250)) == 200


def test_s13_strangers_of_one_site_can_not_take_all_the_room() -> None:
    room = Room(most=6, each=2)
    assert [room.enter(f"2001:db8::{number}") for number in range(1, 5)] == [True, True, False, False]
    assert [room.enter(f"192.0.2.{number}") for number in range(1, 6)] == [True, True, True, True, False]
    room.leave("2001:db8::1")
    assert room.enter("192.0.2.5")
    assert not room.enter("2001:db8::4")
    room.leave("192.0.2.5")
    assert room.enter("2001:db8::4")


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("", ""),
    ],
)
def test_a_site_is_an_address_or_its_64_bits(address: str, site: str) -> None:
    assert site_of(address) == site
