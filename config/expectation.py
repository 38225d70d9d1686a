"""What a settings type asks for, and what was found instead, in the words of an error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from msgspec import inspect

from config.text import one_line

MAX_VALUE_CHARS = 60
"""A wrong value is shown to be recognised, not to be read."""

_PLAIN = {
    inspect.BoolType: "true or false",
    inspect.CustomType: "a path",
    inspect.DateTimeType: "a date and time (2026-01-31T12:00:00Z)",
    inspect.DateType: "a date (2026-01-31)",
    inspect.DictType: "a mapping (key: value)",
    inspect.NoneType: "nothing",
    inspect.StructType: "a mapping (key: value)",
}


def expected(type_: Any) -> str:
    """What `type_` takes: its `Meta(description=...)`, or words such as `a whole number from 1 to 247`."""
    return _words(inspect.type_info(type_))


def got(value: object) -> str:
    """`value` as an error shows it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return one_line(repr(value), MAX_VALUE_CHARS)


def hint(value: object, type_: Any) -> str:
    """What would make `value` right, when that can be told; else nothing."""
    info = _bare(inspect.type_info(type_))
    if isinstance(info, inspect.StrType) and isinstance(value, int | float):
        return "; put it in quotes"
    if isinstance(info, inspect.EnumType | inspect.LiteralType) and isinstance(value, str):
        return did_you_mean(value, _values(info))
    return ""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'poll_s'?` for the nearest of `allowed`, nothing when none is near."""
    near = difflib.get_close_matches(word[:MAX_VALUE_CHARS], list(allowed), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata():
            description = (info.extra_json_schema or {}).get("description")
            return str(description) if description else _words(info.type)
        case inspect.UnionType():
            return " or ".join(_words(each) for each in info.types if not isinstance(each, inspect.NoneType))
        case inspect.IntType():
            return "a whole number" + _range(info)
        case inspect.FloatType():
            return "a number" + _range(info)
        case inspect.StrType():
            return "text" + _length(info, "characters") + (f" matching {info.pattern}" if info.pattern else "")
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            return "a list" + _length(info, "items")
        case inspect.EnumType() | inspect.LiteralType():
            return "one of " + ", ".join(_values(info))
        case _:
            return _PLAIN.get(type(info), type(info).__name__.removesuffix("Type").lower())


def _bare(info: inspect.Type) -> inspect.Type:
    """`info` without its annotations and without `| None`."""
    if isinstance(info, inspect.Metadata):
        return _bare(info.type)
    if isinstance(info, inspect.UnionType):
        some = [each for each in info.types if not isinstance(each, inspect.NoneType)]
        return _bare(some[0]) if len(some) == 1 else info
    return info


def _values(info: inspect.EnumType | inspect.LiteralType) -> list[str]:
    values = [member.value for member in info.cls] if isinstance(info, inspect.EnumType) else info.values
    return [str(value) for value in values]


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    bounds = (("above", info.gt), ("from", info.ge), ("below", info.lt), ("to", info.le))
    said = [f"{word} {limit:.12g}" for word, limit in bounds if limit is not None]
    return "".join(f" {each}" for each in said)


def _length(info: Any, what: str) -> str:
    least, most = info.min_length, info.max_length
    match bool(least), most is not None:
        case True, True:
            return f" of {least} to {most} {what}"
        case True, False:
            return f" of at least {least} {what}"
        case False, True:
            return f" of at most {most} {what}"
    return ""
