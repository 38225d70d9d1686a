"""Settings as UPS-Link writes them, and what a new value asks of the unit (ups-link.md 5.3 and 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType

import msgspec

from drivers.ups import Settings
from simulator.orders import Order, Task

SENSITIVITY = {"H": "normal", "M": "reduced", "L": "low", "A": "auto"}
ALARM_DELAY = {"0": "5s", "T": "30s", "L": "low_battery", "N": "never"}
TEST_INTERVAL = {"336": "start_up_14d", "168": "start_up_7d", "ON ": "start_up", "OFF": "never"}
MAIN_GROUP = (0,)


class Setting(msgspec.Struct, frozen=True):
    """One character: its text from the settings, None if the unit has no such setting; and the order for a text."""

    read: Callable[[Settings], str | None]
    order: Callable[[str], Order]


def _number(task: Task, field: str, digits: int, factor: int = 1) -> Setting:
    return Setting(
        lambda settings: _digits(getattr(settings, field), digits, factor),
        lambda text: Order(task=task, value=int(text) * factor),
    )


def _delay(task: Task, field: str) -> Setting:
    def read(settings: Settings) -> str | None:
        return next((_digits(getattr(each, field), 3, 1) for each in settings.delays if each.index == 0), None)

    return Setting(read, lambda text: Order(task=task, groups=MAIN_GROUP, value=int(text)))


def _digits(value: int | None, digits: int, factor: int) -> str | None:
    return None if value is None else f"{value // factor:0{digits}}"


def _word(task: Task, field: str, words: Mapping[str, str]) -> Setting:
    texts = {word: text for text, word in words.items()}
    return Setting(
        lambda settings: texts.get(getattr(settings, field) or ""),
        lambda text: Order(task=task, value=words[text]),
    )


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "u": _number(Task.SET_TRANSFER_HIGH, "transfer_high_v", 3),
        "l": _number(Task.SET_TRANSFER_LOW, "transfer_low_v", 3),
        "o": _number(Task.SET_OUTPUT_VOLTAGE, "output_v", 3),
        "e": _number(Task.SET_MINIMUM_RETURN_CHARGE, "minimum_return_charge_pct", 2),
        "q": _number(Task.SET_LOW_BATTERY_RUNTIME, "low_battery_runtime_s", 2, 60),
        "p": _delay(Task.SET_TURN_OFF_DELAY, "turn_off_s"),
        "r": _delay(Task.SET_TURN_ON_DELAY, "turn_on_s"),
        "s": _word(Task.SET_SENSITIVITY, "sensitivity", SENSITIVITY),
        "k": _word(Task.SET_ALARM_DELAY, "alarm_delay", ALARM_DELAY),
        "E": _word(Task.SET_BATTERY_TEST_INTERVAL, "battery_test_interval", TEST_INTERVAL),
    }
)

CENTURY_TURNS_AT = 70


def date_text(day: date | None) -> str | None:
    """As units are read: month first."""
    return None if day is None else f"{day:%m/%d/%y}"


def date_of(text: str) -> date | None:
    """The date that a free text may be."""
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) == 2 for part in parts):
        return None
    month, day, year = (int(part) for part in parts)
    try:
        return date(year + (1900 if year >= CENTURY_TURNS_AT else 2000), month, day)
    except ValueError:
        return None
