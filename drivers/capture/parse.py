"""A capture out of its text. Strict: what is not exactly of the form is refused with its line.

The plain form of older captures (`address value`, one register a line, # comments) is read as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain

from drivers.capture.model import (
    ADDRESSES,
    FIRST_LINE,
    LAST_MS,
    NAME_LIMIT,
    READ_LIMIT,
    SAID_LIMIT,
    SAID_ON,
    STEP_LIMIT,
    TEXT_LIMIT,
    UNKNOWN,
    VERSION,
    Alert,
    Capture,
    Header,
    Refusal,
    Registers,
    Reply,
    Said,
    Silence,
    Step,
    Variable,
    Wire,
)
from drivers.capture.text import instant_text
from drivers.errors import BadCapture

__all__ = ["SIZE_LIMIT", "BadCapture", "read"]

SIZE_LIMIT = 64 * 1024 * 1024
"""Most characters of a file: a day of full readings each second."""
LINE_LIMIT = 6 * TEXT_LIMIT + 2 * NAME_LIMIT
"""Most characters of a line: each character of a reply may be written as a six-character escape."""
_SERIALS = {"masked": False, "kept": True}

_WORD = r"(?:0|[1-9][0-9]{0,4})"
_AT = re.compile(r"at (0|[1-9][0-9]{0,9})\.([0-9]{3})")
_REGISTERS = re.compile(rf"registers ({_WORD}) ({_WORD}): (?:exception ({_WORD})|(silence|garbled)|([0-9 ]+))")
_STRING = r'("(?:[^"\\]|\\.)*")'
_REPLY = re.compile(rf"asked {_STRING}: (?:silence|{_STRING})")
_ALERT = re.compile(rf"alert {_STRING}")
_VARIABLE = re.compile(rf"variable ([!-~]{{1,{NAME_LIMIT}}}): {_STRING}")
_FIELD = re.compile(r"([a-z-]+): ([^\n]{1,1024})")
_PLAIN = re.compile(rf"({_WORD}) ({_WORD})")


class _Lines:
    """The lines that say something, with their numbers; comments and blank lines are left out."""

    def __init__(self, text: str, source: str) -> None:
        if len(text) > SIZE_LIMIT:
            raise BadCapture(source, 0, f"longer than {SIZE_LIMIT} characters")
        self.source = source
        self.number = 0
        self._lines: Iterator[tuple[int, str]] = enumerate(text.split("\n"), 1)

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            if len(line) > LINE_LIMIT:
                raise self.error(f"longer than {LINE_LIMIT} characters")
            if line.strip() and not line.startswith("#"):
                yield line.rstrip("\r")

    def error(self, problem: str) -> BadCapture:
        return BadCapture(self.source, self.number, problem)


def read(text: str, source: str = "capture") -> Capture:
    """Raises BadCapture with the place and what would be right."""
    lines = _Lines(text, source)
    rest = iter(lines)
    first = next(rest, "")
    if not first.startswith(FIRST_LINE):
        return _read_plain(lines, first, rest)
    if first != f"{FIRST_LINE} {VERSION}":
        raise lines.error(f"expected `{FIRST_LINE} {VERSION}`, got {first[:40]!r}")
    header, after = _read_header(lines, rest)
    return Capture(header, tuple(_steps(lines, header.wire, after, rest)))


def _read_header(lines: _Lines, rest: Iterator[str]) -> tuple[Header, str]:
    """The header, and the line after it."""
    fields: dict[str, str] = {}
    after = ""
    for line in rest:
        if _AT.fullmatch(line):
            after = line
            break
        found = _FIELD.fullmatch(line)
        if found is None or found[1] not in _FIELDS or found[1] in fields:
            raise lines.error(f"expected one each of {', '.join(_FIELDS)}, then `at 0.000`; got {line[:40]!r}")
        fields[found[1]] = found[2]
        _field(lines, fields, found[1])
    if missing := [name for name in _FIELDS if name not in fields and name != "unit"]:
        raise lines.error(f"the header lacks {', '.join(missing)}")
    return Header(
        made_by=fields["made-by"],
        wire=Wire(fields["wire"]),
        url=fields["url"],
        recorded_at=_instant(fields["recorded-at"]),
        serials_kept=_SERIALS[fields["serial-numbers"]],
        unit=_unit(fields["unit"]) if "unit" in fields else None,
    ), after


def _field(lines: _Lines, fields: dict[str, str], name: str) -> None:
    """Checked where it stands, so that the error has its line."""
    try:
        if not fields[name].isprintable() or fields[name] != fields[name].strip():
            raise ValueError(name)
        _FIELDS[name](fields[name])
    except (ValueError, KeyError, OverflowError):
        raise lines.error(f"{name}: {fields[name][:40]!r} cannot be") from None


def _instant(text: str) -> datetime | None:
    if text == UNKNOWN:
        return None
    instant = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if instant_text(instant) != text:
        raise ValueError(text)
    return instant


def _unit(text: str) -> int:
    if not re.fullmatch(_WORD, text) or not 1 <= int(text) <= 247:
        raise ValueError(text)
    return int(text)


_FIELDS: dict[str, Callable[[str], object]] = {
    "made-by": str,
    "wire": Wire,
    "url": str,
    "recorded-at": _instant,
    "serial-numbers": _SERIALS.__getitem__,
    "unit": _unit,
}


def _steps(lines: _Lines, wire: Wire, at: str, rest: Iterable[str]) -> Iterator[Step]:
    if not at:
        return
    at_ms, said, count = _at_ms(lines, at), list[Said](), 0
    for line in rest:
        if not _AT.fullmatch(line):
            said.append(_said(lines, wire, line))
            if len(said) > SAID_LIMIT:
                raise lines.error(f"more than {SAID_LIMIT} lines in one step")
            continue
        yield Step(at_ms, tuple(said))
        next_ms, said, count = _at_ms(lines, line), [], count + 1
        if next_ms < at_ms or count >= STEP_LIMIT:
            raise lines.error(f"expected a later time, and no more than {STEP_LIMIT} steps")
        at_ms = next_ms
    yield Step(at_ms, tuple(said))


def _at_ms(lines: _Lines, line: str) -> int:
    found = _AT.fullmatch(line)
    at_ms = int(found[1] + found[2]) if found else LAST_MS + 1
    if at_ms > LAST_MS:
        raise lines.error(f"expected `at SECONDS.MILLISECONDS`, a month at most; got {line[:40]!r}")
    return at_ms


def _said(lines: _Lines, wire: Wire, line: str) -> Said:
    try:
        said = _parsed(line)
    except ValueError:
        said = None
    if said is None or not isinstance(said, SAID_ON[wire]):
        raise lines.error(f"not what can be said on {wire.value}: {line[:60]!r}")
    return said


def _parsed(line: str) -> Said | None:
    if found := _REGISTERS.fullmatch(line):
        return _registers(*found.groups())
    if found := _REPLY.fullmatch(line):
        return Reply(_string(found[1], least=1), None if found[2] is None else _string(found[2]))
    if found := _ALERT.fullmatch(line):
        return Alert(_string(found[1], least=1, most=1))
    if found := _VARIABLE.fullmatch(line):
        return Variable(found[1], _string(found[2]))
    return None


def _registers(at: str, many: str, code: str | None, word: str | None, values: str | None) -> Said:
    address, count = int(at), int(many)
    if not 1 <= count <= READ_LIMIT or address + count > ADDRESSES:
        raise ValueError(many)
    if code is not None:
        if not 1 <= int(code) <= 255:
            raise ValueError(code)
        return Refusal(address, count, int(code))
    if word is not None:
        return Silence(address, count, word == "garbled")
    texts = (values or "").split(" ")
    words = tuple(int(text) for text in texts if re.fullmatch(_WORD, text))
    if len(words) != count or len(texts) != count or max(words) > 0xFFFF:
        raise ValueError(values)
    return Registers(address, words)


def _string(text: str, least: int = 0, most: int = TEXT_LIMIT) -> str:
    value = json.loads(text)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise ValueError(text[:40])
    return value


def _read_plain(lines: _Lines, first: str, rest: Iterable[str]) -> Capture:
    """Each run of neighbours is one block, as far as one read can carry it."""
    words: dict[int, int] = {}
    for line in chain((first,), rest):
        found = _PLAIN.fullmatch(line)
        if found is None or int(found[1]) >= ADDRESSES or int(found[2]) > 0xFFFF or int(found[1]) in words:
            wanted = f"expected `{FIRST_LINE} {VERSION}` first, or a register and its value on each line"
            raise lines.error(f"{wanted}; got {line[:40]!r}")
        words[int(found[1])] = int(found[2])
    header = Header(made_by=UNKNOWN, wire=Wire.REGISTERS, url=UNKNOWN, recorded_at=None, serials_kept=True)
    return Capture(header, (Step(0, tuple(_runs(words))),))


def _runs(words: dict[int, int]) -> Iterator[Registers]:
    run: list[int] = []
    start = 0
    for address in sorted(words):
        if run and (address != start + len(run) or len(run) == READ_LIMIT):
            yield Registers(start, tuple(run))
            run = []
        if not run:
            start = address
        run.append(words[address])
    yield Registers(start, tuple(run))
