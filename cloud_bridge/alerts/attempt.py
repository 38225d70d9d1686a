"""One rule that goes wrong stops no other: what it raised, as a value. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import TypeVar

import msgspec

from drivers.ups import clean_text

WHO_CHARS, WHY_CHARS = 100, 300
"""Most of a failure's texts: they hold names that people gave, and what was found in a status."""

T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True):
    """`who`: what failed, as an operator knows it. `why`: the error and where it arose, in one line."""

    who: str
    why: str


def attempt(who: str, decide: Callable[[], T]) -> T | Failure:
    """`decide`: pure, and its result whole: a generator would fail later, where it is read."""
    try:
        return decide()
    except Exception as error:  # noqa: BLE001  (whatever it is, it is this one's alone, and the caller tells it)
        said = f"{type(error).__name__}: {error}{_where(error)}"
        return Failure(who=clean_text(who, WHO_CHARS), why=clean_text(said, WHY_CHARS))


def attempt_all(who: str, decide: Callable[[], Iterable[T]]) -> list[T | Failure]:
    """Everything that `decide` finds, or nothing but its failure."""
    found = attempt(who, lambda: list(decide()))
    return [found] if isinstance(found, Failure) else [*found]


def _where(error: Exception) -> str:
    """The innermost line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
