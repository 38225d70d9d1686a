"""Certificate and key on disk: whenever the power goes, a pair is left that a gateway can connect with."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from config.runtime.files import load
from gateway.enrolment import key_pem, pem
from gateway.renewal import Task
from gateway.runtime import pair
from gateway.runtime.enrol import enrol
from gateway.runtime.renew import perform
from gateway.settings import GatewaySettings, Tls
from gateway.wire import token as tokens
from tests.gateway.desk import Desk
from tests.gateway.killed import killed_at
from tests.gateway.papers import DAY, NOW, Papers, gateway_pair, new_key, usable, written

MOST_STEPS = 40


@pytest.fixture
def gateways() -> Papers:
    return Papers("gateways")


@pytest.fixture
def tls(tmp_path: Path, gateways: Papers) -> Tls:
    return gateway_pair(tmp_path / "gateway", Papers("services"), gateways)


def lay_new(tls: Tls, gateways: Papers) -> x509.Certificate:
    """A new pair beside the one in use."""
    new, key = pair.beside(tls), new_key()
    certificate = gateways.leaf("pi", key, ends=NOW + 180 * DAY)
    written(new.key, key_pem(key))
    written(new.certificate, pem(certificate).encode())
    return certificate


def restored(folder: Path, copy: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copy, folder)


def as_json(what: msgspec.Struct) -> str:
    return msgspec.json.encode(what, enc_hook=str).decode()


def test_a_new_pair_takes_the_old_ones_place(tls: Tls, gateways: Papers) -> None:
    certificate = lay_new(tls, gateways)
    assert pair.is_waiting(tls)
    assert pair.in_use(tls) == tls
    pair.take(tls)
    assert tls.certificate.read_text() == pem(certificate)
    assert usable(tls)
    assert not pair.is_waiting(tls)
    assert {path.name for path in tls.key.parent.iterdir()} == {"ca.pem", "issuer.pem", "gateway.pem", "gateway.key"}


def test_power_may_go_at_any_step_of_taking_its_place(tmp_path: Path, tls: Tls, gateways: Papers) -> None:
    certificate = lay_new(tls, gateways)
    folder, copy = tls.key.parent, tmp_path / "copy"
    shutil.copytree(folder, copy)
    for step in range(1, MOST_STEPS):
        restored(folder, copy)
        killed = killed_at(step, "take", as_json(tls))
        found = pair.in_use(tls)
        assert usable(found), step
        half_way = found.certificate != tls.certificate
        assert pair.settle(tls) is half_way
        assert usable(tls)
        assert pair.is_waiting(tls) or tls.certificate.read_text() == pem(certificate)
        if not killed:
            break
    assert step == 3, "two renames"


def test_power_may_go_at_any_step_of_bringing_it_to_its_end(tls: Tls, gateways: Papers) -> None:
    lay_new(tls, gateways)
    pair.beside(tls).key.rename(tls.key)
    assert killed_at(1, "settle", as_json(tls))
    assert usable(pair.in_use(tls))
    assert not killed_at(2, "settle", as_json(tls))
    assert usable(tls)


def test_taking_it_again_after_half_of_it_is_taking_it(tls: Tls, gateways: Papers) -> None:
    certificate = lay_new(tls, gateways)
    pair.beside(tls).key.rename(tls.key)
    pair.take(tls)
    assert usable(tls)
    assert tls.certificate.read_text() == pem(certificate)


def test_a_certificate_left_over_from_another_time_is_no_half_way(tls: Tls, gateways: Papers) -> None:
    written(pair.beside(tls).certificate, pem(gateways.leaf("pi", new_key())).encode())
    assert pair.in_use(tls) == tls
    assert not pair.settle(tls)
    tls.certificate.unlink()
    assert pair.in_use(tls) == tls, "nothing that fits is no reason to take what does not"


def test_a_file_is_written_whole_with_its_mode_whatever_lay_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    (tmp_path / ".key.part").write_bytes(b"a longer part of an earlier try")
    (tmp_path / ".key.part").chmod(0o644)
    pair.keep(path, b"secret", 0o600)
    assert path.read_bytes() == b"secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_power_may_go_at_any_step_of_a_renewal(tmp_path: Path) -> None:
    """The pair in use stays as it is, and doing it again ends in one new certificate."""
    with Desk(tmp_path / "desk") as desk:
        tls = gateway_pair(tmp_path / "gateway", desk.services, desk.gateways, ends=NOW + 40 * DAY)
        folder, copy = tls.key.parent, tmp_path / "copy"
        shutil.copytree(folder, copy)
        task = Task("pi", tls, desk.url)
        for step in range(1, MOST_STEPS):
            restored(folder, copy)
            desk.issued.clear()
            killed = killed_at(step, "renew", as_json(task))
            assert tls.certificate.read_bytes() == (copy / "gateway.pem").read_bytes()
            assert tls.key.read_bytes() == (copy / "gateway.key").read_bytes()
            assert usable(tls)
            assert not pair.is_waiting(tls) or usable(pair.beside(tls))
            if not killed:
                break
            if not pair.is_waiting(tls):
                outcome = perform(task)
                assert (outcome.trouble, outcome.new_ends_at) == ("", desk.ends)
            assert usable(pair.beside(tls))
            assert len(desk.issued) == 1, "one key, one certificate"
    assert step > 4


def test_power_may_go_at_any_step_of_an_enrolment(tmp_path: Path) -> None:
    """With the same token it is brought to its end, unless it is already."""
    home = tmp_path / "gateway"
    with Desk(tmp_path / "desk") as desk:
        argument = f"{home} {tokens.encode(desk.token)}"
        for step in range(1, MOST_STEPS):
            shutil.rmtree(home, ignore_errors=True)
            desk.issued.clear()
            desk.used_by = None
            killed = killed_at(step, "enrol", argument)
            if not killed:
                break
            enrol(home, desk.token, lambda _: None)
            assert usable(load(home / "gateway.yaml", GatewaySettings).tls)
            assert len(desk.issued) == 1
            assert not list(home.glob("*-new*"))
    assert step > 10
