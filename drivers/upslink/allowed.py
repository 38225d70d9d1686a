"""The allow-list of characters that can ever be sent (S2). It is asked at the last moment before bytes leave, and
shares nothing with the planning of commands but the tables of facts.

Never: `1` and what else opens the programming mode; `z`, `R`, `^`, `+`; a digit that no `@` leads (ups-link.md 7.4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from drivers.errors import NotAllowed
from drivers.upslink.abilities import ENUMERATED
from drivers.upslink.characters import ENTER, QUERIES
from drivers.upslink.writes import Doubled, Press, Rotate, Text, Wake, Write

BEEP, SELF_TEST, CALIBRATION, FAILURE = "A", "W", "D", "U"
SOFT_OFF, CANCEL = "S", "\x7f"
OFF_AFTER_DELAY, OFF_NOW, ON = "K", "Z", "\x0e"

PRESSED = frozenset({BEEP, SELF_TEST, CALIBRATION, FAILURE, SOFT_OFF, CANCEL})
DOUBLED = frozenset({OFF_AFTER_DELAY, OFF_NOW, ON})
TEXTS: Mapping[str, str] = MappingProxyType({"c": "[A-Za-z0-9_/ -]{8}", "x": "[0-9]{2}/[0-9]{2}/[0-9]{2}"})
"""Texts that can be replaced, and what may be written there: no alert characters, which readers would lose (19.4)."""
STEPS_LIMIT = 999


def permit_question(char: str) -> None:
    """Raises NotAllowed unless this character only asks."""
    if char != ENTER and char not in QUERIES:
        raise NotAllowed(f"{char!r} is not on the list of characters that may be asked")


def permit(write: Write, last_asked: str) -> None:
    """Raises NotAllowed unless this very command is on the list. `-` changes what was asked last (12.1)."""
    allowed = False
    match write:
        case Press(char):
            allowed = char in PRESSED
        case Doubled(char):
            allowed = char in DOUBLED
        case Wake(steps):
            allowed = 0 <= steps <= STEPS_LIMIT
        case Rotate(setting):
            allowed = setting in ENUMERATED and setting == last_asked
        case Text(setting, text):
            allowed = (
                setting in TEXTS and setting == last_asked and re.fullmatch(TEXTS[setting], text, re.ASCII) is not None
            )
    if not allowed:
        raise NotAllowed(f"{write} is not on the allow-list")
