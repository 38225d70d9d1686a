"""`cloud check`: each thing that can be wrong with a cloud's folder, one at a time."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud_bridge.addresses import Address, exposure, listen_for, parse_address
from cloud_bridge.audit import Problem
from cloud_bridge.authority import AUTHORITY_LIFE, LEAF_LIFE
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.broker import serving
from cloud_bridge.runtime.check import check
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
    assert check(folder.root, ends - timedelta(days=61)) == []
    before, after = check(folder.root, ends - timedelta(days=30)), check(folder.root, ends + timedelta(days=1))
    assert [problem.serious for problem in before] == [False] * 3
    assert [problem.serious for problem in after] == [True] * 3
    authorities = check(folder.root, datetime.now(UTC) + AUTHORITY_LIFE - timedelta(days=1))
    assert len(authorities) == 5


def test_s15_a_demos_folder_is_told(tmp_path: Path) -> None:
    problems = check(init(tmp_path / "demo", "127.0.0.1:0", demo=True).root)
    assert {("loopback" in problem.what, problem.serious) for problem in problems} == {(True, False)}


def test_a_port_that_another_program_holds_is_serious(folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        folder.settings.write_text(folder.settings.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
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
