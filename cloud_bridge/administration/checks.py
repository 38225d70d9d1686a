"""Whether single values can be what they are given for, and what would be right. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from cloud_bridge.administration.forms import ADDRESS_LENGTH, Form
from cloud_bridge.alerts.conditions import OUTAGE, condition_of, kind_of
from cloud_bridge.errors import Ambiguous, Mistake, NotThere, Wrong
from config.errors import SettingsError
from config.expectation import did_you_mean
from config.settings import decode
from config.text import one_line
from drivers.ups import CATALOGUE, READINGS

FormType = TypeVar("FormType", bound=Form)
Found = TypeVar("Found")

OPERATOR = "operator"
"""Who owns what no owner does, in what is shown; no owner bears that name."""

# RFC 5322's dot-atoms: nobody writes a quoted local part, and header injection needs one.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_LOCAL_LENGTH = 64
_SHOWN = 80


def filled(type_: type[FormType], fields: Mapping[str, object], before: FormType | None = None) -> FormType:
    """The form with these fields; of one that is changed, the others stay as they were `before`. Raises Wrong."""
    given = {**_plain(before), **fields} if before else fields
    try:
        return decode(_yaml(given), type_, "form")
    except SettingsError as error:
        raise Wrong(*(Mistake(each.path, each.message) for each in error.problems)) from None


def placed(place: str, find: Callable[[], Found]) -> Found:
    """What it finds. Raises Wrong, which names the place, where there is none or more than one."""
    try:
        return find()
    except (NotThere, Ambiguous) as error:
        raise Wrong(Mistake(place, str(error))) from None


def demand(mistakes: Iterable[Mistake]) -> None:
    """Raises Wrong if there are any."""
    if found := tuple(mistakes):
        raise Wrong(*found)


def name_mistakes(place: str, name: str) -> Iterator[Mistake]:
    if not name.isprintable() or name != name.strip() or "/" in name:
        yield Mistake(place, f"expected printable characters without / and blanks around, got {_got(name)}")


def owner_name_mistakes(place: str, name: str) -> Iterator[Mistake]:
    yield from name_mistakes(place, name)
    if name.casefold() == OPERATOR:
        yield Mistake(place, f"{OPERATOR} stands for whoever runs this cloud: choose another name")


def tag_mistakes(place: str, tags: Iterable[str]) -> Iterator[Mistake]:
    for index, tag in enumerate(tags):
        yield from name_mistakes(f"{place}[{index}]", tag)


def text_mistakes(place: str, text: str) -> Iterator[Mistake]:
    if not text.isprintable():
        yield Mistake(place, f"expected printable characters, got {_got(text)}")


def email_mistakes(place: str, address: str) -> Iterator[Mistake]:
    """Sane ones alone: ada@example.net. A mail header is made of it."""
    local, at, host = address.rpartition("@")
    labels = host.split(".")
    sane = (
        at
        and len(address) <= ADDRESS_LENGTH
        and len(local) <= _LOCAL_LENGTH
        and _LOCAL.match(local)
        and len(labels) > 1
        and all(map(_LABEL.match, labels))
        and not labels[-1].isdigit()
    )
    if not sane:
        yield Mistake(place, f"expected a mail address, as in ada@example.net, got {_got(address)}")


def time_zone_mistakes(place: str, name: str) -> Iterator[Mistake]:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        yield Mistake(place, f"expected a time zone's name, as in Europe/Berlin, got {_got(name)}")


def condition_mistakes(place: str, conditions: Iterable[str]) -> Iterator[Mistake]:
    """A condition, one of its stages, or one of several of its kind, as outlet_group_off:2."""
    for index, name in enumerate(conditions):
        known = CATALOGUE.get(kind_of(name))
        if known and known.clears:
            yield Mistake(f"{place}[{index}]", f"{name} is an end, of {condition_of(name)}: name that")
        elif not known and kind_of(name) != OUTAGE:
            near = did_you_mean(name, (OUTAGE, *CATALOGUE))
            yield Mistake(f"{place}[{index}]", f"no condition {_got(name)}{near}; docs/conditions.md names all")


def reading_mistakes(place: str, name: str) -> Iterator[Mistake]:
    names = [reading.name for reading in READINGS]
    if name not in names:
        known = did_you_mean(name, names) or f"; expected one of {', '.join(names)}"
        yield Mistake(place, f"no reading {_got(name)}{known}")


def finite_mistakes(**numbers: float | None) -> Iterator[Mistake]:
    for place, number in numbers.items():
        if number is not None and not math.isfinite(number):
            yield Mistake(place, f"expected a number, got {number}")


def _got(text: str) -> str:
    return repr(one_line(text, _SHOWN))


def _plain(form: Form) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(form)
    return plain


def _yaml(fields: Mapping[str, object]) -> str:
    """JSON is YAML but for what only YAML refuses, so all that is not plain ASCII is escaped, YAML's way."""
    text = json.dumps(dict(fields), ensure_ascii=False, default=_text_of)
    return re.sub(r"[^\x20-\x7e]", lambda found: f"\\U{ord(found[0]):08x}", text)


def _text_of(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)
