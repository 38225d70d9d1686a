"""Which conditions a unit can be in: what begins each, what ends it, how long its end is held back.

An onset is told at once. Only an end is held: a condition that rises again within the hold has not ended.
Bits: apc-modbus.md section 7; severities stand in the catalogue (safety rule S20).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from drivers.ups import Flag

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


def _fault(
    name: str, flag: Flag, *more: Flag, kept_by: tuple[Flag, ...] = (), readings: tuple[str, ...] = ()
) -> Condition:
    return Condition(
        onset=name,
        clear=f"{name}_cleared",
        hold_s=FAULT_HOLD_S,
        flags=frozenset((flag, *more)),
        kept_by=frozenset(kept_by),
        readings=readings,
    )


FLAG_CONDITIONS: tuple[Condition, ...] = (
    # PowerSystemError_BF; units say an overload in one register, the other, or both (7.1 bit 21, 7.6 bit 0)
    _fault(
        "overload",
        Flag.OVERLOAD_STATE,
        Flag.OUTPUT_OVERLOAD,
        readings=("load_pct", "apparent_load_pct", "output_a"),
    ),
    _fault("output_short_circuit", Flag.OUTPUT_SHORT_CIRCUIT),
    _fault("output_overvoltage", Flag.OUTPUT_OVERVOLTAGE, readings=("output_v",)),
    _fault("transformer_dc_imbalance", Flag.TRANSFORMER_DC_IMBALANCE),
    _fault("overtemperature", Flag.OVERTEMPERATURE, readings=("battery_temp_c", "load_pct")),
    _fault("backfeed_relay_fault", Flag.BACKFEED_RELAY),
    _fault("avr_relay_fault", Flag.AVR_RELAY),
    _fault("pfc_input_relay_fault", Flag.PFC_INPUT_RELAY),
    _fault("output_relay_fault", Flag.OUTPUT_RELAY),
    _fault("bypass_relay_fault", Flag.BYPASS_RELAY),
    _fault("fan_fault", Flag.FAN),
    _fault("pfc_fault", Flag.PFC),
    _fault("dc_bus_overvoltage", Flag.DC_BUS_OVERVOLTAGE),
    _fault("inverter_fault", Flag.INVERTER),
    _fault("overcurrent", Flag.OVERCURRENT, readings=("load_pct", "output_a")),
    # GeneralError_BF
    _fault("site_wiring_fault", Flag.SITE_WIRING),
    _fault("eeprom_fault", Flag.EEPROM),
    _fault("ad_converter_fault", Flag.AD_CONVERTER),
    _fault("logic_power_fault", Flag.LOGIC_POWER_SUPPLY),
    _fault("internal_communication_fault", Flag.INTERNAL_COMMUNICATION),
    _fault("ui_button_fault", Flag.UI_BUTTON),
    _fault("emergency_power_off", Flag.EPO_ACTIVE),
    _fault("firmware_mismatch", Flag.FIRMWARE_MISMATCH),
    _fault("oscillator_fault", Flag.OSCILLATOR),
    _fault("measurement_mismatch", Flag.MEASUREMENT_MISMATCH),
    _fault("subsystem_fault", Flag.SUBSYSTEM),
    # BatterySystemError_BF
    _fault("battery_disconnected", Flag.BATTERY_DISCONNECTED),
    _fault("battery_overvoltage", Flag.BATTERY_OVERVOLTAGE, readings=("battery_v",)),
    _fault("replace_battery", Flag.REPLACE_BATTERY),
    _fault("battery_over_temperature", Flag.BATTERY_OVERTEMPERATURE, readings=("battery_temp_c",)),
    _fault("charger_fault", Flag.CHARGER, readings=("charge_pct", "battery_v")),
    _fault("battery_temperature_sensor_fault", Flag.BATTERY_TEMPERATURE_SENSOR),
    _fault("battery_soft_start_fault", Flag.BATTERY_SOFT_START),
    _fault(
        "battery_temperature_high",
        Flag.BATTERY_TEMPERATURE_WARNING,
        kept_by=(Flag.BATTERY_OVERTEMPERATURE,),
        readings=("battery_temp_c",),
    ),
    _fault("battery_fault", Flag.BATTERY_GENERAL),
    _fault("battery_communication_fault", Flag.BATTERY_COMMUNICATION),
    # Battery.LifeTimeStatus_BF: its first three bits exclude each other, and getting worse is no end (7.9)
    _fault(
        "battery_near_end_of_life",
        Flag.BATTERY_LIFE_NEAR_END,
        kept_by=(
            Flag.BATTERY_LIFE_NEAR_END_ACKNOWLEDGED,
            Flag.BATTERY_LIFE_EXCEEDED,
            Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED,
        ),
    ),
    _fault(
        "battery_life_exceeded",
        Flag.BATTERY_LIFE_EXCEEDED,
        kept_by=(Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED,),
    ),
    # Input.InputStatus_BF
    Condition(
        onset="avr_boost",
        clear="avr_boost_ended",
        hold_s=AVR_HOLD_S,
        flags=frozenset({Flag.AVR_BOOST}),
        readings=("input_v", "output_v"),
    ),
    Condition(
        onset="avr_trim",
        clear="avr_trim_ended",
        hold_s=AVR_HOLD_S,
        flags=frozenset({Flag.AVR_TRIM}),
        readings=("input_v", "output_v"),
    ),
)

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
