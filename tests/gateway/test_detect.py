"""Literal scenarios from apc-modbus.md 7.1 ("Values seen live") and 8.5 ("Behaviour in time")."""

from __future__ import annotations

import pytest

from drivers.ups import Cause, Flag, OutletGroup, Severity, TestSource, TestStatus
from drivers.ups import TestResult as Result
from gateway.detect import Limits
from tests.gateway.watched_unit import ACCEPTABLE, OFF, ON_BATTERY, ONLINE, WatchedUnit, moment, outlets

PROTOCOL = TestSource.PROTOCOL
PASSED = Result(status=TestStatus.PASSED, source=PROTOCOL)  # 0x0044


@pytest.fixture
def unit() -> WatchedUnit:
    """One that has been watched for a while: online, HE, acceptable input."""
    watched = WatchedUnit()
    watched.reads(0, 0x2002, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE)
    return watched


def test_an_outage_is_told_when_the_unit_transfers_and_when_it_returns(unit: WatchedUnit) -> None:
    assert unit.reads(1, 0x0244, Cause.RAPID_INPUT_VOLTAGE_CHANGE, signals=1, input_v=0.0) == ["on_battery"]
    assert unit.reads(30, 0x0244, Cause.RAPID_INPUT_VOLTAGE_CHANGE, signals=1, input_v=229.5) == []
    assert unit.reads(32, 0x0002, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE) == ["mains_restored"]
    assert unit.reads(332, 0x2002, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE) == []
    onset, end = unit.events
    assert (onset.at, onset.after, onset.found_afterwards) == (moment(1), moment(0), False)
    assert onset.details == {"cause": "rapid_input_voltage_change", "input_v": 0.0}
    assert (end.at, end.after) == (moment(32), moment(30))
    assert end.details == {"lasted_s": 31, "cause": "acceptable_input"}


def test_details_are_left_out_where_they_are_older_than_the_state(unit: WatchedUnit) -> None:
    unit.reads(5, ONLINE, charge_pct=99.96, runtime_s=1800, load_pct=20.04, input_v=230.0)
    unit.glances(5.003, ON_BATTERY, Cause.HIGH_INPUT_VOLTAGE)
    assert unit.events[-1].details == {"cause": "high_input_voltage"}


def test_details_are_rounded_to_the_digits_that_are_shown(unit: WatchedUnit) -> None:
    unit.reads(6, ON_BATTERY, charge_pct=99.96, runtime_s=1800, load_pct=20.04)
    assert unit.events[-1].details == {"charge_pct": 100.0, "runtime_s": 1800, "load_pct": 20.0}


def test_what_is_wrong_at_first_contact_is_told_once_as_found_afterwards() -> None:
    unit = WatchedUnit()
    battery_gone = frozenset({Flag.BATTERY_DISCONNECTED})
    assert unit.reads(0, 0x2022, Cause.ACCEPTABLE_INPUT, flags=battery_gone) == ["battery_disconnected"]
    assert (unit.events[0].found_afterwards, unit.events[0].after) == (True, None)
    assert unit.reads(5, 0x2022, Cause.ACCEPTABLE_INPUT, flags=battery_gone) == []


@pytest.mark.parametrize("word", [0x2002, 0x0002])
def test_what_is_well_at_first_contact_is_not_told(word: int) -> None:
    unit = WatchedUnit()
    unit.reads(0, word, Cause.SYSTEM_INITIALISATION, flags=ACCEPTABLE | {Flag.BATTERY_LIFE_OK}, self_test=PASSED)
    assert unit.told == []


def test_the_slow_parts_of_first_contact_are_found_afterwards_though_a_fast_reading_came_first() -> None:
    unit = WatchedUnit()
    unit.glances(0, ONLINE)
    unit.reads(1, ONLINE, flags=frozenset({Flag.FAN}))
    assert [(event.type, event.found_afterwards) for event in unit.events] == [("fan_fault", True)]


def test_a_transfer_while_the_gateway_was_down_is_found_afterwards(unit: WatchedUnit) -> None:
    unit.restarts()
    assert unit.reads(600, ON_BATTERY, Cause.LOW_INPUT_VOLTAGE) == ["on_battery"]
    assert (unit.events[0].found_afterwards, unit.events[0].after) == (True, moment(0))
    assert unit.reads(602, ONLINE, Cause.ACCEPTABLE_INPUT) == ["mains_restored"]
    assert unit.events[1].found_afterwards is False


def test_an_end_while_the_gateway_was_down_is_found_afterwards_though_it_is_held(unit: WatchedUnit) -> None:
    unit.reads(5, ONLINE, flags=frozenset({Flag.FAN}))
    unit.restarts()
    assert unit.reads(100, ONLINE) == []
    assert unit.reads(105, ONLINE) == ["fan_fault_cleared"]
    assert (unit.events[-1].found_afterwards, unit.events[-1].after) == (True, moment(5))


def test_a_state_that_a_fast_reading_showed_happened_after_the_last_fast_reading(unit: WatchedUnit) -> None:
    unit.glances(1, ONLINE)
    unit.glances(2, ON_BATTERY, Cause.LOW_INPUT_VOLTAGE)
    unit.glances(3, OFF, Cause.LOW_BATTERY_VOLTAGE)
    unit.glances(4, 0x0008, Cause.SYSTEM_INITIALISATION)
    assert [(event.type, event.after) for event in unit.events] == [
        ("on_battery", moment(1)),
        ("output_off", moment(2)),
        ("unit_restarted", moment(3)),
        ("mains_restored", moment(3)),
        ("output_on", moment(3)),
        ("bypass", moment(3)),
    ]


def test_a_fault_that_a_full_reading_showed_happened_after_the_last_full_one(unit: WatchedUnit) -> None:
    unit.glances(3, ONLINE)
    unit.glances(4, ONLINE)
    unit.reads(5, ONLINE, flags=frozenset({Flag.FAN}))
    unit.glances(6, ONLINE)
    unit.reads(7, ONLINE, flags=frozenset({Flag.FAN, Flag.CHARGER}))
    assert [(event.type, event.after) for event in unit.events] == [
        ("fan_fault", moment(0)),
        ("charger_fault", moment(5)),
    ]


def test_after_a_restart_each_part_is_found_afterwards_until_it_has_been_looked_at(unit: WatchedUnit) -> None:
    unit.restarts()
    unit.glances(60, ONLINE)
    unit.glances(61, ON_BATTERY)
    unit.reads(62, ON_BATTERY, flags=frozenset({Flag.FAN}))
    unit.reads(63, ON_BATTERY, flags=frozenset({Flag.FAN, Flag.CHARGER}))
    unit.glances(64, ON_BATTERY)
    unit.reads(65, ON_BATTERY, flags=frozenset({Flag.FAN, Flag.CHARGER, Flag.INVERTER}))
    assert [(event.type, event.found_afterwards) for event in unit.events] == [
        ("on_battery", False),
        ("fan_fault", True),
        ("charger_fault", False),
        ("inverter_fault", False),
    ]


def test_a_fault_that_returns_within_the_hold_is_not_a_new_one(unit: WatchedUnit) -> None:
    fan = frozenset({Flag.FAN})
    assert unit.reads(1, ONLINE, flags=fan) == ["fan_fault"]
    assert unit.reads(2, ONLINE) == []
    assert unit.reads(3, ONLINE, flags=fan) == []
    assert unit.reads(7, ONLINE) == []
    assert unit.reads(12, ONLINE) == ["fan_fault_cleared"]


def test_a_fault_ends_only_by_a_reading_that_looked_at_its_register(unit: WatchedUnit) -> None:
    unit.reads(1, ONLINE, flags=frozenset({Flag.OVERLOAD_STATE}))
    for second in range(2, 60):
        assert unit.glances(second, ONLINE) == []
    assert unit.reads(60, ONLINE) == []
    assert unit.glances(66, ONLINE) == []
    assert unit.reads(67, ONLINE) == ["overload_cleared"]


def test_both_sources_of_an_overload_are_one_condition(unit: WatchedUnit) -> None:
    assert unit.reads(1, ONLINE | 1 << 21, load_pct=120.0) == ["overload"]
    assert unit.events[-1].details == {"load_pct": 120.0}
    assert unit.reads(2, ONLINE | 1 << 21, flags=frozenset({Flag.OUTPUT_OVERLOAD})) == []
    assert unit.reads(30, ONLINE, flags=frozenset({Flag.OUTPUT_OVERLOAD})) == []
    unit.reads(31, ONLINE)
    assert unit.reads(36, ONLINE) == ["overload_cleared"]


def test_a_battery_that_gets_older_still_has_not_left_the_end_of_its_life(unit: WatchedUnit) -> None:
    near, over = Flag.BATTERY_LIFE_NEAR_END, Flag.BATTERY_LIFE_EXCEEDED
    assert unit.reads(1, ONLINE, flags=frozenset({near})) == ["battery_near_end_of_life"]
    assert unit.reads(2, ONLINE, flags=frozenset({Flag.BATTERY_LIFE_NEAR_END_ACKNOWLEDGED})) == []
    assert unit.reads(99, ONLINE, flags=frozenset({over})) == ["battery_life_exceeded"]
    unit.reads(200, ONLINE, flags=frozenset({Flag.BATTERY_LIFE_OK}))
    ended = unit.reads(206, ONLINE, flags=frozenset({Flag.BATTERY_LIFE_OK}))
    assert ended == ["battery_near_end_of_life_cleared", "battery_life_exceeded_cleared"]


# S18: low battery and shutdown


def test_s18_bit_1_on_battery_without_a_countdown_is_low_battery(unit: WatchedUnit) -> None:
    unit.reads(1, ON_BATTERY, signals=1, runtime_s=900)
    assert unit.reads(100, ON_BATTERY, signals=3, runtime_s=700) == ["low_battery"]
    assert unit.events[-1].severity is Severity.CRITICAL


def test_s18_bit_1_with_a_turn_off_countdown_is_a_shutdown_and_no_low_battery(unit: WatchedUnit) -> None:
    unit.reads(1, ON_BATTERY, signals=1, runtime_s=900)
    main = OutletGroup(index=0, on=True, turn_off_s=60)
    assert unit.reads(3, ON_BATTERY, signals=3, runtime_s=900, main_outlet=main) == ["shutdown_imminent"]
    assert unit.events[-1].details == {"turn_off_s": 60, "runtime_s": 900}


def test_s18_a_load_shed_countdown_beside_a_main_group_does_not_hide_a_low_battery(unit: WatchedUnit) -> None:
    shed = OutletGroup(index=1, on=True, turn_off_s=90)
    main = OutletGroup(index=0, on=True)
    told = unit.reads(1, ON_BATTERY, signals=3, main_outlet=main, switched_outlets=(shed,))
    assert told == ["on_battery", "low_battery"]


def test_s18_without_a_main_group_a_switched_ones_countdown_counts(unit: WatchedUnit) -> None:
    told = unit.reads(1, ON_BATTERY, signals=3, switched_outlets=(OutletGroup(index=1, on=True, turn_off_s=90),))
    assert told == ["on_battery", "shutdown_imminent"]


def test_s18_the_first_countdown_to_end_is_the_one_that_is_told(unit: WatchedUnit) -> None:
    groups = (OutletGroup(index=1, on=True, turn_off_s=90), OutletGroup(index=2, on=True, turn_off_s=30))
    unit.reads(1, ON_BATTERY, signals=3, switched_outlets=groups)
    assert unit.events[-1].details == {"turn_off_s": 30}


def test_s18_an_expired_countdown_of_zero_is_not_running(unit: WatchedUnit) -> None:
    told = unit.reads(1, ON_BATTERY, signals=3, main_outlet=OutletGroup(index=0, on=True, turn_off_s=0))
    assert told == ["on_battery", "low_battery"]


@pytest.mark.parametrize(("runtime_s", "low"), [(301, False), (300, True), (0, True)])
def test_s18_runtime_at_or_under_the_owners_limit_is_low_battery(unit: WatchedUnit, runtime_s: int, low: bool) -> None:
    unit.reads(1, ON_BATTERY, runtime_s=runtime_s)
    assert ("low_battery" in unit.told) is low


def test_s18_the_owner_sets_the_limit() -> None:
    unit = WatchedUnit(Limits(low_battery_runtime_s=600))
    assert unit.reads(1, ON_BATTERY, runtime_s=600) == ["on_battery", "low_battery"]


def test_a_short_runtime_on_mains_is_no_low_battery(unit: WatchedUnit) -> None:
    assert unit.reads(1, ONLINE, runtime_s=60, flags=ACCEPTABLE) == []


def test_a_runtime_that_hovers_at_the_limit_is_one_low_battery(unit: WatchedUnit) -> None:
    for second, runtime_s in enumerate((320, 300, 310, 299, 305, 300, 310)):
        unit.reads(1 + second, ON_BATTERY, runtime_s=runtime_s)
    assert unit.told == ["on_battery", "low_battery"]
    unit.reads(20, ON_BATTERY, runtime_s=400)
    assert unit.told[-1] == "low_battery_cleared"


def test_low_battery_ends_some_seconds_after_the_mains_return(unit: WatchedUnit) -> None:
    unit.reads(1, ON_BATTERY, signals=3)
    assert unit.reads(2, ONLINE) == ["mains_restored"]
    assert unit.reads(12, ONLINE) == ["low_battery_cleared"]


def test_an_old_register_18_says_nothing_about_a_new_state(unit: WatchedUnit) -> None:
    unit.reads(1, ON_BATTERY, signals=3, runtime_s=900)
    assert unit.told == ["on_battery", "low_battery"]
    assert unit.glances(2, ONLINE, Cause.ACCEPTABLE_INPUT) == ["mains_restored"]
    assert unit.reads(3, ONLINE, Cause.ACCEPTABLE_INPUT, runtime_s=900) == []


def test_an_old_register_18_of_a_shutdown_on_mains_is_no_low_battery(unit: WatchedUnit) -> None:
    main = OutletGroup(index=0, on=True, turn_off_s=50)
    assert unit.reads(1, 0x2202, signals=2, main_outlet=main) == ["shutdown_imminent"]
    assert unit.glances(2, ON_BATTERY) == ["on_battery"]
    assert unit.reads(3, ON_BATTERY, signals=3, main_outlet=main) == []


# Shutdown, off, return


def test_a_shutdown_requested_on_mains_is_announced_then_commanded_then_undone(unit: WatchedUnit) -> None:
    both, none = outlets(g1=True, g2=True), outlets(g1=False, g2=False)
    unit.reads(1, 0x2002, Cause.ACCEPTABLE_INPUT, switched_outlets=both)
    assert unit.reads(10, 0x2202, Cause.ACCEPTABLE_INPUT, switched_outlets=both) == ["shutdown_imminent"]
    off = unit.reads(70, 0x0110, Cause.ACCEPTABLE_INPUT, switched_outlets=none)
    assert off == ["output_off_commanded", "shutdown_cancelled"]
    assert unit.events[-1].details == {"lasted_s": 60, "state": "off"}
    assert unit.reads(85, 0x0002, Cause.AUTOMATIC_RESTART, switched_outlets=none) == ["output_on"]
    assert unit.reads(100, 0x0002, Cause.AUTOMATIC_RESTART, switched_outlets=both) == []


def test_a_shutdown_requested_on_battery_stays_off_until_the_mains_are_back(unit: WatchedUnit) -> None:
    unit.reads(1, 0x0244, Cause.LOW_INPUT_VOLTAGE, signals=1, runtime_s=900)
    counting = OutletGroup(index=0, on=True, turn_off_s=59)
    told = unit.reads(10, 0x0244, Cause.LOW_INPUT_VOLTAGE, signals=3, runtime_s=900, main_outlet=counting)
    assert told == ["shutdown_imminent"]
    off = OutletGroup(index=0, on=False)
    assert unit.reads(70, 0x0150, Cause.LOW_INPUT_VOLTAGE, signals=1, main_outlet=off) == [
        "output_off_commanded",
        "shutdown_cancelled",
    ]
    assert unit.reads(300, 0x0150, Cause.LOW_INPUT_VOLTAGE, signals=1, main_outlet=off) == []
    on = OutletGroup(index=0, on=True)
    told = unit.reads(400, 0x0002, Cause.ACCEPTABLE_INPUT, main_outlet=on)
    assert told == ["mains_restored", "output_on"]


def test_a_cancelled_shutdown_is_told(unit: WatchedUnit) -> None:
    unit.glances(1, 0x2202)
    assert unit.reads(5, 0x2002, flags=ACCEPTABLE) == ["shutdown_cancelled"]
    assert unit.told == ["shutdown_imminent", "shutdown_cancelled"]


def test_an_empty_battery_switches_the_output_off_and_nobody_commanded_it(unit: WatchedUnit) -> None:
    unit.reads(1, 0x0244, Cause.LOW_INPUT_VOLTAGE, signals=1)
    unit.reads(99, 0x0244, Cause.LOW_INPUT_VOLTAGE, signals=3)
    assert unit.reads(200, 0x0150, Cause.LOW_BATTERY_VOLTAGE, signals=1) == ["output_off"]
    assert unit.events[-1].severity is Severity.CRITICAL


def test_a_low_battery_shutdown_is_not_commanded_though_a_countdown_ran(unit: WatchedUnit) -> None:
    unit.glances(1, 0x2202)
    assert unit.glances(20, 0x0150, Cause.LOW_BATTERY_VOLTAGE) == ["output_off", "shutdown_cancelled"]


@pytest.mark.parametrize("cause", [Cause.PROTOCOL_COMMAND, Cause.LOCAL_UI_COMMAND])
def test_an_output_switched_off_by_a_command_is_not_critical(unit: WatchedUnit, cause: Cause) -> None:
    assert unit.glances(1, OFF, cause) == ["output_off_commanded"]
    assert unit.glances(9, ONLINE, Cause.LOCAL_UI_COMMAND) == ["output_on"]


def test_an_output_that_goes_off_by_itself_is_critical(unit: WatchedUnit) -> None:
    assert unit.glances(1, OFF, Cause.POWER_SYSTEM_ERROR) == ["output_off"]
    assert unit.events[-1].details == {"cause": "power_system_error"}


# Bypass


def test_bypass_by_command_is_informational(unit: WatchedUnit) -> None:
    assert unit.reads(1, 0x0408, Cause.PROTOCOL_COMMAND) == ["bypass_commanded"]
    assert unit.reads(60, 0x0002, Cause.PROTOCOL_COMMAND) == ["bypass_ended"]


def test_bypass_that_a_person_requested_is_known_by_its_flag_alone(unit: WatchedUnit) -> None:
    assert unit.reads(1, 0x0408) == ["bypass_commanded"]


def test_bypass_by_itself_is_critical(unit: WatchedUnit) -> None:
    assert unit.reads(1, 0x0008, Cause.POWER_SYSTEM_ERROR) == ["bypass"]
    assert unit.events[-1].severity is Severity.CRITICAL


# S19: a test is an outage as soon as ...

RUNNING = Result(status=TestStatus.IN_PROGRESS, source=PROTOCOL)  # 0x0042


def test_s19_a_self_test_on_battery_is_no_outage(unit: WatchedUnit) -> None:
    unit.reads(1, 0x0002, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE, self_test=PASSED)
    assert unit.glances(10, 0x0084, Cause.PROTOCOL_COMMAND) == []
    running = unit.reads(11, 0x0084, Cause.PROTOCOL_COMMAND, flags=ACCEPTABLE, self_test=RUNNING)
    assert running == ["self_test_started"]
    assert unit.reads(28, 0x0084, Cause.PROTOCOL_COMMAND, flags=ACCEPTABLE, self_test=RUNNING) == []
    assert unit.reads(30, 0x0002, Cause.TEST_ENDED, flags=ACCEPTABLE, self_test=PASSED) == ["self_test_passed"]
    assert unit.reads(32, 0x0002, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE, self_test=PASSED) == []


def test_s19_a_test_that_only_its_cause_shows_is_no_outage(unit: WatchedUnit) -> None:
    assert unit.glances(1, 0x0004, Cause.AUTOMATIC_TEST) == ["self_test_started"]
    assert unit.glances(12, 0x0002, Cause.TEST_ENDED) == []


@pytest.mark.parametrize(
    ("word", "signals", "flags"),
    [
        (0x00C4, 0, ACCEPTABLE),
        (0x0084, 1, ACCEPTABLE),
        (0x0084, 0, ACCEPTABLE | {Flag.INPUT_NOT_ACCEPTABLE_AT_INPUT}),
        (0x0084, 0, frozenset()),
        (0x0084, 2, ACCEPTABLE),
    ],
    ids=["status bit 6", "power failure", "register 150 bit 12", "register 150 bit 0", "low battery"],
)
def test_s19_a_test_is_an_outage_once_the_input_or_the_battery_is_bad(
    unit: WatchedUnit, word: int, signals: int, flags: frozenset[Flag]
) -> None:
    unit.glances(1, 0x0084, Cause.AUTOMATIC_TEST)
    told = unit.reads(3, word, Cause.AUTOMATIC_TEST, signals=signals, flags=flags)
    assert told[0] == "on_battery"


def test_s19_status_bit_6_makes_an_outage_of_a_test_in_a_fast_reading_too(unit: WatchedUnit) -> None:
    unit.glances(1, 0x0084, Cause.AUTOMATIC_TEST)
    assert unit.glances(2, 0x00C4, Cause.AUTOMATIC_TEST) == ["on_battery"]
    assert unit.glances(3, 0x0084, Cause.AUTOMATIC_TEST) == []
    assert unit.glances(4, 0x0002, Cause.ACCEPTABLE_INPUT) == ["mains_restored"]


def test_s19_a_unit_that_never_reported_acceptable_input_is_not_blamed_for_its_absence() -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE)
    assert unit.reads(1, 0x0084, self_test=RUNNING) == ["self_test_started"]


@pytest.mark.parametrize(("lasts_s", "outage"), [(40, False), (41, True)])
def test_s19_a_test_over_40_seconds_is_an_outage(unit: WatchedUnit, lasts_s: int, outage: bool) -> None:
    unit.glances(10, 0x0084, Cause.AUTOMATIC_TEST)
    unit.glances(10 + lasts_s, 0x0084, Cause.AUTOMATIC_TEST)
    assert ("on_battery" in unit.told) is outage


def test_s19_the_40_seconds_count_from_when_the_test_went_to_battery(unit: WatchedUnit) -> None:
    unit.glances(1, 0x0082)
    unit.glances(100, 0x0084)
    assert unit.glances(140, 0x0084) == []
    assert unit.glances(141, 0x0084) == ["on_battery"]


def test_s19_power_that_fails_right_after_a_test_is_an_outage(unit: WatchedUnit) -> None:
    unit.glances(1, 0x0084, Cause.AUTOMATIC_TEST)
    assert unit.glances(12, 0x0244, Cause.LOW_INPUT_VOLTAGE) == ["on_battery"]


def test_a_test_that_ran_while_a_clock_was_set_back_is_counted_from_then(unit: WatchedUnit) -> None:
    unit.glances(3600, 0x0084, Cause.AUTOMATIC_TEST)
    unit.glances(10, 0x0084, Cause.AUTOMATIC_TEST)
    assert unit.told == ["self_test_started"]
    assert unit.glances(51, 0x0084, Cause.AUTOMATIC_TEST) == ["on_battery"]


def test_a_hold_begins_anew_when_the_clock_is_set_back(unit: WatchedUnit) -> None:
    unit.reads(3600, ONLINE, flags=frozenset({Flag.FAN}))
    unit.reads(3601, ONLINE)
    assert unit.reads(10, ONLINE) == []
    assert unit.reads(15, ONLINE) == ["fan_fault_cleared"]


# Causes


def test_a_restart_and_changed_settings_are_told_once_by_their_cause(unit: WatchedUnit) -> None:
    assert unit.glances(1, ONLINE, Cause.SYSTEM_INITIALISATION) == ["unit_restarted"]
    assert unit.glances(2, ONLINE, Cause.SYSTEM_INITIALISATION) == []
    assert unit.glances(3, ONLINE, Cause.CONFIGURATION_CHANGE) == ["settings_changed"]
    assert unit.glances(4, ONLINE, None) == []
    assert unit.glances(5, ONLINE, Cause.CONFIGURATION_CHANGE) == []


def test_a_word_with_no_state_or_two_ends_nothing_and_begins_nothing(unit: WatchedUnit) -> None:
    unit.reads(1, ON_BATTERY)
    assert unit.reads(2, 0x0000) == []
    assert unit.reads(3, 0x0006) == []
    assert unit.reads(4, ONLINE) == ["mains_restored"]
