from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.errors import SettingsError
from config.runtime.files import MAX_BYTES, load


class Settings(msgspec.Struct):
    ca: Path
    name: str = "é"


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path, Settings)
    return str(caught.value)


def test_a_file_becomes_settings_with_paths_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbfca: keys/ca.pem\nname: \xc3\xbc\n")
    assert load(file, Settings) == Settings(tmp_path / "keys/ca.pem", "ü")


def test_a_file_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: can't be read: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path}: can't be read: Is a directory"


def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"ca: \xff")
    assert refusal(file) == f"{file}: not UTF-8 text (byte 5)"


def test_a_file_over_the_limit_is_not_read_to_its_end() -> None:
    assert refusal(Path("/dev/zero")) == f"/dev/zero: longer than {MAX_BYTES} bytes: this is no settings file"


def test_a_wrong_value_is_told_with_the_file_as_it_was_named(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("ca: [a]\n")
    assert refusal(file) == f"{file}:1:5: ca: expected a path, got a list"
