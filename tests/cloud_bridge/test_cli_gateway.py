"""`ridethrough cloud gateway`, as a person or a script runs it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_bridge.runtime.init import init
from gateway.wire.token import decode
from tests.process import PROGRAM


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return init(tmp_path / "cloud", "127.0.0.1:0", ["pi-1"], https="bridge.example.net:8443").root


def gateway(folder: Path, *words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "cloud", "gateway", words[0], "--dir", folder, *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def listed(folder: Path) -> dict[str, dict[str, object]]:
    rows = [json.loads(line) for line in gateway(folder, "list", "--json").stdout.splitlines()]
    return {row["name"]: row for row in rows}


def test_s11_a_token_goes_to_standard_output_and_nothing_else_does(folder: Path) -> None:
    done = gateway(folder, "token", "pi-2", "--valid", "15min")
    token = decode(done.stdout)
    assert len(done.stdout.splitlines()) == 1
    assert (token.gateway, token.url) == ("pi-2", "https://bridge.example.net:8443")
    assert "for pi-2, good once, until" in done.stderr
    assert token.secret not in done.stderr
    assert str(listed(folder)["pi-2"]["token_until"]).endswith("Z")
    assert token.secret.encode() not in (folder / "data" / "registry.sqlite3").read_bytes()


def test_s11_a_token_in_a_file_is_for_its_owner_alone_and_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "token"
    assert gateway(folder, "token", "pi-2", "--out", out).stdout == ""
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert decode(out.read_text()).gateway == "pi-2"
    before = out.read_text()
    assert "is there already" in gateway(folder, "token", "pi-2", "--out", out, status=2).stderr
    assert out.read_text() == before


@pytest.mark.parametrize("name", ["bridge", "Pi", "../x", "p" * 33])
def test_a_name_that_no_gateway_may_bear_gets_no_token(folder: Path, name: str) -> None:
    assert "gateway name" in gateway(folder, "token", name, status=1).stderr
    assert set(listed(folder)) == {"pi-1"}


@pytest.mark.parametrize("valid", ["soon", "0s", "61min", "1d", "-1h"])
def test_a_time_that_no_token_may_have_is_told_with_what_would_do(folder: Path, valid: str) -> None:
    assert "15min" in gateway(folder, "token", "pi-2", "--valid", valid, status=2).stderr


def test_a_revoked_gateway_is_listed_with_when_and_why_until_it_is_restored(folder: Path) -> None:
    assert "pi-1 is revoked" in gateway(folder, "revoke", "pi-1", "--why", "stolen\x1b[31m").stdout
    shown = gateway(folder, "list").stdout
    assert "stolen\\x1b" in shown
    assert "\x1b" not in shown
    assert listed(folder)["pi-1"]["revoked_at"] is not None
    assert "no longer revoked" in gateway(folder, "restore", "pi-1").stdout
    assert listed(folder)["pi-1"]["revoked_at"] is None


def test_a_gateway_that_nobody_knows_is_not_revoked(folder: Path) -> None:
    for verb in ("revoke", "restore"):
        assert "ridethrough cloud gateway list" in gateway(folder, verb, "pi-9", status=1).stderr


def test_the_list_says_who_is_not_enrolled_yet(folder: Path) -> None:
    gateway(folder, "token", "pi-2")
    shown = {line.split()[0]: line for line in gateway(folder, "list").stdout.splitlines()[1:]}
    assert "token until" in shown["pi-2"]
    assert listed(folder)["pi-1"]["certificates"] == 1


def test_no_verb_works_where_no_cloud_is(tmp_path: Path) -> None:
    for words in (("token", "pi-1"), ("list",), ("revoke", "pi-1"), ("restore", "pi-1")):
        assert "cloud init" in gateway(tmp_path, *words, status=1).stderr


def test_help_imports_neither_database_nor_keys() -> None:
    heavy = "{'sqlalchemy', 'alembic', 'fastapi', 'cryptography'}"
    code = f"import cloud_bridge.cli, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
