"""Word left for the next start that the outbox file is damaged, though it may look whole to a quick check."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def mark(path: Path, why: str) -> None:
    """Best effort: a disk that takes no marker has told of itself already."""
    with suppress(OSError):
        _marker(path).write_text(f"{path.stat().st_ino} {why}", encoding="utf-8")


def marked(path: Path) -> str:
    """Why the file that is here now was found damaged; empty if it was not."""
    try:
        inode, _, why = _marker(path).read_text(encoding="utf-8").partition(" ")
        return why if inode == str(path.stat().st_ino) else ""
    except (OSError, UnicodeDecodeError):
        return ""


def unmark(path: Path) -> None:
    _marker(path).unlink(missing_ok=True)


def _marker(path: Path) -> Path:
    return path.with_name("outbox.damaged")
