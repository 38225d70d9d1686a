"""The client of a control port."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from simulator.errors import PeerError
from simulator.runtime.control import split_address

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""A whole history is some 30 MB."""


def ask(address: str, line: str, token: str | None = None, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
    """Say one line to a control port; its answer's lines. PeerError if it does not answer or refuses."""
    try:
        with (
            socket.create_connection(split_address(address), timeout_s) as connection,
            connection.makefile("rwb") as stream,
        ):
            if token is not None:
                _exchange(stream, address, f"token {token}")
            return _exchange(stream, address, line)
    except (OSError, ValueError) as error:
        raise PeerError(address, f"no answer: {error}") from error


def _exchange(stream: Any, address: str, line: str) -> list[dict[str, Any]]:
    stream.write(line.encode("ascii", "replace") + b"\n")
    stream.flush()
    head = _line(stream, address)
    if not head.get("ok"):
        raise PeerError(address, str(head.get("error", "refused")))
    return [head, *(_line(stream, address) for _ in range(int(head.get("lines", 0))))]


def _line(stream: Any, address: str) -> dict[str, Any]:
    text = stream.readline(MAX_ANSWER_BYTES)
    if not text:
        raise PeerError(address, "it closed the connection")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise PeerError(address, "this is no control port") from error
