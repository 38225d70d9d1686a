"""Which flags a unit shows: those of its state, and the injected ones (apc-modbus.md section 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from drivers.smartups.bits import FLAG_BITS
from drivers.ups import Cause, Flag, State
from simulator.agenda import Item
from simulator.mains import Bypass

if TYPE_CHECKING:
    from simulator.body import Body

_FAMILIES = {
    "general_error": Cause.GENERAL_ERROR,
    "power_system_error": Cause.POWER_SYSTEM_ERROR,
    "battery_system_error": Cause.BATTERY_SYSTEM_ERROR,
}
FAULT_CAUSES: Mapping[Flag, Cause] = MappingProxyType(
    {flag: cause for family, cause in _FAMILIES.items() for flag in FLAG_BITS[family].values()}
)
"""The faults proper, each with the cause that tells it (7.2); any sets "fault present" (7.1 bit 5)."""
NEAR_END_DAYS = 90
"""Lead time of the near-end notice of the panel."""
TEMPERATURE_WARNING_C, TEMPERATURE_CRITICAL_C = 50.0, 60.0
"""Our inference; a battery at 60 degrees is about to be ruined."""


def flags_of(unit: Body) -> frozenset[Flag]:
    """Every flag that is set now."""
    flags = {*unit.all_faults, *_input(unit), *_status(unit), *_battery(unit)}
    if unit.model.bypass:
        flags |= set(_bypass(unit))
    if unit.worst_load_pct > 100:
        flags |= {Flag.OUTPUT_OVERLOAD, Flag.OVERLOAD_STATE}
    if Flag.FAULT_STATE in flags or not FAULT_CAUSES.keys().isdisjoint(flags):
        flags.add(Flag.FAULT_PRESENT)
    if Flag.FAULT_PRESENT in flags or (_sounds_on_battery(unit, flags) and unit.outlets.any_on):
        flags.add(Flag.ALARM_MUTED if unit.muted else Flag.ALARM_SOUNDING)
    if unit.panel_test:
        flags.add(Flag.PANEL_TEST_RUNNING)
    return frozenset(flags)


def _sounds_on_battery(unit: Body, flags: set[Flag]) -> bool:
    """By its owner's alarm delay; delays of seconds are not waited for."""
    match unit.owner.settings.alarm_delay:
        case "never":
            return False
        case "low_battery":
            return Flag.SHUTDOWN_IMMINENT in flags
    return Flag.POWER_FAILURE in flags


def _input(unit: Body) -> Iterator[Flag]:
    yield from unit.verdict.flags
    if not unit.input_usable:
        yield Flag.INPUT_NOT_ACCEPTABLE
        yield Flag.POWER_FAILURE
    if unit.agenda.has(Item.RETURN):
        yield Flag.INPUT_PENDING_ACCEPTABLE
    elif unit.input_usable:
        yield Flag.INPUT_ACCEPTABLE


def _status(unit: Body) -> Iterator[Flag]:
    state = unit.state
    if unit.on_trial:
        yield Flag.TEST_IN_PROGRESS
    if unit.high_efficiency:
        yield Flag.HIGH_EFFICIENCY
    if state is State.OFF:
        if unit.outlets.coming_on:
            yield Flag.PENDING_OUTPUT_ON
        return
    starving = state is State.ON_BATTERY and not unit.input_usable
    if starving or unit.outlets.going_off:
        yield Flag.PENDING_OUTPUT_OFF
    if unit.outlets.going_off or (starving and unit.runtime_s <= unit.low_warning_s + 1e-3):
        yield Flag.SHUTDOWN_IMMINENT


def _battery(unit: Body) -> Iterator[Flag]:
    battery = unit.battery
    days_left = battery.model.life_days * (1 - battery.life_used)
    if days_left > NEAR_END_DAYS:
        yield Flag.BATTERY_LIFE_OK
    else:
        exceeded = days_left <= 0
        yield Flag.BATTERY_LIFE_EXCEEDED if exceeded else Flag.BATTERY_LIFE_NEAR_END
        if not unit.acknowledged:
            yield Flag.INFORMATIONAL_ALERT
        elif exceeded:
            yield Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED
        else:
            yield Flag.BATTERY_LIFE_NEAR_END_ACKNOWLEDGED
    if battery.temp_c >= TEMPERATURE_CRITICAL_C:
        yield Flag.BATTERY_OVERTEMPERATURE
    elif battery.temp_c >= TEMPERATURE_WARNING_C:
        yield Flag.BATTERY_TEMPERATURE_WARNING


def _bypass(unit: Body) -> Iterator[Flag]:
    if unit.bypass_usable:
        yield Flag.BYPASS_ACCEPTABLE
    elif unit.mains.voltage_v > (unit.owner.settings.transfer_high_v or 0):
        yield Flag.BYPASS_VOLTAGE_HIGH
    elif unit.mains.voltage_v < (unit.owner.settings.transfer_low_v or 0):
        yield Flag.BYPASS_VOLTAGE_LOW
    if unit.bypass is Bypass.COMMANDED:
        yield Flag.COMMANDED
    if unit.bypass is Bypass.FAULT:
        yield Flag.FAULT_STATE
    if unit.bypass is not None:
        yield Flag.BYPASS_POWERING_LOAD
    elif unit.state is State.ONLINE:
        yield Flag.INPUT_POWERING_LOAD
