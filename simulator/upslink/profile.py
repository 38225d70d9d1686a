"""What makes the serial line of one UPS-Link unit differ from another's: codes, lists, permitted values."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

ALL_LOCALES = "4"
"""The locale letter of values that every unit may have (ups-link.md section 11)."""
COUNT_ZERO = 48


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One firmware's UPS-Link (ups-link.md sections 10 to 13, 16.1 and 20).

    `commands`: the characters it answers, in the order of its `a`; `unlisted`: those it answers besides.
    `alerts`: the alert characters it sends. `protocol`: the digit before the first dot of `a`, None for a unit
    that has no `a`. `capability`: its `^Z`, empty if it has none. `old`: no EEPROM; `*` in place of `OK` to what
    cuts the output, which goes off at once, and `@` wakes it whether or not there is power.
    """

    old_code: str
    new_code: str | None
    commands: str
    alerts: str
    protocol: int | None = None
    unlisted: str = ""
    capability: str = ""
    old: bool = False

    @property
    def answered(self) -> frozenset[str]:
        return frozenset(self.commands + self.unlisted)

    @property
    def command_list(self) -> str | None:
        """The answer to `a`, without its end of line."""
        return None if self.protocol is None else f"{self.protocol}.{self.alerts}.{self.commands}"

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each setting among which `-` and `+` step: those of this unit's locale."""
        locale = (self.new_code or self.old_code)[-1]
        groups = capability_groups(self.capability)
        return MappingProxyType(
            {command: values for command, of, values in groups if of in (locale, ALL_LOCALES) and values}
        )


def capability_groups(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Command, locale and values of each group of a `^Z` (section 11)."""
    groups, at = [], 1
    while at < len(text):
        command, locale = text[at], text[at + 1]
        count, width = ord(text[at + 2]) - COUNT_ZERO, int(text[at + 3])
        start, at = at + 4, at + 4 + count * width
        groups.append((command, locale, tuple(text[place : place + width] for place in range(start, at, width))))
    return groups


CAPABILITY = (
    "#uD43132135138129uM43229234239224uA43110112114108uI43253264271280"
    "lD43103100097106lM43177172168182lA43090092081085lI43196188208204"
    "e44200155090oI43230240220225oD13115oJ13100oM13208s441HMLLq44202050710"
    "p443020180300600k4410TLNr443000060180300E443336168ON OFF"
)
"""A complete real one (section 11)."""

NEW = Profile(  # codes: section 13; the list: section 10's of firmware 21.3.I and what NUT read of one of 601.3.I
    old_code="FWI",
    new_code="653.18.I",
    protocol=3,
    alerts="!$%+?=#|",
    commands="\x01\x0e\x1a'+-89>@ABCDEFGKLMNOPQRSUVWXYZabcefgjklmnopqrsuxyz~\x7f",
    unlisted="/",  # NUT#757
    capability=CAPABILITY,
)
"""Third generation, as a Smart-UPS 1500 of about 2008."""

OLD = Profile(
    old_code="6TI",
    new_code=None,
    alerts="!$%+?=#*",
    commands="@79ABCDEFGKLMNOPQRSUVWXYZcefgjklmnopqrsuxz\x7f",  # section 16.1, 6T*; and DEL, which no list holds
    old=True,
)
"""First generation, as a Smart-UPS 600: no `a`, no `^Z`, no model, nothing that `-` could change."""
