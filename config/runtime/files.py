"""Settings from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from config.document import MAX_CHARS
from config.errors import SettingsError
from config.settings import decode

T = TypeVar("T")

MAX_BYTES = 4 * MAX_CHARS
"""No UTF-8 character is longer than four bytes."""


def load(path: Path, type_: type[T]) -> T:
    """The settings file at `path` as a `type_`. Raises SettingsError if it can't be read or is wrong."""
    return decode(_text(path), type_, str(path), path.absolute().parent)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(reason=f"{path}: can't be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise SettingsError(reason=f"{path}: longer than {MAX_BYTES} bytes: this is no settings file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(reason=f"{path}: not UTF-8 text (byte {error.start + 1})") from error
