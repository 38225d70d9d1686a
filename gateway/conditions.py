"""Which conditions a unit can be in: what begins each, what ends it, how long its end is held back.

An onset is told at once. Only an end is held: a condition that rises again within the hold has not ended.
Bits: apc-modbus.md section 7; severities stand in the catalogue (safety rule S20).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from drivers.ups import BEGUN_BY, CATALOGUE, KEPT_BY, Flag

FAULT_HOLD_S = 5.0
"""A fault bit that is gone for less is not over: some flicker while the unit looks at its parts."""
AVR_HOLD_S = 10.0
"""Mains at the edge of a boost or trim band step in and out of it."""
LOW_BATTERY_HOLD_S = 10.0
"""The runtime estimate jumps with every change of load; it has to stay above the limit."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that begins and ends. `onset` and `clear` are event types; `onset` names the condition too.

    Any of `flags` begins it, `kept_by` keep it from ending but don't begin it. `readings` go with the onset.
    """

    onset: str
    clear: str
    hold_s: float = 0.0
    flags: frozenset[Flag] = frozenset()
    kept_by: frozenset[Flag] = frozenset()
    readings: tuple[str, ...] = ()


_ON_BATTERY_READINGS = ("charge_pct", "runtime_s", "load_pct", "input_v")

# The unit qualifies the mains before it transfers back, so the end of these needs no hold of ours.
ON_BATTERY = Condition(onset="on_battery", clear="mains_restored", readings=_ON_BATTERY_READINGS)
OUTPUT_OFF = Condition(onset="output_off", clear="output_on", readings=("charge_pct", "input_v"))
BYPASS = Condition(onset="bypass", clear="bypass_ended", readings=("load_pct", "bypass_v"))
SHUTDOWN_IMMINENT = Condition(
    onset="shutdown_imminent", clear="shutdown_cancelled", readings=("charge_pct", "runtime_s")
)
LOW_BATTERY = Condition(
    onset="low_battery", clear="low_battery_cleared", hold_s=LOW_BATTERY_HOLD_S, readings=_ON_BATTERY_READINGS
)
OUTLET_GROUP_OFF = Condition(onset="outlet_group_off", clear="outlet_group_on")

STATE_CONDITIONS: tuple[Condition, ...] = (
    ON_BATTERY,
    OUTPUT_OFF,
    BYPASS,
    SHUTDOWN_IMMINENT,
    LOW_BATTERY,
    OUTLET_GROUP_OFF,
)
"""Those that more than a flag decides: gateway/power.py, gateway/outlets.py."""


_FLAG_READINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "overload": ("load_pct", "apparent_load_pct", "output_a"),
        "output_overvoltage": ("output_v",),
        "overtemperature": ("battery_temp_c", "load_pct"),
        "overcurrent": ("load_pct", "output_a"),
        "battery_overvoltage": ("battery_v",),
        "battery_over_temperature": ("battery_temp_c",),
        "charger_fault": ("charge_pct", "battery_v"),
        "battery_temperature_high": ("battery_temp_c",),
        "avr_boost": ("input_v", "output_v"),
        "avr_trim": ("input_v", "output_v"),
    }
)
_HOLDS_S: Mapping[str, float] = MappingProxyType({"avr_boost": AVR_HOLD_S, "avr_trim": AVR_HOLD_S})
_CLEARS: Mapping[str, str] = MappingProxyType({kind.clears: kind.name for kind in CATALOGUE.values() if kind.clears})


def _of_flags(onset: str) -> Condition:
    return Condition(
        onset=onset,
        clear=_CLEARS[onset],
        hold_s=_HOLDS_S.get(onset, FAULT_HOLD_S),
        flags=BEGUN_BY[onset],
        kept_by=KEPT_BY.get(onset, frozenset()),
        readings=_FLAG_READINGS.get(onset, ()),
    )


FLAG_CONDITIONS: tuple[Condition, ...] = tuple(map(_of_flags, BEGUN_BY))
"""Which flags: drivers/faults.py."""

EVIDENCE: tuple[Flag, ...] = (
    Flag.TEST_IN_PROGRESS,
    Flag.INPUT_NOT_ACCEPTABLE,
    Flag.INPUT_NOT_ACCEPTABLE_AT_INPUT,
    Flag.INPUT_ACCEPTABLE,
    Flag.POWER_FAILURE,
    Flag.PENDING_OUTPUT_OFF,
    Flag.SHUTDOWN_IMMINENT,
    Flag.COMMANDED,
)
"""Flags that make no event by themselves: with others they decide STATE_CONDITIONS (S18, S19)."""

NO_EVENT: Mapping[str, tuple[Flag, ...]] = MappingProxyType(
    {
        "efficiency mode flips after every transfer (S20)": (Flag.HIGH_EFFICIENCY,),
        "status bit 5 can stay latched after its fault is over; the error bits say which fault (S20)": (
            Flag.FAULT_PRESENT,
        ),
        "a sum of other bits, each of which is told by itself": (
            Flag.INFORMATIONAL_ALERT,
            Flag.FAULT_STATE,
            Flag.FAULT_RECOVERY,
            Flag.BAD_MAINS_STATE,
        ),
        "follows output_off; the return itself is told": (Flag.PENDING_OUTPUT_ON,),
        "what a person does at the panel (S20)": (
            Flag.PANEL_TEST_RUNNING,
            Flag.ALARM_SOUNDING,
            Flag.ALARM_MUTED,
            Flag.BUTTON_PRESSED,
        ),
        "all is well": (Flag.BATTERY_LIFE_OK, Flag.INPUT_POWERING_LOAD, Flag.BYPASS_POWERING_LOAD),
        "somebody has seen it: keeps a condition from ending, begins none": (
            Flag.BATTERY_LIFE_NEAR_END_ACKNOWLEDGED,
            Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED,
        ),
        "why the input is not accepted: the transfer is told with its cause, these stand in the status": (
            Flag.INPUT_PENDING_ACCEPTABLE,
            Flag.INPUT_VOLTAGE_LOW,
            Flag.INPUT_VOLTAGE_HIGH,
            Flag.INPUT_DISTORTED,
            Flag.INPUT_FREQUENCY_LOW,
            Flag.INPUT_FREQUENCY_HIGH,
            Flag.INPUT_NOT_LOCKED,
            Flag.INPUT_PHASE_DELTA,
            Flag.INPUT_NEUTRAL_MISSING,
            Flag.INPUT_PLUG_RATING_EXCEEDED,
            Flag.INPUT_PHASE_B,
        ),
        "whether bypass would be possible: matters to a command, stands in the status": (
            Flag.BYPASS_ACCEPTABLE,
            Flag.BYPASS_PENDING_ACCEPTABLE,
            Flag.BYPASS_VOLTAGE_LOW,
            Flag.BYPASS_VOLTAGE_HIGH,
            Flag.BYPASS_DISTORTED,
            Flag.BYPASS_FREQUENCY_LOW,
            Flag.BYPASS_FREQUENCY_HIGH,
            Flag.BYPASS_NOT_LOCKED,
            Flag.BYPASS_PHASE_DELTA,
            Flag.BYPASS_NEUTRAL_MISSING,
        ),
    }
)
"""Flags that never begin an event, by the reason for it."""
