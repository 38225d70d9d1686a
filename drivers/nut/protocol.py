"""NUT's network protocol without a socket: requests to bytes, bytes to answers (integrations.md 1.1 to 1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

LINE_LIMIT = 2048
"""Most bytes of an answer's line; upsd formats one in 512."""
ANSWER_LIMIT = 128 * 1024
"""Most bytes of a whole answer; a three-phase unit with many outlets stays under 32 KiB."""
ROWS_LIMIT = 2000
"""Most rows of a list."""

SPECIAL = '"\\#'
"""What upsd's parser needs a backslash before."""
_NAME = re.compile(r"[!-~]{1,128}\Z", re.ASCII)


class Malformed(ValueError):
    """What came is not an answer of this protocol to what was asked."""


class Request(msgspec.Struct, frozen=True):
    """`line` is what is sent. `head`: the words with which its answer, or each row of the list, begins.

    `shown` names it in errors: a password's line never leaves here.
    """

    line: str
    head: tuple[str, ...]
    is_list: bool
    shown: str

    def encoded(self) -> bytes:
        return self.line.encode("utf-8") + b"\n"


class Reply(msgspec.Struct, frozen=True):
    """Each row without the request's `head`; what is no list has one."""

    rows: tuple[tuple[str, ...], ...]


class Failure(msgspec.Struct, frozen=True):
    """`ERR token`; the rest of such a line means nothing to a client (1.3)."""

    token: str


Answer = Reply | Failure


def listing(kind: str, *names: str) -> Request:
    """LIST VAR, RW, CMD, ENUM or RANGE."""
    line = " ".join(("LIST", kind, *map(bare, names)))
    return Request(line, (kind, *names), is_list=True, shown=line)


def getting(unit: str, variable: str) -> Request:
    line = f"GET VAR {bare(unit)} {bare(variable)}"
    return Request(line, ("VAR", unit, variable), is_list=False, shown=line)


def saying(*words: str, shown: str = "") -> Request:
    """Any request that is answered by one line; all its words are told."""
    line = " ".join(words)
    return Request(line, (), is_list=False, shown=shown or line)


def bare(name: str) -> str:
    """A name that needs no quotes. Raises ValueError."""
    if not _NAME.match(name) or any(c in SPECIAL or c == "=" for c in name):
        raise ValueError(f"{name!r} is no name of NUT's")
    return name


def quoted(text: str) -> str:
    """A backslash before each special character: upsd never answers a line with a bare # in quotes. Raises ValueError
    for what can't stand in a line.
    """
    if not text.isprintable():
        raise ValueError("a value must be printable")
    return '"' + "".join(f"\\{c}" if c in SPECIAL else c for c in text) + '"'


def words(line: str) -> tuple[str, ...]:
    """A line's words: quotes join, a backslash takes the next character as it is, a bare # ends. Raises Malformed."""
    found: list[str] = []
    word: str | None = None
    in_quotes = False
    characters = iter(line)
    for c in characters:
        if c == '"':
            in_quotes, word = not in_quotes, word or ""
        elif c == "\\":
            word = (word or "") + _escaped(characters)
        elif in_quotes or not (c.isspace() or c == "#"):
            word = (word or "") + c
        else:
            found += [] if word is None else [word]
            word = None
            if c == "#":
                break
    if in_quotes:
        raise Malformed("a quote is not closed")
    return tuple(found if word is None else [*found, word])


def _escaped(characters: Iterator[str]) -> str:
    try:
        return next(characters)
    except StopIteration:
        raise Malformed("a line ends in a backslash") from None


class Reader:
    """Bytes of one answer, as they come, to the answer."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._head = tuple(word.casefold() for word in request.head)
        self._rest = b""
        self._bytes = 0
        self._begun = False
        self._rows: list[tuple[str, ...]] = []

    def feed(self, data: bytes) -> Answer | None:
        """The answer once it is whole. Raises Malformed for anything else, bytes beyond its end included."""
        self._bytes += len(data)
        if self._bytes > ANSWER_LIMIT:
            raise Malformed(f"an answer of more than {ANSWER_LIMIT} bytes")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > LINE_LIMIT:
            raise Malformed(f"a line of more than {LINE_LIMIT} bytes")
        for place, line in enumerate(lines):
            answer = self._take(words(line.decode("utf-8", "replace")))
            if answer is not None:
                if self._rest or place < len(lines) - 1:
                    raise Malformed("more than the answer came")
                return answer
        return None

    def _take(self, line: tuple[str, ...]) -> Answer | None:
        if line[:1] == ("ERR",) and len(line) > 1 and not self._begun:
            return Failure(line[1])
        if not self._request.is_list:
            return Reply((self._row(line),))
        folded = tuple(word.casefold() for word in line)
        if not self._begun:
            self._expect(folded, ("begin", "list", *self._head))
            self._begun = True
        elif folded[:1] == ("end",):
            self._expect(folded, ("end", "list", *self._head))
            return Reply(tuple(self._rows))
        elif len(self._rows) == ROWS_LIMIT:
            raise Malformed(f"a list of more than {ROWS_LIMIT} rows")
        else:
            self._rows.append(self._row(line))
        return None

    def _row(self, line: tuple[str, ...]) -> tuple[str, ...]:
        head = tuple(word.casefold() for word in line[: len(self._head)])
        self._expect(head, self._head)
        row = line[len(self._head) :]
        if not row:
            raise Malformed("a line that says nothing")
        return row

    def _expect(self, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
        if found != wanted:
            raise Malformed(f"{' '.join(found)[:80]!r} in place of {' '.join(wanted).upper()!r}")
