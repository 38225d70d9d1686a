"""What a unit notices by itself: alerts (ups-link.md section 9), cause of transfer, extremes, age of a test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from drivers.ups import Cause, Flag, Settings, Snapshot, State, TestStatus
from simulator.upslink.registers import ABNORMAL, is_low, register_3

REPEAT_BATTERY_S = 30.0
REPEAT_REPLACE_S = 5 * 3600.0
EEPROM_S = 5.0
"""From a changed setting to its alert (12.1)."""
RESULT_S = 300.0
"""How long the result of a self-test can be read (5.5)."""

TRANSFERS: Mapping[Cause | None, str] = MappingProxyType(
    {
        Cause.HIGH_INPUT_VOLTAGE: "H",
        Cause.LOW_INPUT_VOLTAGE: "L",
        Cause.RAPID_INPUT_VOLTAGE_CHANGE: "R",
        Cause.HIGH_INPUT_FREQUENCY: "R",
        Cause.LOW_INPUT_FREQUENCY: "R",
        Cause.DISTORTED_INPUT: "T",
        Cause.AUTOMATIC_TEST: "S",
    }
)
"""Letters of `G` (5.4); for frequencies there is none, and the rate of change comes nearest."""


class Watch:
    """Looks at the unit from time to time; times are the unit's own seconds."""

    def __init__(self) -> None:
        self.transfer = "O"
        self.highest_v = self.lowest_v = 0.0
        self._state: State | None = None
        self._test = TestStatus.NONE
        self._test_ended_s = self._battery_told_s = self._replace_told_s = -math.inf
        self._on_battery = self._low = self._abnormal = False
        self._register_3 = 0
        self._eeprom_s: float | None = None

    def look(self, snapshot: Snapshot, settings: Settings, now_s: float) -> str:
        """The alert characters that are due."""
        self._remember(snapshot, now_s)
        alerts = "".join(
            (
                *self._battery(snapshot, is_low(snapshot, settings), now_s),
                *self._output(snapshot),
                *self._replace(snapshot, now_s),
                *self._eeprom(now_s),
            )
        )
        self._state = snapshot.state
        return alerts

    def changed_setting(self, now_s: float) -> None:
        self._eeprom_s = now_s + EEPROM_S

    def forget_extremes(self, snapshot: Snapshot, *, highest: bool) -> None:
        """Start anew from what there is now: each has been read (5.1)."""
        volts = snapshot.input_v or 0.0
        if highest:
            self.highest_v = volts
        else:
            self.lowest_v = volts

    def result_is_fresh(self, now_s: float) -> bool:
        return now_s - self._test_ended_s < RESULT_S

    def _remember(self, snapshot: Snapshot, now_s: float) -> None:
        volts = snapshot.input_v or 0.0
        if self._state is None:
            self.highest_v = self.lowest_v = volts
        self.highest_v, self.lowest_v = max(self.highest_v, volts), min(self.lowest_v, volts)
        if snapshot.state is State.ON_BATTERY:
            self.transfer = TRANSFERS.get(snapshot.cause, self.transfer)
        test = snapshot.self_test.status if snapshot.self_test else TestStatus.NONE
        if test is not self._test and test in (TestStatus.PASSED, TestStatus.FAILED):
            self._test_ended_s = now_s
        self._test = test

    def _battery(self, snapshot: Snapshot, low: bool, now_s: float) -> Iterator[str]:
        on_battery = snapshot.state is State.ON_BATTERY
        if on_battery and (not self._on_battery or (not low and now_s - self._battery_told_s >= REPEAT_BATTERY_S)):
            self._on_battery, self._battery_told_s = True, now_s
            yield "!"
        if self._on_battery and snapshot.state is State.ONLINE:
            self._on_battery = False
            yield "$"
        if low is not self._low:
            self._low = low
            yield "%" if low else "+"

    def _output(self, snapshot: Snapshot) -> Iterator[str]:
        """Turned off or on, and what is abnormal about it. A command that cuts was answered with `*` by itself."""
        off, was_off = snapshot.state is State.OFF, self._state is State.OFF
        if off and not was_off and self._state is not None and snapshot.cause is not Cause.PROTOCOL_COMMAND:
            yield "*"
        register, self._register_3 = self._register_3, register_3(snapshot) & ABNORMAL
        abnormal = Flag.OUTPUT_OVERLOAD in snapshot.flags or self._register_3 != 0
        worse = (abnormal and not self._abnormal) or self._register_3 & ~register
        if worse or (was_off and not off):
            yield "?"
        if self._abnormal and not abnormal:
            yield "="
        self._abnormal = abnormal

    def _replace(self, snapshot: Snapshot, now_s: float) -> Iterator[str]:
        if Flag.REPLACE_BATTERY not in snapshot.flags or snapshot.state is State.OFF:
            self._replace_told_s = -math.inf
        elif now_s - self._replace_told_s >= REPEAT_REPLACE_S:
            self._replace_told_s = now_s
            yield "#"

    def _eeprom(self, now_s: float) -> Iterator[str]:
        if self._eeprom_s is not None and now_s >= self._eeprom_s:
            self._eeprom_s = None
            yield "|"
