"""YAML text to a tree of plain values that knows where each one stands.

A strict subset, so that a file means what it looks like: no anchors, aliases, tags or second documents, each
key once, YAML 1.2's plain scalars. (PyYAML's own are 1.1's: `no` is false, `1:30` is 90, `010` is 8.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from yaml import events
from yaml.error import MarkedYAMLError
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from config.errors import Problem, SettingsError

MAX_CHARS = 256 * 1024
"""A gateway with 100 units needs about 20,000."""
MAX_DEPTH = 16
"""The deepest settings have five levels; reading them is recursive, so the depth has to be bounded."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something begins in its text; both count from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """A plain value and its place; a list's `items`; a mapping's `fields` and the places of its `keys`."""

    value: object
    place: Place
    items: list[Node] = field(default_factory=list)
    fields: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)


def parse(text: str, source: str) -> Node | None:
    """The one document in `text`, None if there is none. Raises SettingsError, which names `source`."""
    if len(text) > MAX_CHARS:
        raise SettingsError(reason=f"{source}: {len(text)} characters: settings have at most {MAX_CHARS}")
    try:
        reader = _Events(text)
    except ReaderError as error:
        raise _unreadable(text, error.position, source) from None
    document = _Document(reader, source)
    try:
        return document.read()
    except MarkedYAMLError as error:
        what = "; ".join(part for part in (error.problem, error.context) if part)
        raise document.refused(error.problem_mark or reader.get_mark(), f"not YAML: {what}") from None
    except (ValueError, OverflowError) as error:
        # PyYAML lets int() and chr() fail on %YAML versions and escapes out of range.
        raise document.refused(reader.get_mark(), f"not YAML: {error}") from None


class _Mark(Protocol):
    """A place as PyYAML gives it: both count from 0."""

    line: int
    column: int


class _Events(Reader, Scanner, Parser):
    """PyYAML's text to events, without its composer, resolver and constructor."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def next(self) -> events.Event:
        event: events.Event = self.get_event()  # type: ignore[no-untyped-call]  # untyped in the stubs
        return event

    def at(self, kind: type[events.Event]) -> bool:
        return bool(self.check_event(kind))


class _Document:
    """Events to nodes. Keys given twice are collected; anything else that is not allowed ends the reading."""

    def __init__(self, reader: _Events, source: str) -> None:
        self.reader = reader
        self.source = source
        self.problems: list[Problem] = []

    def read(self) -> Node | None:
        self.reader.next()  # the stream's start
        if self.reader.at(events.StreamEndEvent):
            return None
        self.reader.next()  # the document's start
        root = self._node(depth=1)
        self.reader.next()  # the document's end
        if not self.reader.at(events.StreamEndEvent):
            raise self.refused(self.reader.next().start_mark, "a second document is not allowed here")
        if self.problems:
            raise SettingsError(self.problems)
        return root

    def refused(self, mark: _Mark | None, what: str) -> SettingsError:
        self._note(_place(mark), what)
        return SettingsError(self.problems)

    def _note(self, place: Place, what: str) -> None:
        self.problems.append(Problem(self.source, place.line, place.column, "", what))

    def _node(self, depth: int) -> Node:
        event = self._allowed(self.reader.next())
        place = _place(event.start_mark)
        if depth > MAX_DEPTH:
            raise self.refused(event.start_mark, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, events.SequenceStartEvent):
            return self._list(place, depth)
        if isinstance(event, events.MappingStartEvent):
            return self._mapping(place, depth)
        assert isinstance(event, events.ScalarEvent), "nothing else begins a node"
        plain = event.implicit[0]
        return Node(_plain_value(event.value) if plain else event.value, place)

    def _list(self, place: Place, depth: int) -> Node:
        items = []
        while not self.reader.at(events.SequenceEndEvent):
            items.append(self._node(depth + 1))
        self.reader.next()
        return Node([item.value for item in items], place, items=items)

    def _mapping(self, place: Place, depth: int) -> Node:
        fields: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not self.reader.at(events.MappingEndEvent):
            key, key_place = self._key()
            if first := keys.get(key):
                self._note(key_place, f"the key {key!r} was given before, at {first.line}:{first.column}")
            keys.setdefault(key, key_place)
            fields[key] = self._node(depth + 1)
        self.reader.next()
        return Node({key: node.value for key, node in fields.items()}, place, fields=fields, keys=keys)

    def _key(self) -> tuple[str, Place]:
        """A key as it is written: `1` and `true` are names here, whatever they would be as values."""
        event = self._allowed(self.reader.next())
        if not isinstance(event, events.ScalarEvent):
            raise self.refused(event.start_mark, "a key must be text")
        return event.value, _place(event.start_mark)

    def _allowed(self, event: events.Event) -> events.Event:
        if getattr(event, "anchor", None) is not None:
            raise self.refused(event.start_mark, "anchors (&) and aliases (*) are not allowed here")
        if getattr(event, "tag", None) is not None:
            raise self.refused(event.start_mark, "tags (!) are not allowed here")
        if isinstance(event, events.ScalarEvent) and _SURROGATE.search(event.value):
            raise self.refused(event.start_mark, "half a character (\\uD800 to \\uDFFF) is not text")
        return event


_SURROGATE = re.compile("[\ud800-\udfff]")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# More digits, and those after a leading zero, are names: serial numbers, digests. So is 12e5.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]{0,17})\.[0-9]{0,18}|\.[0-9]{1,18})([eE][-+]?[0-9]{1,2})?")


def _plain_value(written: str) -> object:
    if written in _CONSTANTS:
        return _CONSTANTS[written]
    if _INTEGER.fullmatch(written):
        return int(written)
    return float(written) if _NUMBER.fullmatch(written) else written


def _place(mark: _Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place()


def _unreadable(text: str, position: int, source: str) -> SettingsError:
    before = text[:position]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    what = f"a character that YAML does not allow: {text[position]!a}"
    return SettingsError([Problem(source, line, column, "", what)])
