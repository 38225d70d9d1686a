"""The targets of channels hold secrets: they are encrypted wherever they are kept (S24).

The key file has a Fernet key a line. The first encrypts, all decrypt: a new one is put before the others.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cloud_bridge.errors import CloudError, NotAFolder
from cloud_bridge.runtime.files import replace, write_new
from cloud_bridge.runtime.keys import check_private, read

_KEYS_AT_MOST = 16


class Sealed(CloudError):
    """It was encrypted with a key that is not in the file."""


class Vault:
    """Raises NotAFolder if the file can't be read, others may read it, or it holds no key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = _keys_in(path)

    def seal(self, target: str) -> bytes:
        return self._keys.encrypt(target.encode())

    def open(self, sealed: bytes) -> str:
        """Raises Sealed. The file may have a new key since it was read."""
        try:
            try:
                return self._keys.decrypt(sealed).decode()
            except InvalidToken:
                self._keys = _keys_in(self._path)
                return self._keys.decrypt(sealed).decode()
        except (InvalidToken, UnicodeDecodeError, NotAFolder):
            raise Sealed(f"a channel's target was encrypted with a key that is not in {self._path}") from None


def _keys_in(path: Path) -> MultiFernet:
    check_private(path)
    try:
        return MultiFernet([Fernet(line) for line in read(path).split()[:_KEYS_AT_MOST]])
    except ValueError as error:
        raise NotAFolder(f"{path} is damaged: expected a Fernet key a line") from error


def new_key(path: Path) -> None:
    """Raises FileExistsError, OSError."""
    write_new(path, Fernet.generate_key() + b"\n")


def add_key(path: Path) -> None:
    """A new key, which encrypts from now on; those before it still decrypt. Raises NotAFolder, OSError."""
    before = b""
    if path.exists():
        Vault(path)
        before = read(path)
    replace(path, Fernet.generate_key() + b"\n" + before)
