"""The enrolment endpoint as a process, asked as a gateway asks it."""

from __future__ import annotations

import hashlib
import json
import select
import shutil
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from cloud_bridge.addresses import parse_address
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.check import check
from cloud_bridge.runtime.enrol import REQUEST_BYTES
from cloud_bridge.runtime.enrolling import all_gateways, new_token, revoke
from cloud_bridge.runtime.https import CONNECTIONS_PER_ADDRESS, HANDSHAKE_S
from cloud_bridge.runtime.init import init
from gateway.wire import enrolment as wire
from gateway.wire.messages import Lane
from gateway.wire.token import Token, decode
from gateway.wire.topics import Up
from tests.cloud_bridge.conftest import new_database
from tests.cloud_bridge.enrolling import Endpoint, new_key, of_folder, renewal, request_for, signed
from tests.cloud_bridge.talker import Talker, eventually, free_port
from tests.cloud_bridge.words import STREAM, event, hello, payload
from tests.conftest import Start
from tests.process import Process

PI = "pi-1"


class Site:
    """A cloud's folder, and the role once it runs."""

    def __init__(self, folder: Folder, start: Start) -> None:
        self.folder, self._start = folder, start

    def run(self) -> Process:
        self.process = self._start("cloud", "run", "--dir", self.folder.root, "--only", "enrol", ready=["enrol"])
        host, port = parse_address(self.process.address("enrol"))
        self.endpoint = Endpoint((host, port), self.folder.authority("services")[0])
        return self.process

    def token(self, name: str = PI) -> Token:
        return decode(new_token(self.folder.root, name, 3600)[0])

    def asked(self, key: ec.EllipticCurvePrivateKey, name: str = PI) -> wire.Enrol:
        return wire.Enrol(token=self.token(name).secret, gateway=name, csr=request_for(key))

    def enrol(self, key: ec.EllipticCurvePrivateKey, name: str = PI) -> wire.Issued:
        return self.endpoint.post(wire.ENROL, self.asked(key, name), wire.Issued)


@pytest.fixture
def site(tmp_path: Path, start: Start) -> Site:
    one = Site(init(tmp_path / "cloud", "127.0.0.1:0", ["pi-old"]), start)
    one.run()
    return one


def test_s11_a_token_pins_authority_order_key_and_firmware_root_of_the_endpoint(site: Site) -> None:
    token, trust = site.token(), site.endpoint.get(wire.TRUST, wire.Trust)
    authority = x509.load_pem_x509_certificate(trust.authority.encode()).public_bytes(Encoding.DER)
    key = load_pem_public_key(trust.command_key.encode())
    assert isinstance(key, Ed25519PublicKey)
    assert token.authority == hashlib.sha256(authority).hexdigest()
    assert token.command_key == hashlib.sha256(key.public_bytes_raw()).hexdigest()
    assert token.firmware_root is None
    assert trust.firmware_root is None
    assert token.url == "https://127.0.0.1:0"


def test_a_gateway_enrols_renews_and_claims_over_https(site: Site) -> None:
    first, second = new_key(), new_key()
    issued = site.enrol(first)
    again = site.endpoint.post(wire.RENEW, renewal(first, issued.certificate, request_for(second)), wire.Issued)
    assert x509.load_pem_x509_certificate(again.certificate.encode()).public_key() == second.public_key()
    nonce = site.endpoint.get(wire.NONCE, wire.Fresh).nonce
    signature = signed(second, wire.claim_bytes(PI, "rack-1", nonce))
    claim = wire.Claim(gateway=PI, certificate=again.certificate, nonce=nonce, signature=signature, unit="rack-1")
    assert site.endpoint.post(wire.CLAIM_CODE, claim, wire.ClaimCode).code
    site.process.logged(f"{PI}: enrolled: certificate")
    site.process.logged(f"{PI}: renewed: certificate")
    assert site.process.terminate() == 0
    assert site.process.stdout.splitlines() == [f"ready: enrol {site.process.address('enrol')}"]


def test_a_gateway_made_by_gateway_add_renews_like_any_other(site: Site) -> None:
    key, certificate = of_folder(site.folder.gateway("pi-old"))
    issued = site.endpoint.post(wire.RENEW, renewal(key, certificate, request_for(new_key())), wire.Issued)
    assert issued.gateway == "pi-old"


def test_s11_neither_log_nor_answer_shows_a_token_or_says_what_was_wrong_with_it(site: Site) -> None:
    key = new_key()
    asked = site.asked(key)
    site.endpoint.post(wire.ENROL, asked, wire.Issued)
    bodies = [
        site.endpoint.ask("POST", wire.ENROL, body)
        for body in (
            json.dumps({"token": asked.token, "gateway": PI, "csr": request_for(new_key())}).encode(),
            json.dumps({"token": asked.token, "gateway": "pi-2", "csr": request_for(key)}).encode(),
            json.dumps({"token": "0" * 64, "gateway": PI, "csr": request_for(key)}).encode(),
        )
    ]
    assert {status for status, _ in bodies} == {403}
    assert len({body for _, body in bodies}) == 1
    assert site.endpoint.refused(wire.ENROL, json.dumps({"token": asked.token, "gateway": 7}).encode()) == (
        400,
        wire.Why.MALFORMED,
    )
    site.process.logged("refused: the token was used already")
    assert site.process.terminate() == 0
    assert asked.token not in site.process.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 20_000, b"\xff", b'{"token": 1}', b"null"])
def test_a_body_that_is_no_request_is_refused_in_words(site: Site, content: bytes) -> None:
    for path in (wire.ENROL, wire.RENEW, wire.CLAIM_CODE):
        assert site.endpoint.refused(path, content) == (400, wire.Why.MALFORMED)


def test_a_body_that_is_too_long_is_not_read_to_its_end(site: Site) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        assert site.endpoint.refused(wire.ENROL, b" " * (REQUEST_BYTES + 1)) == (413, wire.Why.TOO_LARGE)
    assert site.endpoint.get(wire.TRUST, wire.Trust).authority


def test_who_fails_too_often_is_told_to_wait_though_its_next_token_is_good(site: Site) -> None:
    for _ in range(10):
        bad = wire.Enrol(token="0" * 64, gateway=PI, csr=request_for(new_key()))
        assert site.endpoint.refused(wire.ENROL, bad)[0] == 403
    assert site.endpoint.refused(wire.ENROL, site.asked(new_key())) == (429, wire.Why.TOO_OFTEN)


def test_s23_what_is_not_offered_is_not_found_and_a_get_changes_nothing(site: Site) -> None:
    assert [site.endpoint.ask("GET", path)[0] for path in ("/", "/docs", "/openapi.json", "/v1/gateways")] == [404] * 4
    assert [site.endpoint.ask("GET", path)[0] for path in (wire.ENROL, wire.RENEW, wire.CLAIM_CODE)] == [405] * 3


def test_what_is_no_http_or_says_nothing_harms_nobody(site: Site) -> None:
    context = ssl.create_default_context(cafile=site.endpoint.ca)
    held = [socket.create_connection(site.endpoint.address) for _ in range(CONNECTIONS_PER_ADDRESS - 1)]
    with (
        socket.create_connection(site.endpoint.address) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        wrapped.sendall(b"\x10\x04MQTT\r\n\r\n")
        assert wrapped.recv(100).startswith(b"HTTP/1.1 400")
    over = [socket.create_connection(site.endpoint.address) for _ in range(2)]
    closed, _, _ = select.select(over, [], [], HANDSHAKE_S / 2)  # which of them is as soon as the one above has left
    assert [each.recv(1) for each in closed[:1]] == [b""]
    for each in (*held, *over):
        each.close()
    eventually(lambda: _answers(site.endpoint), "it does not answer any more")


def _answers(endpoint: Endpoint) -> bool:
    with suppress(OSError):
        return endpoint.ask("GET", wire.TRUST)[0] == 200
    return False


def test_check_takes_a_port_that_the_endpoint_itself_holds_for_no_trouble(tmp_path: Path, start: Start) -> None:
    mqtts, https = (f"127.0.0.1:{free_port()}" for _ in range(2))
    site = Site(init(tmp_path / "cloud", mqtts, https=https), start)
    assert check(site.folder.root) == []
    site.run()
    assert check(site.folder.root) == []
    site.process.terminate()
    host, port = parse_address(https)
    with socket.create_server((host, port)):
        assert ["listen_https" in problem.what for problem in check(site.folder.root)] == [True]


def test_s13_it_serves_loopback_alone_unless_told_otherwise(site: Site) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", site.endpoint.address[1]), 5)


def test_a_revocation_made_where_the_issuing_key_is_not_gets_into_the_list_all_the_same(
    site: Site, tmp_path: Path
) -> None:
    listed = site.folder.root / "authority" / "gateways.crl.pem"
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(site.folder.root, elsewhere)
    (elsewhere / "authority" / "gateways.key").unlink()
    registry = site.folder.root / "data" / "registry.sqlite3"
    text = (elsewhere / "cloud.yaml").read_text()
    (elsewhere / "cloud.yaml").write_text(text.replace('registry: ""', f'registry: "{registry}"'))
    assert "enrol role writes" in revoke(elsewhere, "pi-old", "stolen")
    serial = x509.load_pem_x509_certificate((site.folder.gateway("pi-old") / "gateway.pem").read_bytes()).serial_number
    eventually(lambda: [each.serial_number for each in crl(listed)] == [serial], "the list does not say so")
    assert stat.S_IMODE(listed.stat().st_mode) == 0o644


def crl(path: Path) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(path.read_bytes())


def test_s12_broker_and_ingest_serve_without_the_issuing_key_and_the_order_key(tmp_path: Path, start: Start) -> None:
    folder = init(tmp_path / "cloud", f"127.0.0.1:{free_port()}", [PI])
    for name in ("gateways.key", "services.key", "command.key"):
        (folder.root / "authority" / name).unlink()
    port = parse_address(
        start("cloud", "run", "--dir", folder.root, "--only", "broker", ready=["broker"]).address("broker")
    ).port
    start("cloud", "run", "--dir", folder.root, "--only", "ingest", ready=["ingest"])
    with Talker(folder.root, PI, port) as talker:
        talker.say(Up.HELLO, hello())
        talker.say(Up.EVENTS, payload(1, event(1), stream=STREAM))
        talker.wait_through(Lane.EVENTS, 1)
    enrol = start("cloud", "run", "--dir", folder.root, "--only", "enrol")
    assert enrol.ended() == 1
    assert str(folder.authority("gateways")[1]) in enrol.stderr


@pytest.mark.peer
def test_enrolment_works_on_postgresql(tmp_path: Path, start: Start, postgresql: str) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0", ["pi-old"])
    text = folder.settings.read_text()
    folder.settings.write_text(text.replace('registry: ""', f'registry: "{new_database(postgresql)}"'))
    site = Site(folder, start)
    assert [row.name for row in all_gateways(folder.root)] == ["pi-old"]
    site.run()
    site.enrol(new_key())
    assert [(row.name, row.certificates) for row in all_gateways(folder.root)] == [(PI, 1), ("pi-old", 1)]


@pytest.mark.parametrize("name", ["authority/gateways.key", "enrol.key"])
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, start: Start, name: str) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    (folder.root / name).chmod(0o640)
    process = start("cloud", "run", "--dir", folder.root, "--only", "enrol")
    assert process.ended() == 1
    assert f"{folder.root / name}: mode 0640" in process.stderr


def test_a_registry_that_is_not_there_is_status_2_and_a_line_that_says_what_makes_it(
    tmp_path: Path, start: Start
) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    (folder.root / "data" / "registry.sqlite3").unlink()
    process = start("cloud", "run", "--dir", folder.root, "--only", "enrol")
    assert process.ended() == 2
    assert "ridethrough cloud run" in process.stderr
