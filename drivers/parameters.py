"""The parameters of a driver's URL: one table that parses, documents and refuses."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence

import msgspec

from drivers.driver import Transport
from drivers.errors import BadUrl
from drivers.url import Url

Value = int | float | bool | str


class Parameter(msgspec.Struct, frozen=True):
    """`allowed` completes "must be ..."; `default` None depends on the transport, see `meaning`."""

    name: str
    allowed: str
    meaning: str
    read: Callable[[str], Value]
    default: Value | None = None
    only: Transport | None = None


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
        if not math.isfinite(number) or not low <= number <= high:
            raise ValueError(text)
        return number

    return read


def choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return read


def yes(text: str) -> bool:
    return choice("true", "false")(text) == "true"


def allowed_for(parameters: Sequence[Parameter], transport: Transport) -> tuple[Parameter, ...]:
    """Those that make sense on this transport."""
    return tuple(p for p in parameters if p.only in (None, transport))


def read_parameters(url: Url, parameters: Sequence[Parameter], transport: Transport) -> dict[str, Value | None]:
    """Every parameter's value, given or default. Raises BadUrl for an unknown one or a value that is not allowed."""
    known = {p.name: p for p in allowed_for(parameters, transport)}
    values: dict[str, Value | None] = {p.name: p.default for p in parameters}
    for name, text in url.parameters.items():
        parameter = known.get(name)
        if parameter is None:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadUrl(url.text, f"unknown parameter {name!r}; allowed: {', '.join(known)}{hint}")
        try:
            values[name] = parameter.read(text)
        except ValueError:
            raise BadUrl(url.text, f"{name}={text!r}: must be {parameter.allowed}") from None
    return values


def number(value: Value | None, otherwise: float) -> float:
    """A number that was given, else what holds otherwise."""
    return otherwise if value is None else float(value)
