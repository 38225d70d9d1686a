"""apcupsd's network information server without a socket (integrations.md 2.1, 2.2): frames to lines, lines to keys."""

from __future__ import annotations

from collections.abc import Iterable

STATUS_REQUEST = b"\x00\x06status"
"""Length, most significant byte first, then the word."""
FRAME_LIMIT = 1024
"""Most bytes of a frame, which is one line; apcupsd formats one in 256."""
ANSWER_LIMIT = 16 * 1024
"""Most bytes of an answer; apcupsd's status has at most 4096."""


class Malformed(ValueError):
    """What came is no answer of this protocol."""


class Reader:
    """Bytes of one answer, as they come, to its lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._bytes = 0
        self._lines: list[str] = []

    def feed(self, data: bytes) -> tuple[str, ...] | None:
        """The lines once the frame of length 0 has come. Raises Malformed for bytes beyond it too."""
        self._bytes += len(data)
        if self._bytes > ANSWER_LIMIT:
            raise Malformed(f"an answer of more than {ANSWER_LIMIT} bytes")
        self._rest += data
        while len(self._rest) >= 2:
            length = int.from_bytes(self._rest[:2], "big")
            if length > FRAME_LIMIT:
                raise Malformed(f"a frame of {length} bytes, more than {FRAME_LIMIT}")
            if length == 0:
                if len(self._rest) > 2:
                    raise Malformed("more than the answer came")
                return tuple(self._lines)
            if len(self._rest) < 2 + length:
                break
            self._lines.append(self._rest[2 : 2 + length].decode("utf-8", "replace").strip("\0\r\n"))
            self._rest = self._rest[2 + length :]
        return None


def keys(lines: Iterable[str]) -> dict[str, str]:
    """`KEY : value` to a dictionary; the first colon parts them, since times have colons too. A line without one is a
    message, and a key with nothing.
    """
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}
