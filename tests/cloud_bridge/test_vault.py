"""The key that encrypts channels' targets, and what it encrypts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.errors import NotAFolder
from cloud_bridge.runtime.vault import Sealed, Vault, add_key, new_key

TARGET = "https://hooks.example.net/T0/secret secret=0123456789abcdef"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "channels.key")
    return tmp_path / "channels.key"


def test_s24_a_new_key_is_for_its_owner_alone_and_nothing_is_overwritten(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(FileExistsError):
        new_key(key)
    assert key.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_s24_a_key_that_others_may_read_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(NotAFolder, match="others may read"):
        Vault(key)


@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", b"=" * 44, b"\xff" * 44])
def test_a_file_without_a_key_is_told_by_its_name(key: Path, content: bytes) -> None:
    key.write_bytes(content)
    with pytest.raises(NotAFolder, match=r"channels\.key is damaged"):
        Vault(key)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(NotAFolder, match=r"nowhere\.key"):
        Vault(tmp_path / "nowhere.key")


def test_s24_what_is_sealed_has_nothing_of_the_target(key: Path) -> None:
    vault = Vault(key)
    sealed = vault.seal(TARGET)
    assert b"hooks" not in sealed
    assert b"0123456789abcdef" not in sealed
    assert vault.seal(TARGET) != sealed
    assert Vault(key).open(sealed) == TARGET


def test_a_changed_byte_or_another_key_opens_nothing(key: Path, tmp_path: Path) -> None:
    sealed = Vault(key).seal(TARGET)
    broken = sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:]
    new_key(tmp_path / "another.key")
    for vault, what in ((Vault(key), broken), (Vault(tmp_path / "another.key"), sealed), (Vault(key), b"")):
        with pytest.raises(Sealed, match="a key that is not in"):
            vault.open(what)


def test_a_new_key_encrypts_and_the_old_one_still_decrypts(key: Path) -> None:
    old = Vault(key).seal(TARGET)
    first = key.read_bytes()
    add_key(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Vault(key).open(old) == TARGET
    new = Vault(key).seal(TARGET)
    key.write_bytes(first)
    with pytest.raises(Sealed):
        Vault(key).open(new)


def test_whoever_opened_the_file_before_opens_what_a_newer_key_sealed(key: Path) -> None:
    before = Vault(key)
    add_key(key)
    assert before.open(Vault(key).seal(TARGET)) == TARGET


def test_a_key_is_not_added_to_a_damaged_file(key: Path) -> None:
    key.write_bytes(b"damaged\n")
    with pytest.raises(NotAFolder):
        add_key(key)
    assert key.read_bytes() == b"damaged\n"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_target_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, target: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.key"
    if not path.exists():
        new_key(path)
    vault = Vault(path)
    assert vault.open(vault.seal(target)) == target
