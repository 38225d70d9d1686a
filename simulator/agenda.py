"""What a simulated unit has to do at a known instant, by name."""

from __future__ import annotations

import math
from enum import StrEnum


class Item(StrEnum):
    """Everything a unit can have on its agenda; each at most once."""

    POWER_ON = "power_on"
    NOTCH_END = "notch_end"
    TRANSFER = "transfer"
    RETURN = "return"
    HIGH_EFFICIENCY = "high_efficiency"
    TEST_START = "test_start"
    TEST_END = "test_end"
    SCHEDULED_TEST = "scheduled_test"
    CALIBRATION_START = "calibration_start"
    SIMULATED_FAILURE_START = "simulated_failure_start"
    SIMULATED_FAILURE_END = "simulated_failure_end"
    OVERLOAD = "overload"
    PANEL_TEST_END = "panel_test_end"


class Agenda:
    """Named deadlines in simulated seconds."""

    def __init__(self) -> None:
        self._due: dict[Item, float] = {}

    def set(self, item: Item, at_s: float) -> None:
        self._due[item] = at_s

    def set_unless(self, item: Item, at_s: float) -> None:
        """Put it on the agenda if it is not there already."""
        self._due.setdefault(item, at_s)

    def clear(self, item: Item) -> None:
        self._due.pop(item, None)

    def has(self, item: Item) -> bool:
        return item in self._due

    def next_s(self) -> float:
        """The nearest deadline, infinity if there is none."""
        return min(self._due.values(), default=math.inf)

    def pop_due(self, now_s: float) -> Item | None:
        """Take the earliest item whose time has come off the agenda."""
        if not self._due:
            return None
        item = min(self._due, key=lambda each: self._due[each])
        if self._due[item] > now_s:
            return None
        del self._due[item]
        return item
