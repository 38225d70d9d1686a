"""`ridethrough cloud api`, as a person or a script runs it."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from cloud_bridge.api_access import MARK
from cloud_bridge.runtime.init import init
from tests.process import PROGRAM


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return init(tmp_path / "cloud", "127.0.0.1:0").root


def token(folder: Path, *words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "cloud", "api", "token", words[0], "--dir", folder, *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def test_s25_a_token_goes_to_standard_output_once_and_nowhere_else(folder: Path, tmp_path: Path) -> None:
    done = token(folder, "add", "grafana", "--scope", "read", "--valid", "90d")
    (text,) = done.stdout.splitlines()
    assert text.startswith(MARK)
    assert text not in done.stderr
    assert "grafana may read; good until 2" in done.stderr
    out = tmp_path / "token"
    assert token(folder, "add", "phone", "--scope", "respond", "--scope", "read", "--out", out).stdout == ""
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    listed = token(folder, "list", "--json").stdout
    assert text not in listed
    assert out.read_text().strip() not in listed
    rows = {row["name"]: row for row in map(json.loads, listed.splitlines())}
    assert rows["phone"]["scopes"] == ["read", "respond"]
    assert rows["phone"]["expires_at"] is None
    assert "already" in token(folder, "add", "new", "--scope", "read", "--out", out, status=2).stderr
    assert "new" not in token(folder, "list").stdout


def test_a_revoked_token_is_listed_with_when(folder: Path) -> None:
    token(folder, "add", "grafana", "--scope", "read")
    before = token(folder, "list").stdout
    assert "without end" in before
    assert "revoked" not in before
    assert "grafana is revoked" in token(folder, "revoke", "grafana").stdout
    assert "revoked 2" in token(folder, "list").stdout
    assert "is there already" in token(folder, "add", "grafana", "--scope", "read", status=1).stderr
    assert "no token" in token(folder, "revoke", "nobody", status=1).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a b", "--scope", "read"], "1 to 64 of"),
        (["x"], "--scope"),
        (["x", "--scope", "fly"], "respond"),
        (["x", "--scope", "read", "--valid", "soon"], "90d"),
        (["x", "--scope", "read", "--valid", "1s"], "a minute"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_no_token_can_be_is_told_with_what_would_do(folder: Path, words: list[str], told: str) -> None:
    assert told in token(folder, "add", *words, status=2).stderr


def test_the_api_can_be_described_without_a_cloud() -> None:
    done = subprocess.run([PROGRAM, "cloud", "api", "openapi"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "/v1/alerts/{alert}/why" in json.loads(done.stdout)["paths"]
