"""Injected faults and what they bring about."""

from __future__ import annotations

import pytest

from drivers.smartups.bits import FLAG_BITS
from drivers.ups import Cause, Flag
from simulator.history import Kind
from simulator.orders import Answer, Task

from .bench import BYPASS, OFF, ON_BATTERY, ONLINE, look, mains, states, status_word, tell, unit_of, wait


@pytest.mark.parametrize("flag", Flag)
def test_any_flag_can_be_injected_and_taken_away(flag: Flag) -> None:
    unit = unit_of()
    before = look(unit).flags
    unit.set_fault(flag, True)
    assert flag in look(unit).flags
    unit.set_fault(flag, False)
    assert (flag in look(unit).flags) is (flag in before)
    tell(unit, Task.REMOTE_ON)
    assert wait(unit, 400).state is ONLINE
    assert look(unit).flags == before


@pytest.mark.parametrize(
    ("flag", "cause"),
    [
        (Flag.FAN, Cause.POWER_SYSTEM_ERROR),
        (Flag.CHARGER, Cause.BATTERY_SYSTEM_ERROR),
        (Flag.SITE_WIRING, Cause.GENERAL_ERROR),
    ],
)
def test_a_fault_is_told_by_its_family_and_sets_fault_present(flag: Flag, cause: Cause) -> None:
    unit = unit_of()
    unit.set_fault(flag, True)
    seen = look(unit)
    assert (seen.state, seen.cause) == (ONLINE, cause)
    assert Flag.FAULT_PRESENT in seen.flags
    unit.set_fault(flag, False)
    seen = look(unit)
    assert seen.cause is Cause.ERROR_CLEARED
    assert Flag.FAULT_PRESENT not in seen.flags


def test_a_disconnected_battery_reads_as_it_did_on_a_real_unit() -> None:
    """apc-modbus.md 7.1: 0x2022."""
    unit = unit_of()
    unit.set_fault(Flag.BATTERY_DISCONNECTED, True)
    seen = look(unit)
    assert (status_word(seen), seen.runtime_s, seen.battery_v) == (0x2022, 0, 0)
    assert seen.efficiency_reason == "battery_disconnected"


def test_without_a_battery_the_load_falls_with_the_mains_and_returns_with_them() -> None:
    unit = unit_of()
    unit.set_fault(Flag.BATTERY_DISCONNECTED, True)
    mains(unit, 0)
    wait(unit, 10)
    mains(unit)
    wait(unit, 10)
    assert [(state, cause) for _, state, cause in states(unit)] == [
        ("off", Cause.BATTERY_SYSTEM_ERROR),
        ("online", Cause.AUTOMATIC_RESTART),
    ]


def test_a_battery_pulled_while_it_carries_the_load_drops_it() -> None:
    unit = unit_of()
    mains(unit, 0)
    wait(unit, 10)
    unit.set_fault(Flag.BATTERY_DISCONNECTED, True)
    seen = look(unit)
    assert (seen.state, seen.cause) == (OFF, Cause.BATTERY_SYSTEM_ERROR)


def test_emergency_power_off_is_at_once_and_stays_until_switched_on_again() -> None:
    unit = unit_of()
    unit.set_fault(Flag.EPO_ACTIVE, True)
    seen = look(unit)
    assert (seen.state, seen.cause) == (OFF, Cause.EPO_INTERFACE)
    tell(unit, Task.REMOTE_ON)
    assert wait(unit, 60).state is OFF
    unit.set_fault(Flag.EPO_ACTIVE, False)
    assert wait(unit, 1).state is ONLINE


def test_overload_is_flagged_on_line_and_sheds_the_load_on_battery_after_a_while() -> None:
    unit = unit_of(load_pct=110)
    seen = wait(unit, 3600)
    assert seen.state is ONLINE
    assert {Flag.OUTPUT_OVERLOAD, Flag.OVERLOAD_STATE, Flag.FAULT_PRESENT} <= seen.flags
    mains(unit, 0)
    assert wait(unit, 29).state is ON_BATTERY
    seen = wait(unit, 2)
    assert (seen.state, seen.cause) == (OFF, Cause.POWER_SYSTEM_ERROR)
    assert Flag.FAULT_STATE in seen.flags
    mains(unit)
    assert wait(unit, 60).state is OFF
    unit.set_load(50)
    assert tell(unit, Task.CLEAR_FAULTS) is Answer.TAKEN
    tell(unit, Task.REMOTE_ON)
    seen = wait(unit, 2)
    assert seen.state is ONLINE
    assert Flag.FAULT_STATE not in seen.flags


def test_a_heavier_overload_is_carried_for_less_time_and_a_load_taken_off_in_time_for_ever() -> None:
    unit = unit_of(load_pct=160)
    mains(unit, 0)
    assert wait(unit, 1).state is OFF
    unit = unit_of(load_pct=110)
    mains(unit, 0)
    wait(unit, 29)
    unit.set_load(90)
    assert wait(unit, 60).state is ON_BATTERY


def test_double_conversion_gives_an_overload_to_its_bypass_and_takes_it_back() -> None:
    unit = unit_of("SRT1000XLA", load_pct=110)
    seen = wait(unit, 31)
    assert (seen.state, seen.cause) == (BYPASS, Cause.POWER_SYSTEM_ERROR)
    assert Flag.COMMANDED not in seen.flags
    unit.set_load(50)
    seen = look(unit)
    assert (seen.state, seen.cause) == (ONLINE, Cause.ERROR_CLEARED)


def test_a_broken_inverter_sends_double_conversion_to_bypass_and_off_with_the_mains() -> None:
    unit = unit_of("SRT1000XLA")
    unit.set_fault(Flag.INVERTER, True)
    assert look(unit).state is BYPASS
    mains(unit, 0)
    assert wait(unit, 1).state is OFF


def test_without_its_regulator_a_unit_takes_only_what_needs_none() -> None:
    unit = unit_of()
    mains(unit, 100)
    assert wait(unit, 10).state is ONLINE
    unit.set_fault(Flag.AVR_RELAY, True)
    assert wait(unit, 1).state is ON_BATTERY


def test_a_supply_fault_makes_good_voltage_unacceptable() -> None:
    unit = unit_of()
    unit.set_fault(Flag.INPUT_NEUTRAL_MISSING, True)
    assert wait(unit, 1).cause is Cause.INPUT_NEUTRAL_NOT_CONNECTED
    unit.set_fault(Flag.INPUT_NEUTRAL_MISSING, False)
    assert wait(unit, 10).state is ONLINE


def test_a_broken_charger_leaves_the_battery_as_it_is() -> None:
    unit = unit_of(charge_pct=50)
    unit.set_fault(Flag.CHARGER, True)
    assert wait(unit, 3600).charge_pct == 50
    unit.set_fault(Flag.CHARGER, False)
    after = wait(unit, 3600).charge_pct
    assert after is not None
    assert after > 60


def test_age_is_told_first_as_near_then_as_over_and_can_be_acknowledged() -> None:
    unit = unit_of()
    seen = []
    for years in (1, 3.9, 4.1):
        unit.set_battery_age(years)
        flags = look(unit).flags
        seen.append(sum(1 << bit for bit, flag in FLAG_BITS["battery_lifetime"].items() if flag in flags))
        assert (Flag.INFORMATIONAL_ALERT in flags) is (years > 3.5)
    assert seen == [1, 2, 4]
    tell(unit, Task.ACKNOWLEDGE_BATTERY)
    flags = look(unit).flags
    assert Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED in flags
    assert Flag.INFORMATIONAL_ALERT not in flags


def test_a_hot_battery_is_warned_of_then_critical() -> None:
    unit = unit_of()
    unit.set_temperature(battery_c=55)
    assert Flag.BATTERY_TEMPERATURE_WARNING in look(unit).flags
    unit.set_temperature(battery_c=65)
    assert Flag.BATTERY_OVERTEMPERATURE in look(unit).flags
    assert not wait(unit, 4 * 3600).flags & {Flag.BATTERY_OVERTEMPERATURE, Flag.BATTERY_TEMPERATURE_WARNING}


def test_the_history_tells_each_flag_that_came_and_went() -> None:
    unit = unit_of()
    unit.set_fault(Flag.FAN, True)
    wait(unit, 1)
    unit.set_fault(Flag.FAN, False)
    told = [(c.name, c.old, c.new) for c in unit.history.since() if c.kind is Kind.FLAG and c.name == "fan"]
    assert told == [("fan", False, True), ("fan", True, False)]
