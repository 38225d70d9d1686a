"""A password or an access token, in a file of its own."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import NotSent
from gateway.runtime.tls import key_problem

SECRET_BYTES = 4096


def read_secret(path: Path | None) -> str:
    """The one line of a file that nobody else may read; without a file nothing. Raises NotSent."""
    if path is None:
        return ""
    if problem := key_problem(path):
        raise NotSent(problem)
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES + 1)
    except OSError as error:
        raise NotSent(f"{path}: can't be read: {error.strerror}") from error
    secret = content.decode(errors="replace").strip("\r\n")
    if not secret or len(content) > SECRET_BYTES or "\ufffd" in secret or not secret.isprintable():
        raise NotSent(f"{path}: expected one line of text, {SECRET_BYTES} bytes at most")
    return secret
