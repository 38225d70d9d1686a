"""What was trusted of a firmware repository, on disk: one file, replaced whole, so that its parts always fit.

Used in the child of `trust` alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.wire.firmware_verified import Distrust, NotTrusted

NAME = "trusted.json"


class Kept(msgspec.Struct, frozen=True):
    """`root`: SHA-256 of the pinned root on which `files` stand."""

    root: str
    files: dict[str, bytes]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else reads or writes it meanwhile; made if it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load(folder: Path, root: bytes) -> dict[str, bytes]:
    """Empty if nothing was kept, or under another pinned root. Raises NotTrusted if it can't be read."""
    path = folder / NAME
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        what = f"{path}, which keeps metadata from going back, can't be read: {error}; remove it to begin anew"
        raise NotTrusted(Distrust.STORE, what) from None
    return kept.files if kept.root == _digest(root) else {}


def save(folder: Path, root: bytes, files: Mapping[str, bytes]) -> None:
    """On the disk when it returns. Raises OSError."""
    content = msgspec.json.encode(Kept(_digest(root), dict(files)))
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{NAME}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(folder / NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _digest(root: bytes) -> str:
    return hashlib.sha256(root).hexdigest()
