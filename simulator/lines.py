"""Pieces of a control line and of its answer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from simulator.errors import ControlError

Reply = list[dict[str, Any]]  # Any: JSON


def done(**fields: object) -> Reply:
    """The answer of a line that was obeyed."""
    return [{"ok": True, **fields}]


def listing(lines: Sequence[dict[str, Any]], **fields: object) -> Reply:
    """An answer of several lines after its head."""
    return [{"ok": True, "lines": len(lines), **fields}, *lines]


def near(word: str, known: Iterable[str]) -> str:
    """`, did you mean ...?` if one of the known words is like this one, else nothing."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def number(text: str, what: str, low: float, high: float, units: Sequence[str] = ()) -> float:
    """A number with one of the units or none, between the limits."""
    bare = text
    for unit in units:
        if text.lower().endswith(unit.lower()):
            bare = text[: -len(unit)]
            break
    if not re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", bare):
        raise ControlError(f"{what}: expected a number, got {text[:40]!r}")
    value = float(bare)
    if not low <= value <= high:
        raise ControlError(f"{what}: {value:g} is not between {low:g} and {high:g}")
    return value
