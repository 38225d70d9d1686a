"""What one unit understands: the reply to `a` or the list for its firmware code, and the values of ^Z.

Sources: ups-link.md sections 10, 11, 13, 16.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from drivers.upslink.characters import ALERTS, LINE_LIMIT, MODEL, PANEL, QUERIES, SHOWN

ENUMERATED = "ulsoeprqkE"
"""Settings that `-` moves to their next value (12.1)."""
ANY_LOCALE = "4"
GROUPS_LIMIT = 128
"""Most groups read of a capability string; the longest known has 22."""

_FULL = "@79ABCDEFGKLMNOPQRSUVWXYZcefgjklmnopqrsuxz"
_SMALL = "@79ABCEFGKLMNOPQRSUVWXYZcfg"
_CS_350 = f"@{MODEL}ABPQRSUYbdfgjmnx9"
_TWO_DIGITS = "@789ABCFGKLMNOPQRSUVWXYZ"
_VERY_OLD = f"CPLOfB{MODEL}nbV/Q"

BY_CODE: Mapping[str, str] = MappingProxyType(
    {
        **{x + y + z: _FULL for x in "678" for y in ("Q", "T") for z in ("D", "I")},
        "6JI": "@789ABCFGKLMNOPQSTUVWXYZfg",
        **dict.fromkeys(("7II", "8II", "9II", "9GI"), _SMALL),
        "8GI": _SMALL.replace("c", ""),
        "5.4.D": _CS_350,
        **dict.fromkeys(("0XI", "0XM"), f"{_FULL}8Tw/<>{SHOWN}^{PANEL}\x16"),
        **dict.fromkeys(("0ZI", "5UI", "5ZM"), f"{_FULL}/<>"),
    }
)
"""Firmware codes of units that do not answer `a`, and what they understand (16.1)."""

_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "0": "Matrix-UPS 3000",
        "5": "Matrix-UPS 5000",
        "6": "Smart-UPS 600",
        "7": "Smart-UPS 900",
        "8": "Smart-UPS 1250",
        "9": "Smart-UPS 2000",
    }
)
"""First character of those codes (13.1); on later units it does not tell the size."""

_TOLD = re.compile(r"[0-9]\.(?P<alerts>[^.]*)\.(?P<characters>[^.]+)(?:\.(?P<extension>.+))?", re.DOTALL)
_OUTPUT_FREQUENCY = re.compile("\x9f:.*\xd3", re.DOTALL)
"""A unit that has a word of its own for the input frequency says the output's to `F` (NUT#3327)."""


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """`characters`: those it understands. `values`: of each setting in the unit's own order, doubles kept.

    `old`: without `a`, so first or second generation (7.2). `output_hz`: `F` is the output's frequency.
    """

    characters: frozenset[str] = frozenset("Q")
    old: bool = True
    output_hz: bool = False
    values: Mapping[str, tuple[str, ...]] = MappingProxyType({})


def known(code: str) -> Abilities | None:
    """By firmware code, for units that are not to be asked `a`; two hex digits are a voltage in `b`'s place."""
    if code in BY_CODE:
        return Abilities(characters=frozenset(BY_CODE[code]) | {"Q"})
    if re.fullmatch("[0-9A-F]{2}", code):
        return Abilities(characters=frozenset(_TWO_DIGITS))
    return None


def model_of(code: str) -> str | None:
    """Of a code that has three characters and stands in the table."""
    return _MODELS.get(code[0]) if code in BY_CODE and len(code) == 3 else None


VERY_OLD = Abilities(characters=frozenset(_VERY_OLD))
"""For a unit whose code is unknown and that does not answer `a`."""


def told(reply: str) -> Abilities:
    """From the reply to `a`. Alerts that fell into it are no commands. Raises ValueError."""
    head, dot, rest = reply.partition(".")
    found = _TOLD.fullmatch(_without_alerts(head) + dot + rest)
    if found is None:
        raise ValueError("not VERSION.ALERTS.COMMANDS")
    return Abilities(
        characters=frozenset(_without_alerts(found["characters"])) | {"Q"},
        old=False,
        output_hz=_OUTPUT_FREQUENCY.search(found["extension"] or "") is not None,
    )


def _without_alerts(text: str) -> str:
    return "".join(char for char in text if char not in ALERTS)


def with_values(abilities: Abilities, reply: str, locale: str) -> Abilities:
    """The abilities and the reply to ^Z for this locale, the firmware code's last character. Raises ValueError."""
    return msgspec.structs.replace(abilities, values=choices(reply, locale))


def choices(reply: str, locale: str) -> Mapping[str, tuple[str, ...]]:
    """Values by setting. Counts that run past the end, counts under 0 and values of another form occur: such a
    group is left out (11). Raises ValueError for what is no capability string.
    """
    if not reply.startswith("#") or len(reply) > LINE_LIMIT:
        raise ValueError("not a capability string")
    found: dict[str, tuple[str, ...]] = {}
    rest = reply.replace("#", "")
    for _ in range(GROUPS_LIMIT):
        if len(rest) < 4:
            break
        char, group_locale = rest[0], rest[1]
        count, width = (max(0, ord(digit) - ord("0")) for digit in rest[2:4])
        values = tuple(rest[at : at + width] for at in range(4, 4 + count * width, max(1, width)))
        rest = rest[4 + count * width :]
        meant = char in ENUMERATED and group_locale in (ANY_LOCALE, locale)
        if meant and values and all(QUERIES[char].fits(value) for value in values):
            found[char] = values
    return MappingProxyType(found)
