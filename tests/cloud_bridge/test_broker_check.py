"""`cloud check`: each thing that can be wrong with a cloud's folder, one at a time."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud_bridge.addresses import Address, exposure, listen_for, parse_address
from cloud_bridge.audit import Problem
from cloud_bridge.authority import AUTHORITY_LIFE, GATEWAY_LIFE, LEAF_LIFE
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.broker import serving
from cloud_bridge.runtime.check import check
from cloud_bridge.runtime.enrolling import revoke
from cloud_bridge.runtime.init import init
from cloud_bridge.settings import CloudSettings
from config.errors import SettingsError
from config.runtime.files import load


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return init(tmp_path / "cloud", "127.0.0.1:0", ["pi-1"])


def the_one(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def test_a_sound_folder_has_no_problem(folder: Folder) -> None:
    assert check(folder.root) == []


def test_a_missing_or_wrong_settings_file_is_the_one_problem(folder: Folder, tmp_path: Path) -> None:
    assert "can't be read" in the_one(check(tmp_path / "nowhere")).what
    folder.settings.write_text(folder.settings.read_text() + "limit: {}\n")
    assert "did you mean 'limits'?" in the_one(check(folder.root)).what


def test_a_key_that_others_may_read_is_serious(folder: Folder) -> None:
    key = folder.gateway("pi-1") / "gateway.key"
    key.chmod(0o640)
    problem = the_one(check(folder.root))
    assert (problem.where, problem.serious) == (str(key), True)
    assert "0640" in problem.what


def test_a_folder_that_others_may_enter_is_a_warning(folder: Folder) -> None:
    folder.root.chmod(0o755)
    assert not the_one(check(folder.root)).serious


@pytest.mark.parametrize("name", ["broker.key", "bridge.pem", "authority/gateways.pem", "gateways/pi-1/gateway.key"])
def test_a_missing_file_is_told_by_name(folder: Folder, name: str) -> None:
    (folder.root / name).unlink()
    problem = the_one([problem for problem in check(folder.root) if "can't be read" in problem.what])
    assert problem.where == str(folder.root / name)


def test_a_damaged_file_is_told_by_name(folder: Folder) -> None:
    certificate = folder.service("bridge")[0]
    certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    problem = the_one(check(folder.root))
    assert problem.where == str(certificate)
    assert "damaged" in problem.what


def test_what_is_not_this_clouds_is_found(folder: Folder, tmp_path: Path) -> None:
    other = init(tmp_path / "other", gateways=["pi-1"])
    for name in ("gateway.pem", "gateway.key"):
        (folder.gateway("pi-1") / name).write_bytes((other.gateway("pi-1") / name).read_bytes())
    assert "not signed by this cloud's authority" in the_one(check(folder.root)).what


def test_a_certificate_in_anothers_place_is_found(folder: Folder) -> None:
    bridge, broker = folder.service("bridge"), folder.service("broker")
    for there, here in zip(bridge, broker, strict=True):
        here.write_bytes(there.read_bytes())
    told = {problem.what for problem in check(folder.root)}
    assert "names 'bridge'; expected 'broker'" in told
    assert "not made for a server" in told
    assert any("not good for '127.0.0.1'" in what for what in told)


def test_a_key_of_another_certificate_is_found(folder: Folder) -> None:
    folder.service("bridge")[1].write_bytes(folder.service("broker")[1].read_bytes())
    assert "does not belong to the key beside it" in the_one(check(folder.root)).what


def test_expiry_is_a_warning_before_and_serious_after(folder: Folder) -> None:
    ends = datetime.now(UTC) + LEAF_LIFE

    def of_services(now: datetime) -> list[bool]:
        return [problem.serious for problem in check(folder.root, now) if "pi-1" not in problem.what]

    assert of_services(ends - timedelta(days=61)) == []
    assert of_services(ends - timedelta(days=30)) == [False] * 3
    assert of_services(ends + timedelta(days=1)) == [True] * 3
    # Two authorities, what they signed, and the revocation list that ends with its authority.
    assert len(of_services(datetime.now(UTC) + AUTHORITY_LIFE - timedelta(days=1))) == 6


def test_a_gateway_that_did_not_renew_in_time_is_told_of_and_its_folder_is_no_measure(folder: Folder) -> None:
    ends = datetime.now(UTC) + GATEWAY_LIFE
    assert check(folder.root, ends - timedelta(days=31)) == []
    assert (
        "does the gateway reach the enrolment endpoint?" in the_one(check(folder.root, ends - timedelta(days=20))).what
    )
    late = the_one(check(folder.root, ends + timedelta(days=1)))
    assert "renews it when it is back" in late.what
    assert not late.serious
    revoke(folder.root, "pi-1", "")
    assert check(folder.root, ends + timedelta(days=1)) == []


def test_an_order_key_that_others_may_read_or_of_another_pair_is_serious(folder: Folder, tmp_path: Path) -> None:
    key, public = folder.command_key
    key.chmod(0o644)
    assert "0644" in the_one(check(folder.root)).what
    key.chmod(0o600)
    public.write_bytes(init(tmp_path / "other", "127.0.0.1:0").command_key[1].read_bytes())
    assert "gateways refuse its orders" in the_one(check(folder.root)).what
    public.unlink()
    assert "can't be read" in the_one(check(folder.root)).what


def test_a_registry_that_can_not_be_used_is_serious_and_its_password_is_not_told(folder: Folder) -> None:
    (folder.root / "data" / "registry.sqlite3").write_bytes(b"somebody's novel " * 1000)
    assert "registry" in the_one(check(folder.root)).what
    text = folder.settings.read_text()
    folder.settings.write_text(text.replace('registry: ""', 'registry: "postgresql+psycopg://me:secret@127.0.0.1:1/x"'))
    problem = the_one(check(folder.root))
    assert "127.0.0.1:1" in problem.what
    assert "secret" not in str(problem)
    folder.settings.chmod(0o644)
    assert any("others may read the registry's password" in each.what for each in check(folder.root))


def test_a_revocation_list_that_no_broker_takes_is_found(folder: Folder, tmp_path: Path) -> None:
    listed = folder.root / "authority" / "gateways.crl.pem"
    empty = listed.read_bytes()
    revoke(folder.root, "pi-1", "")
    assert check(folder.root) == []
    listed.write_bytes(empty)
    assert "lacks 1 certificates" in the_one(check(folder.root)).what
    listed.write_bytes((init(tmp_path / "other").root / "authority" / "gateways.crl.pem").read_bytes())
    assert any("not signed by the gateways' authority" in each.what for each in check(folder.root))
    listed.write_text("x")
    assert "damaged" in the_one(check(folder.root)).what
    assert any("begins on" in each.what for each in early(folder, empty))


def early(folder: Folder, content: bytes) -> list[Problem]:
    """What is found on the day before the list was made."""
    (folder.root / "authority" / "gateways.crl.pem").write_bytes(content)
    return check(folder.root, datetime.now(UTC) - timedelta(days=1))


@pytest.mark.parametrize(("setting", "port"), [("listen", "8883"), ("listen_https", "8443")])
def test_s13_a_public_address_of_either_door_is_told(tmp_path: Path, setting: str, port: str) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    text = folder.settings.read_text()
    folder.settings.write_text(text.replace(f'\n{setting}: "127.0.0.1:0"', f'\n{setting}: "[::]:{port}"'))
    told = [problem for problem in check(folder.root) if "every address" in problem.what]
    assert [problem.what.partition(":")[0] for problem in told] == [setting]


@pytest.mark.parametrize(
    ("lines", "told", "serious"),
    [
        ('listen_links: "127.0.0.1:8480"', "without public_url", True),
        ('public_url: "https://ups.example.net"', "set listen_links", False),
        ('public_url: "http://ups.example.net"\nlisten_links: "127.0.0.1:8480"', "needs https", False),
        ('public_url: "https://ups.example.net"\nlisten_links: "8.8.8.8:8480"', "listen_links: ", False),
        ("smtp: {host: mail.example.net, sender: a@example.net, security: none}", "use starttls", True),
        ("smtp: {host: mail.example.net, sender: a@example.net, password: nowhere}", "can't be read", True),
    ],
)
def test_a_way_of_notices_that_leads_nowhere_is_told(folder: Folder, lines: str, told: str, serious: bool) -> None:
    folder.settings.write_text(f"{folder.settings.read_text()}{lines}\n")
    problem = the_one(check(folder.root))
    assert told in problem.what
    assert problem.serious is serious


@pytest.mark.parametrize("name", ["authority/channels.key", "authority/links.key"])
def test_a_key_of_notices_that_others_may_read_is_serious(folder: Folder, name: str) -> None:
    (folder.root / name).chmod(0o644)
    assert "0644" in the_one(check(folder.root)).what


def test_s15_a_demos_folder_is_told(tmp_path: Path) -> None:
    problems = check(init(tmp_path / "demo", "127.0.0.1:0", demo=True).root)
    assert {("loopback" in problem.what, problem.serious) for problem in problems} == {(True, False)}


def test_a_port_that_another_program_holds_is_serious(folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = folder.settings.read_text()
        folder.settings.write_text(text.replace('\nlisten: "127.0.0.1:0"', f'\nlisten: "127.0.0.1:{port}"'))
        problem = the_one(check(folder.root))
    assert "can't listen at" in problem.what
    assert problem.serious


async def test_a_port_that_this_clouds_broker_holds_is_none(folder: Folder) -> None:
    async with serving(load(folder.settings, CloudSettings)) as address:
        folder.settings.write_text(folder.settings.read_text().replace("127.0.0.1:0", str(address)))
        assert await asyncio.to_thread(check, folder.root) == []
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


@pytest.mark.parametrize(
    ("listen", "warned"),
    [
        ("127.0.0.1:8883", False),
        ("[::1]:8883", False),
        ("192.168.1.7:8883", False),
        ("[fd00::7]:8883", False),
        ("8.8.8.8:8883", True),
        ("[2606:4700::1]:8883", True),
        ("0.0.0.0:8883", True),
        ("[::]:8883", True),
    ],
)
def test_s13_a_public_address_is_warned_of(listen: str, warned: bool) -> None:
    assert bool(exposure(parse_address(listen))) is warned


def test_s13_check_tells_the_warning(folder: Folder) -> None:
    folder.settings.write_text(folder.settings.read_text().replace('listen: "127.0.0.1:0"', 'listen: "[::]:0"'))
    problem = the_one(check(folder.root))
    assert "every address" in problem.what
    assert not problem.serious


def test_s13_settings_without_listen_mean_loopback(folder: Folder) -> None:
    text = folder.settings.read_text().replace('"127.0.0.1:0"', '"bridge.example.net:8883"', 1)
    folder.settings.write_text("".join(line for line in text.splitlines(True) if not line.startswith("listen:")))
    assert load(folder.settings, CloudSettings).listen_at == Address("127.0.0.1", 8883)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('mqtts: "127.0.0.1:0"', "mqtts: here", "expected HOST:PORT"),
        ('listen: "127.0.0.1:0"', 'listen: "x y:1"', "not a host name or address"),
        ("broker: embedded", "broker: mqtt://x", "embedded, or mqtts://HOST:PORT"),
        ("broker: embedded", "broker: mqtts://x", "expected HOST:PORT"),
        ("#limits:", "limits: {connections: 1}", "from 2"),
    ],
)
def test_wrong_settings_say_what_would_be_right(folder: Folder, old: str, new: str, told: str) -> None:
    text = folder.settings.read_text()
    assert old in text
    folder.settings.write_text(text.replace(old, new))
    with pytest.raises(SettingsError, match=told):
        load(folder.settings, CloudSettings)


def test_the_bridge_finds_the_broker(folder: Folder) -> None:
    settings, text = load(folder.settings, CloudSettings), folder.settings.read_text()
    assert settings.bridge_connects_to == Address("127.0.0.1", 0)
    folder.settings.write_text(text.replace('listen: "127.0.0.1:0"', 'listen: "[::]:8883"'))
    assert load(folder.settings, CloudSettings).bridge_connects_to == Address("127.0.0.1", 8883)
    folder.settings.write_text(text.replace("broker: embedded", "broker: mqtts://[2001:db8::1]:8884"))
    assert load(folder.settings, CloudSettings).bridge_connects_to == Address("2001:db8::1", 8884)


def test_addresses_are_told_as_they_are_given() -> None:
    for text in ("127.0.0.1:8883", "[::1]:1", "bridge.example.net:65535", "localhost:0"):
        assert str(parse_address(text)) == text
    assert listen_for(parse_address("[::1]:5")) == Address("::1", 5)
