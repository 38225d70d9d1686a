"""`gateway enroll` and `claim-code` against an endpoint that may be anybody's."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.runtime.files import load
from gateway.cli_enrol import claim_code, enroll
from gateway.enrolment import load_key, pem
from gateway.errors import NotEnrolled
from gateway.runtime import pair
from gateway.runtime.claim import claim_code as ask_code
from gateway.runtime.enrol import Enrolled, enrol
from gateway.settings import GatewaySettings
from gateway.wire import enrolment as wire
from gateway.wire import token as tokens
from gateway.wire.limits import ENROLMENT_BYTES
from tests.gateway.desk import SECRET, UNTIL, Answer, Desk, refused, said
from tests.gateway.papers import DAY, NOW, Papers, new_key, usable


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path / "desk") as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "gateway"


def enrolled(desk: Desk, home: Path, token: tokens.Token | None = None) -> Enrolled:
    return enrol(home, token or desk.token, lambda _: None)


def settings(home: Path) -> GatewaySettings:
    return load(home / "gateway.yaml", GatewaySettings)


def test_a_token_makes_a_folder_that_a_gateway_can_run_with(desk: Desk, home: Path) -> None:
    result = enrolled(desk, home)
    found = settings(home)
    assert (result.gateway, result.config) == ("pi", home / "gateway.yaml")
    assert (found.gateway, found.cloud, found.enrolment) == ("pi", "mqtts://127.0.0.1:8883", desk.url)
    assert found.command_key == home / "command.pub"
    assert found.tls.issuer is not None
    assert found.tls.issuer.read_text() == pem(desk.gateways.certificate)
    assert found.tls.ca.read_text() == pem(desk.services.certificate)
    assert usable(found.tls)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert sorted(path.name for path in home.iterdir()) == [
        "ca.pem",
        "command.pub",
        "gateway.key",
        "gateway.pem",
        "gateway.yaml",
        "issuer.pem",
    ]


def test_s11_the_key_is_made_here_for_its_owner_alone_and_never_leaves(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    key = home / "gateway.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = load_key(key.read_bytes()).private_numbers().private_value.to_bytes(32)
    for _, body in desk.asked:
        assert b"PRIVATE" not in body
        assert secret not in body


def other_authority(desk: Desk) -> None:
    desk.ahead[wire.TRUST] = lambda _: said(msgspec.structs.replace(desk.trust, authority=pem(Papers().certificate)))


def other_command_key(desk: Desk) -> None:
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    desk.ahead[wire.TRUST] = lambda _: said(msgspec.structs.replace(desk.trust, command_key=key.decode()))


def other_root(desk: Desk) -> None:
    desk.firmware_root = "{}"
    desk.ahead[wire.TRUST] = lambda _: said(msgspec.structs.replace(desk.trust, firmware_root="{ }"))


def no_root(desk: Desk) -> None:
    desk.firmware_root = "{}"
    desk.ahead[wire.TRUST] = lambda _: said(msgspec.structs.replace(desk.trust, firmware_root=None))


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        (other_authority, "authority"),
        (other_command_key, "command key"),
        (other_root, "firmware root"),
        (no_root, "firmware root"),
    ],
)
def test_s11_nothing_is_sent_to_a_cloud_that_shows_other_keys_than_the_token_names(
    desk: Desk, home: Path, lie: Callable[[Desk], None], named: str
) -> None:
    lie(desk)
    with pytest.raises(NotEnrolled, match=f"another {named} than the token names"):
        enrolled(desk, home)
    assert desk.posted == []
    assert list(home.iterdir()) == []


def test_s11_a_second_authority_smuggled_in_behind_the_right_one_is_not_believed(tmp_path: Path, home: Path) -> None:
    """A PEM file holds as many certificates as one likes; the digest is of the first."""
    attacker = Papers("attacker")
    with Desk(tmp_path, presented=attacker) as desk:
        both = pem(desk.services.certificate) + pem(attacker.certificate)
        desk.ahead[wire.TRUST] = lambda _: said(msgspec.structs.replace(desk.trust, authority=both))
        with pytest.raises(NotEnrolled, match="does not come from the cloud's authority"):
            enrolled(desk, home)
        assert desk.posted == []


def test_s11_who_repeats_what_the_right_cloud_shows_does_not_get_the_token(tmp_path: Path, home: Path) -> None:
    with Desk(tmp_path, presented=Papers("services")) as between:
        with pytest.raises(NotEnrolled, match="does not come from the cloud's authority"):
            enrolled(between, home)
        assert between.posted == []


def test_s12_a_certificate_for_another_host_does_not_get_the_token(desk: Desk, home: Path) -> None:
    token = msgspec.structs.replace(desk.token, url=f"https://localhost:{desk.port}")
    with pytest.raises(NotEnrolled, match="not made for localhost"):
        enrolled(desk, home, token)
    assert desk.posted == []


def test_a_firmware_root_that_the_token_names_is_kept_and_one_that_it_does_not_is_not(desk: Desk, home: Path) -> None:
    desk.ahead[wire.TRUST] = lambda _: said(msgspec.structs.replace(desk.trust, firmware_root="{}"))
    enrolled(desk, home)
    assert not (home / "firmware-root.json").exists()
    del desk.ahead[wire.TRUST]
    desk.firmware_root, desk.used_by = '{"signed": 1}', None
    enrolled(desk, home)
    assert (home / "firmware-root.json").read_text() == '{"signed": 1}'


Edit = Callable[[Desk, wire.Issued], wire.Issued]


def leaf(**wrong: Any) -> Edit:
    """A certificate for the right key that is wrong in what is said here."""

    def edit(desk: Desk, issued: wire.Issued) -> wire.Issued:
        key = x509.load_pem_x509_certificate(issued.certificate.encode()).public_key()
        given = {"name": "pi", "key": key, "signer": desk.gateways, **wrong}
        signer = given.pop("signer")
        return msgspec.structs.replace(issued, certificate=pem(signer.leaf(**given)))

    return edit


def with_(**wrong: str) -> Edit:
    return lambda _, issued: msgspec.structs.replace(issued, **wrong)


def issuer_of_servers(desk: Desk, issued: wire.Issued) -> wire.Issued:
    return msgspec.structs.replace(issued, issuer=pem(desk.services.certificate))


def issuer_without_power(desk: Desk, issued: wire.Issued) -> wire.Issued:
    return msgspec.structs.replace(issued, issuer=pem(desk.gateways.leaf("x", new_key())))


CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
STRANGER = Papers("gateways")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(leaf(name="pi-2"), "names pi-2, expected pi", id="name"),
        pytest.param(leaf(key=new_key()), "for another key than ours", id="key"),
        pytest.param(leaf(ca=True), "make us an authority", id="ca"),
        pytest.param(leaf(use=(SERVER,)), "not a client's", id="server"),
        pytest.param(leaf(use=(CLIENT, SERVER)), "not a client's", id="both-uses"),
        pytest.param(leaf(use=None), "does not say what it is for", id="no-use"),
        pytest.param(leaf(signer=STRANGER), "not come from the authority of this cloud's gateways", id="signer"),
        pytest.param(issuer_of_servers, "one authority for gateways and servers", id="same-authority"),
        pytest.param(issuer_without_power, "an issuer that is no authority", id="leaf-as-issuer"),
        pytest.param(with_(issuer="hello"), "the issuer's certificate", id="issuer-text"),
        pytest.param(with_(certificate="hello"), "is no certificate", id="certificate-text"),
        pytest.param(with_(ca=pem(STRANGER.certificate)), "another authority", id="ca-changed"),
        pytest.param(with_(cloud="mqtt://127.0.0.1:1883"), "addresses that can't be used", id="cloud-plain"),
        pytest.param(with_(enrolment="http://127.0.0.1"), "addresses that can't be used", id="enrolment-plain"),
        pytest.param(with_(cloud='mqtts://a:1"\npolicy: x\ny: "'), "addresses that can't be used", id="cloud-yaml"),
    ],
)
def test_s12_a_certificate_that_was_not_asked_for_is_not_taken(desk: Desk, home: Path, edit: Edit, told: str) -> None:
    desk.edit = partial(edit, desk)
    with pytest.raises(NotEnrolled, match=told):
        enrolled(desk, home)
    assert [path.name for path in home.iterdir()] == ["gateway-new.key"]
    desk.edit = lambda issued: issued
    enrolled(desk, home)
    assert usable(settings(home).tls)


def test_a_lost_answer_is_asked_for_again_with_the_same_key(desk: Desk, home: Path) -> None:
    bodies = list[bytes]()

    def lose(body: bytes) -> Answer:
        bodies.append(body)
        del desk.ahead[wire.ENROL]
        desk.answer(wire.ENROL, body)
        return None

    desk.ahead[wire.ENROL] = lose
    with pytest.raises(NotEnrolled, match="the same token works again"):
        enrolled(desk, home)
    enrolled(desk, home)
    assert len(desk.issued) == 1
    assert (home / "gateway.pem").read_text() == pem(*desk.issued.values())


def test_a_token_is_good_once_and_who_uses_it_again_is_told_what_to_do(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    before = (home / "gateway.pem").read_bytes()
    with pytest.raises(NotEnrolled, match="cloud gateway token pi` makes another") as caught:
        enrolled(desk, home)
    assert caught.value.word == wire.Why.REFUSED
    assert (home / "gateway.pem").read_bytes() == before
    assert usable(settings(home).tls)


def test_another_enrolment_gets_a_new_key_and_leaves_the_owners_settings_alone(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    key = (home / "gateway.key").read_bytes()
    text = (home / "gateway.yaml").read_text() + "units: [{name: rack-1, url: 'modbus+tcp://10.0.0.5:502'}]\n"
    (home / "gateway.yaml").write_text(text)
    desk.used_by = None
    enrolled(desk, home)
    assert (home / "gateway.key").read_bytes() != key
    assert (home / "gateway.yaml").read_text() == text
    assert usable(settings(home).tls)


def test_the_folder_of_another_gateway_is_left_alone(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    desk.name, desk.used_by = "pi-2", None
    with pytest.raises(NotEnrolled, match="is of the gateway pi, the token is for pi-2"):
        enrolled(desk, home)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, b"hello"), "not an answer of an enrolment endpoint"),
        ((200, b"[" * 5000), "not an answer of an enrolment endpoint"),
        ((200, b"\xff"), "not an answer of an enrolment endpoint"),
        ((200, b" " * (ENROLMENT_BYTES + 1)), "an answer of more than"),
        ((301, b""), "HTTP status 301"),
        ((404, b"<html>"), "HTTP status 404"),
        ((503, b'{"error":"failed","detail":"the registry is away"}'), "the registry is away"),
        ((429, b'{"error":"too_often"}'), "too_often"),
        (None, "does not speak HTTP"),
    ],
    ids=["text", "deep", "binary", "long", "moved", "page", "failed", "often", "hangs-up"],
)
@pytest.mark.parametrize("path", [wire.TRUST, wire.ENROL])
def test_whatever_the_endpoint_says_is_told_in_a_line(
    desk: Desk, home: Path, path: str, answer: Answer, told: str
) -> None:
    desk.ahead[path] = lambda _: answer
    with pytest.raises(NotEnrolled, match=told) as caught:
        enrolled(desk, home)
    assert str(caught.value).startswith(desk.url)
    assert "\n" not in str(caught.value)
    assert not (home / "gateway.pem").exists()


def test_of_an_endless_answer_no_more_is_read_than_an_answer_may_have(desk: Desk, home: Path) -> None:
    desk.claimed_length = 1 << 40
    desk.ahead[wire.TRUST] = lambda _: (200, b" " * (ENROLMENT_BYTES + 1))
    with pytest.raises(NotEnrolled, match="an answer of more than"):
        enrolled(desk, home)


def test_a_cloud_that_is_not_there_is_named(desk: Desk, home: Path) -> None:
    with Desk(home.parent / "gone") as gone:
        url = gone.url
    with pytest.raises(NotEnrolled, match=f"{url}: Connection refused"):
        enrolled(desk, home, msgspec.structs.replace(desk.token, url=url))
    with pytest.raises(NotEnrolled, match="https://no-such-host.invalid:1: "):
        enrolled(desk, home, msgspec.structs.replace(desk.token, url="https://no-such-host.invalid:1"))


def test_a_key_that_others_may_read_is_not_used(desk: Desk, home: Path) -> None:
    desk.ahead[wire.ENROL] = lambda _: None
    with pytest.raises(NotEnrolled):
        enrolled(desk, home)
    (home / "gateway-new.key").chmod(0o644)
    with pytest.raises(NotEnrolled, match="mode 0644"):
        enrolled(desk, home)


def test_an_enrolment_that_was_cut_short_at_its_last_step_is_brought_to_its_end(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    (home / "gateway.pem").rename(home / "gateway-new.pem")
    result = enrolled(desk, home)
    assert result.certificate_expires_at == desk.ends
    assert usable(settings(home).tls)
    assert len(desk.posted) == 1


# what a person types


def run(*arguments: str | Path, text: str = "") -> Result:
    return CliRunner().invoke(enroll, [str(each) for each in arguments], input=text)


def test_the_token_comes_from_standard_input_or_a_file(desk: Desk, home: Path, tmp_path: Path) -> None:
    done = run("--dir", home, text=f"\n  {tokens.encode(desk.token)}\n")
    assert done.exit_code == 0, done.output
    assert f"pi is enrolled, until {desk.ends:%Y-%m-%d}" in done.stdout
    assert "ridethrough gateway run --config" in done.stdout
    assert desk.url in done.stderr
    desk.used_by = None
    file = tmp_path / "token"
    file.write_text(tokens.encode(desk.token))
    done = run("--dir", home, "--token-file", file, "--json")
    assert json.loads(done.stdout) == {
        "gateway": "pi",
        "config": str(home / "gateway.yaml"),
        "certificate_expires_at": f"{desk.ends:%Y-%m-%dT%H:%M:%SZ}",
    }


@pytest.mark.parametrize("text", ["", "hello", "ridethrough-token:!!", "ridethrough-token:" + "A" * 5000, "\xfe"])
def test_s11_what_is_no_token_is_bad_usage_and_is_not_shown(home: Path, text: str) -> None:
    done = run("--dir", home, text=text)
    assert done.exit_code == 2
    assert "token" in done.output
    assert "AAAA" not in done.output
    assert not home.exists()


def test_s11_no_option_takes_a_token_and_none_shows_the_secret(desk: Desk, home: Path) -> None:
    text = tokens.encode(desk.token)
    assert run("--dir", home, text).exit_code == 2
    assert not home.exists()
    done = run("--dir", home, text=text)
    assert done.exit_code == 0
    assert SECRET not in done.output
    assert text not in done.output
    assert not any(SECRET in path.read_text() for path in home.iterdir())


# claim codes


def test_a_claim_is_signed_with_the_gateways_key_and_its_code_is_printed(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    done = CliRunner().invoke(claim_code, ["--config", str(home / "gateway.yaml")])
    assert done.stdout == "K7QM-2XAB\n"
    assert "2026-11-18 11:06 UTC" in done.stderr
    done = CliRunner().invoke(claim_code, ["--config", str(home / "gateway.yaml"), "--json"])
    assert json.loads(done.stdout) == {"code": "K7QM-2XAB", "expires_at": "2026-11-18T11:06:40.000Z"}
    assert UNTIL == 1_795_000_000_000


def test_a_claim_for_a_unit_that_is_not_there_is_not_asked_for(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    with pytest.raises(NotEnrolled, match="rack-9: no unit of this name"):
        ask_code(settings(home), "rack-9")
    assert wire.CLAIM_CODE not in desk.posted


def test_a_claim_uses_the_pair_that_is_in_use(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    tls = settings(home).tls
    tls.certificate.rename(pair.beside(tls).certificate)
    assert ask_code(settings(home)).code == "K7QM-2XAB"


def test_s12_a_claim_goes_to_the_cloud_of_the_enrolment_alone(tmp_path: Path, desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    with Desk(tmp_path / "other") as other:
        elsewhere = msgspec.structs.replace(settings(home), enrolment=other.url)
        with pytest.raises(NotEnrolled, match="does not come from the cloud's authority"):
            ask_code(elsewhere)
        assert other.asked == []


def test_without_an_endpoint_in_the_settings_there_is_nobody_to_ask(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    with pytest.raises(NotEnrolled, match="nobody to ask"):
        ask_code(msgspec.structs.replace(settings(home), enrolment=None))


def test_a_claim_that_the_cloud_refuses_says_so(desk: Desk, home: Path) -> None:
    enrolled(desk, home)
    desk.ahead[wire.CLAIM_CODE] = lambda _: refused()
    with pytest.raises(NotEnrolled, match="not accepted"):
        ask_code(settings(home))


def test_a_certificate_lasts_as_long_as_the_cloud_says_whatever_our_clock_thinks(desk: Desk, home: Path) -> None:
    """A Pi without a clock would take a good one for expired, or an old one for good."""
    desk.ends = NOW - 365 * DAY
    assert enrolled(desk, home).certificate_expires_at == desk.ends
