"""`ridethrough firmware`, as people and scripts run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud_bridge.cli_firmware import firmware
from cloud_bridge.firmware.errors import BadKey, FirmwareError, NotARepository, NotSigned
from gateway.wire.firmware_rules import Reason
from tests.cloud_bridge.firmware.made import IMAGE

HOSTILE = "x\r\n\x1b[31m[link=http://e]y[/link]<script>=cmd"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(firmware, [str(word) for word in words])


def done(*words: str | Path) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def failed(*words: str | Path) -> Exception:
    result = call(*words)
    assert isinstance(result.exception, FirmwareError), result.output
    return result.exception


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    done("init", tmp_path / "r", "--hardware-id", "18", "--hardware-id", "21")
    return tmp_path / "r"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "SMT18UPS_15-6.enc"
    path.write_bytes(IMAGE)
    return path


def add(folder: Path, image: Path, *more: str | Path) -> tuple[str | Path, ...]:
    words = ("--hardware-id", "18", "--version", "15.6", "--from", "15.0..15.5", "--output", "off")
    return ("add", folder, image, *words, *more)


def key(folder: Path, name: str) -> Path:
    return folder / "keys" / "offline" / f"{name}.pem"


@pytest.fixture
def released(folder: Path, image: Path) -> Path:
    done(*add(folder, image))
    done("sign", folder, "18", "--key", key(folder, "18"))
    done("publish", folder)
    return folder


def test_init_says_which_root_is_pinned_and_which_keys_to_carry_away(tmp_path: Path) -> None:
    said = done("init", tmp_path / "r", "--hardware-id", "18")
    assert str(tmp_path / "r" / "metadata" / "1.root.json") in said
    assert f"carry away, to different people, and remove from here: {tmp_path / 'r' / 'keys' / 'offline'}" in said


def test_a_release_goes_from_added_to_signed_to_published_and_each_step_names_the_next(
    folder: Path, image: Path
) -> None:
    said = done(*add(folder, image))
    assert f"0 of 1 signatures: ridethrough firmware sign {folder} 18 --key FILE" in said
    assert f"sign {folder} 18" in str(failed("publish", folder))
    said = done("sign", folder, "18", "--key", key(folder, "18"))
    assert "adds 18/SMT18UPS_15-6.enc: version 15.6 for hardware id 18 on 15.0..15.5" in said
    assert f"complete: ridethrough firmware publish {folder}" in said
    assert done("publish", folder) == "published: 18\n"
    assert "18/SMT18UPS_15-6.enc: right\n" in done("verify", folder)


def test_list_show_and_roles_say_it_to_people_and_to_scripts(released: Path) -> None:
    path = "18/SMT18UPS_15-6.enc"
    (row,) = [json.loads(line) for line in done("list", released, "--json").splitlines()]
    assert (row["path"], row["published"], row["facts"]["version"]) == (path, True, "15.6")
    assert path in done("list", released)
    assert json.loads(done("show", released, path, "--json"))["release_counter"] == 1
    assert "may be put on:        15.0..15.5\n" in done("show", released, path)
    rows = [json.loads(line) for line in done("roles", released, "--json").splitlines()]
    assert {row["role"]: row["version"] for row in rows}["18"] == 2
    assert "timestamp" in done("roles", released)


def test_explain_says_every_reason_and_none_for_the_right_unit(released: Path, tmp_path: Path) -> None:
    path = "18/SMT18UPS_15-6.enc"
    right = ("--product-id", "18", "--firmware", "UPS 15.0")
    assert done("explain", released, path, *right) == f"{path}: no objection\n"
    wrong = ("--product-id", "21", "--firmware", "UPS 14.0", "--highest-counter", "9", "--json")
    result = call("explain", released, path, *wrong)
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert [row["reason"] for row in rows] == [Reason.HARDWARE_ID, Reason.PATH, Reason.FROM_VERSION, Reason.COUNTER]
    assert [(row["value"], row["threshold"]) for row in rows][-1] == ("1", "9")
    unit = tmp_path / "unit.json"
    for text in ('{"product_id":18,"firmware":"UPS 15.0"}', '{"identity":{"product_id":18,"firmware":"UPS 15.0"}}'):
        unit.write_text(text)
        assert "no objection" in done("explain", released, path, "--unit-json", unit)
    unit.write_text("[")
    assert call("explain", released, path, "--unit-json", unit).exit_code == 2
    assert call("explain", released, path).exit_code == 2
    assert call("explain", released, path, *right, "--unit-json", unit).exit_code == 2


def test_s6_what_a_unit_or_a_file_says_of_itself_stays_on_its_line(released: Path, image: Path, tmp_path: Path) -> None:
    result = call("explain", released, "18/SMT18UPS_15-6.enc", "--product-id", "18", "--firmware", HOSTILE)
    assert result.output.count("\n") == 1
    assert "\x1b" not in result.output
    notes = tmp_path / "notes"
    notes.write_text(HOSTILE)
    done(*add(released, image, "--name", "b", "--version", "15.7", "--notes", notes))
    shown = done("show", released, "18/b")
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 15


def test_verify_fails_if_a_gateway_would_refuse_any_of_it(released: Path) -> None:
    (file,) = (released / "targets" / "18").iterdir()
    file.write_bytes(IMAGE[:-1] + b"\x00")
    result = call("verify", released, "--json")
    assert result.exit_code == 1
    rows = {row["what"]: row["problem"] for row in map(json.loads, result.output.splitlines())}
    assert "chunk 3" in rows["18/SMT18UPS_15-6.enc"]
    assert rows["18"] == ""
    other = released.parent / "other"
    done("init", other, "--hardware-id", "18")
    root = other / "metadata" / "1.root.json"
    assert call("verify", released, "--root", root).exit_code == 1


def test_a_passphrase_comes_from_a_file_that_is_ones_own_and_never_from_the_command_line(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "r"
    secret.write_text("correct horse\nsecond line\n")
    secret.chmod(0o644)
    assert isinstance(failed("init", folder, "--passphrase-file", secret), BadKey)
    secret.chmod(0o600)
    assert isinstance(failed("init", folder, "--passphrase"), BadKey)
    done("init", folder, "--passphrase-file", secret)
    assert b"ENCRYPTED" in key(folder, "root-1").read_bytes()
    assert b"ENCRYPTED" not in (folder / "keys" / "online" / "timestamp.pem").read_bytes()
    done("renew", folder, "targets")
    words = ("sign", folder, "targets", "--key", key(folder, "targets-1"))
    assert "--passphrase-file" in str(failed(*words))
    assert "1 of 2 signatures" in done(*words, "--passphrase-file", secret)
    secret.write_text("\n")
    assert "empty" in str(failed(*words, "--passphrase-file", secret))


def test_keys_are_replaced_floors_raised_and_releases_withdrawn(released: Path) -> None:
    assert f"timestamp: made {released / 'keys' / 'online' / 'timestamp-'}" in done("rotate", released, "timestamp")
    done("sign", released, "root", "--key", key(released, "root-1"), "--key", key(released, "root-2"))
    done("delegate", released, "30")
    done("floor", released, "18", "2")
    said = done("sign", released, "targets", "--key", key(released, "targets-1"), "--key", key(released, "targets-2"))
    assert "role 30: 1 of the keys" in said
    assert "counter_floors: {'18': 2}" in said
    assert done("publish", released) == "published: root, targets, 30\n"
    result = call("explain", released, "18/SMT18UPS_15-6.enc", "--product-id", "18", "--firmware", "UPS 15.0")
    assert result.output.startswith("counter_floor: ")
    done("withdraw", released, "18/SMT18UPS_15-6.enc")
    assert isinstance(failed("publish", released), NotSigned)
    assert "good until" in done("refresh", released)
    assert call("verify", released).exit_code == 0


@pytest.mark.parametrize("verb", ["list", "roles", "verify", "publish", "refresh"])
def test_a_folder_that_is_no_repository_is_told_with_how_to_make_one(tmp_path: Path, verb: str) -> None:
    error = failed(verb, tmp_path)
    assert isinstance(error, NotARepository)
    assert f"ridethrough firmware init {tmp_path}" in str(error)
