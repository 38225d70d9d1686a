"""The key that signs the links in notices: made once, read by the roles `alerts` and `links`."""

from __future__ import annotations

import secrets
from pathlib import Path

from cloud_bridge.errors import NotAFolder
from cloud_bridge.links import KEY_BYTES
from cloud_bridge.runtime.files import write_new
from cloud_bridge.runtime.keys import check_private, read


def new_link_key(path: Path) -> None:
    """Raises FileExistsError, OSError."""
    write_new(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")


def load_link_key(path: Path) -> bytes:
    """Raises NotAFolder if it can't be read, others may read it, or it is none."""
    check_private(path)
    try:
        key = bytes.fromhex(read(path).decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise NotAFolder(f"{path} is damaged: expected {2 * KEY_BYTES} hexadecimal digits")
    return key
