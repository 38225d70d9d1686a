"""YAML text to a typed value, with every problem told by its place.

A settings type is a msgspec Struct. What is asked of a field stands in its type; `Meta(description=...)` says
it in the words of an error: `expected <description>, got 'x'`. A field of type `Path`, and its default, is
relative to the file's folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from config.document import Node, Place, parse
from config.errors import Problem, SettingsError
from config.expectation import MAX_VALUE_CHARS, did_you_mean, expected, got, hint
from config.text import one_line

T = TypeVar("T")


def decode(text: str, type_: type[T], source: str, folder: Path = Path()) -> T:
    """`text` as a `type_`. Raises SettingsError with all its problems; `source` is the file's name in them.

    Keys that a Struct does not know are refused, and keys given twice. Relative paths begin at `folder`.
    """
    node = parse(text, source) or Node({}, Place())
    problems = _Match(source, folder).problems(node, type_, "")
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return _convert(node.value, type_, folder)


def beside(file: Path, path: str | Path) -> Path:
    """`path` as the settings file `file` means it: relative to the file's folder."""
    return file.parent / path


def _convert(value: object, type_: type[T], folder: Path) -> T:
    def path_from_text(wanted: type, written: object) -> Path:
        if wanted is not Path or not isinstance(written, str) or not written or "\0" in written:
            raise ValueError(f"Expected `{wanted.__name__}`")
        return folder / written

    return msgspec.convert(value, type_, str_keys=True, dec_hook=path_from_text)


class _Match:
    """Holds a tree beside its type, since msgspec stops at the first error and knows no lines."""

    def __init__(self, source: str, folder: Path) -> None:
        self.source = source
        self.folder = folder

    def problems(self, node: Node, type_: Any, path: str) -> list[Problem]:
        """Those of the parts of `node`; when they are right, that of the whole."""
        return list(self._parts(node, _unwrapped(type_), path)) or list(self._whole(node, type_, path))

    def _parts(self, node: Node, type_: Any, path: str) -> Iterator[Problem]:
        kind, arguments = get_origin(type_) or type_, get_args(type_)
        if not isinstance(kind, type):
            return
        if issubclass(kind, msgspec.Struct) and isinstance(node.value, dict):
            yield from self._keys(node, type_, path)
            yield from self._fields(node, node.value, type_, path)
        elif issubclass(kind, Mapping) and arguments:
            if get_origin(arguments[0]) is Literal:
                yield from self._unknown(node, [str(each) for each in get_args(arguments[0])], path)
            for key, child in node.fields.items():
                yield from self.problems(child, arguments[1], _inside(path, key))
        elif issubclass(kind, Sequence | set | frozenset) and _uniform(arguments):
            for index, child in enumerate(node.items):
                yield from self.problems(child, arguments[0], f"{path}[{index}]")

    def _keys(self, node: Node, type_: Any, path: str) -> Iterator[Problem]:
        tag = (get_origin(type_) or type_).__struct_config__.tag_field
        allowed = [field.encode_name for field in msgspec.structs.fields(type_)] + ([tag] if tag else [])
        yield from self._unknown(node, allowed, path)

    def _unknown(self, node: Node, allowed: Sequence[str], path: str) -> Iterator[Problem]:
        for key, place in node.keys.items():
            if key not in allowed:
                near = did_you_mean(key, allowed) or f"; allowed here: {', '.join(allowed)}"
                yield self._at(place, _inside(path, key), f"unknown key{near}")

    def _fields(self, node: Node, values: dict[str, Any], type_: Any, path: str) -> Iterator[Problem]:
        for field in msgspec.structs.fields(type_):
            inside = _inside(path, field.encode_name)
            if child := node.fields.get(field.encode_name):
                yield from self.problems(child, field.type, inside)
            elif field.required:
                yield self._at(node.place, inside, f"missing; expected {expected(field.type)}")
            elif isinstance(field.default, Path | msgspec.Struct):
                # As if it were written: msgspec hands a default out as it is, relative to the working folder.
                values[field.encode_name] = msgspec.to_builtins(field.default, enc_hook=str)

    def _whole(self, node: Node, type_: Any, path: str) -> Iterator[Problem]:
        try:
            _convert(node.value, type_, self.folder)
        except msgspec.ValidationError as error:
            yield self._at(node.place, path, _message(str(error), node.value, type_))

    def _at(self, place: Place, path: str, message: str) -> Problem:
        return Problem(self.source, place.line, place.column, path, message)


def _message(told: str, value: object, type_: Any) -> str:
    """msgspec's own words are replaced; those of a `__post_init__` and of the inside of a union are kept."""
    if told.startswith(("Expected", "Invalid")) and " - at `" not in told:
        return f"expected {expected(type_)}, got {got(value)}{hint(value, type_)}"
    return told


def _inside(path: str, key: str) -> str:
    key = one_line(key, MAX_VALUE_CHARS)
    return f"{path}.{key}" if path else key


def _unwrapped(type_: Any) -> Any:
    """The type inside `Annotated[..., ...]` and `... | None`."""
    if get_origin(type_) is Annotated:
        return _unwrapped(get_args(type_)[0])
    some = [each for each in get_args(type_) if each is not NoneType]
    return _unwrapped(some[0]) if NoneType in get_args(type_) and len(some) == 1 else type_


def _uniform(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) == 1 or arguments[1:] == (Ellipsis,)
