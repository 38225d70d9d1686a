"""Orders from a wire: outlet groups, shutdown, bypass, panel, settings (apc-modbus.md section 8)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.ups import Cause, Flag
from simulator.history import Kind
from simulator.models import MODELS
from simulator.orders import Answer, Order, Task
from simulator.unit import Unit

from .bench import (
    BYPASS,
    OFF,
    ON_BATTERY,
    ONLINE,
    bits,
    is_on,
    look,
    mains,
    second,
    states,
    status_word,
    tell,
    unit_of,
    wait,
)


def countdowns(unit: Unit, index: int) -> tuple[int | None, int | None, int | None]:
    """Turn-off, stay-off, turn-on of a group, as its registers show them."""
    seen = look(unit)
    groups = [g for g in (seen.main_outlet, *seen.switched_outlets) if g is not None]
    group = next(g for g in groups if g.index == index)
    return group.turn_off_s, group.stay_off_s, group.turn_on_s


# shutdown


def test_a_shutdown_requested_on_line_goes_as_it_did_on_a_real_unit() -> None:
    """apc-modbus.md 8.5: 0x2202; 60 s later 0x0110, all off; 15 s later the main group on, the others 15 s after it."""
    unit = unit_of("SRT1000XLA")
    assert tell(unit, Task.REQUEST_SHUTDOWN) is Answer.TAKEN
    seen = wait(unit, 1)
    assert (status_word(seen), seen.cause) == (0x2202, Cause.PROTOCOL_COMMAND)
    assert Flag.SHUTDOWN_IMMINENT in seen.flags
    assert status_word(wait(unit, 58.5)) == 0x2202
    assert status_word(wait(unit, 1)) == 0x0110
    assert not is_on(unit, 0)
    assert not is_on(unit, 1)
    wait(unit, 15)
    assert (is_on(unit, 0), is_on(unit, 1)) == (True, False)
    wait(unit, 15)
    assert (is_on(unit, 0), is_on(unit, 1)) == (True, True)
    assert status_word(look(unit)) == 0x0002


def test_a_shutdown_requested_on_battery_stays_off_until_the_mains_return() -> None:
    """apc-modbus.md 8.5: register 18 becomes 3 at once, 0x0150 after 60 s, on again with the mains."""
    unit = unit_of("SRT1000XLA")
    mains(unit, 0)
    wait(unit, 5)
    tell(unit, Task.REQUEST_SHUTDOWN)
    assert bits("simple_signaling", look(unit).flags) == 3
    assert status_word(wait(unit, 61)) == 0x0150
    assert status_word(wait(unit, 600)) == 0x0150
    mains(unit)
    seen = wait(unit, 10)
    assert (seen.state, seen.cause) == (ONLINE, Cause.AUTOMATIC_RESTART)
    assert [state for _, state, _ in states(unit)] == ["on_battery", "off", "online"]


def test_without_a_fixed_countdown_a_shutdown_obeys_the_groups_own_and_the_main_group_goes_last() -> None:
    unit = unit_of("SMTL1500RM3UC")
    tell(unit, Task.REQUEST_SHUTDOWN)
    wait(unit, 1)
    assert countdowns(unit, 0) == (0, 8, 0)
    assert countdowns(unit, 1) == (89, 8, 0)
    assert is_on(unit, 0)
    wait(unit, 89)
    assert states(unit) == [(90, "off", "protocol_command")]


def test_a_second_shutdown_is_refused_and_changes_nothing() -> None:
    unit = unit_of()
    tell(unit, Task.REQUEST_SHUTDOWN)
    wait(unit, 30)
    before = countdowns(unit, 1)
    assert tell(unit, Task.REQUEST_SHUTDOWN) is Answer.ILLEGAL
    assert countdowns(unit, 1) == before


def test_a_shutdown_called_off_leaves_everything_on() -> None:
    unit = unit_of()
    tell(unit, Task.REQUEST_SHUTDOWN)
    wait(unit, 30)
    assert tell(unit, Task.OUTLET_CANCEL, 0, 1) is Answer.TAKEN
    assert wait(unit, 500).state is ONLINE
    assert countdowns(unit, 0) == countdowns(unit, 1) == (None, None, None)
    assert not look(unit).flags & {Flag.PENDING_OUTPUT_OFF, Flag.SHUTDOWN_IMMINENT}


def test_remote_off_is_at_once_and_remote_on_brings_all_back_in_sequence() -> None:
    unit = unit_of("SRT1000XLA")
    tell(unit, Task.REMOTE_OFF)
    assert status_word(look(unit)) == 0x0010
    assert wait(unit, 3600).state is OFF
    tell(unit, Task.REMOTE_ON)
    assert (look(unit).state, is_on(unit, 1)) == (ONLINE, False)
    wait(unit, 16)
    assert is_on(unit, 1)


# outlet groups


def test_countdowns_load_together_run_in_turn_and_read_zero_once_expired() -> None:
    """AN177: turn-off, stay-off, turn-on; idle is None here and -1 on the wire."""
    unit = unit_of()
    tell(unit, Task.SET_TURN_ON_DELAY, 1, value=20)
    assert countdowns(unit, 1) == (None, None, None)
    assert tell(unit, Task.OUTLET_REBOOT, 1, use_off_delay=True, use_on_delay=True) is Answer.TAKEN
    assert countdowns(unit, 1) == (90, 8, 20)
    wait(unit, 30)
    assert countdowns(unit, 1) == (60, 8, 20)
    assert is_on(unit, 1)
    wait(unit, 63)
    assert countdowns(unit, 1) == (0, 5, 20)
    assert not is_on(unit, 1)
    wait(unit, 10)
    assert countdowns(unit, 1) == (0, 0, 15)
    wait(unit, 16)
    assert countdowns(unit, 1) == (None, None, None)
    assert is_on(unit, 1)
    assert look(unit).state is ONLINE


def test_groups_switch_each_at_its_own_instant() -> None:
    unit = unit_of("SMX3000RMLV2U")
    for group, delay_s in ((1, 10), (2, 25), (3, 55)):
        tell(unit, Task.SET_TURN_OFF_DELAY, group, value=delay_s)
        tell(unit, Task.OUTLET_OFF, group, use_off_delay=True)
    wait(unit, 100)
    told = [(second(c), c.name, c.new) for c in unit.history.since() if c.kind is Kind.OUTLET]
    assert told == [(10, "1", "off"), (25, "2", "off"), (55, "3", "off")]


def test_a_delayed_turn_off_of_the_main_group_is_told_and_a_delayed_turn_on_counts() -> None:
    unit = unit_of("SMX750")
    tell(unit, Task.SET_TURN_ON_DELAY, 0, value=30)
    tell(unit, Task.OUTLET_OFF, 0, use_off_delay=True)
    seen = wait(unit, 1)
    assert (status_word(seen), seen.cause) == (0x2202, Cause.PROTOCOL_COMMAND)
    assert countdowns(unit, 0) == (179, None, None)
    assert status_word(wait(unit, 180)) == 0x0010
    tell(unit, Task.OUTLET_ON, 0, use_on_delay=True)
    wait(unit, 10)
    assert countdowns(unit, 0) == (None, None, 20)
    assert status_word(look(unit)) == 0x0110
    assert wait(unit, 20).state is ONLINE


def test_a_group_that_waits_for_the_main_one_holds_its_whole_turn_on_countdown() -> None:
    unit = unit_of()
    tell(unit, Task.SET_TURN_ON_DELAY, 0, value=10)
    tell(unit, Task.SET_TURN_ON_DELAY, 1, value=7)
    tell(unit, Task.OUTLET_OFF, 0, 1)
    tell(unit, Task.OUTLET_ON, 0, 1, use_on_delay=True)
    wait(unit, 5)
    assert (countdowns(unit, 0)[2], countdowns(unit, 1)[2]) == (5, 7)


def test_switching_one_group_takes_its_share_of_the_load_and_no_change_of_state() -> None:
    unit = unit_of("SMX3000RMLV2U", load_pct=80)
    tell(unit, Task.OUTLET_OFF, 2)
    seen = look(unit)
    assert (seen.state, seen.load_pct, seen.cause) == (ONLINE, 60, Cause.OUTLET_GROUP_STATE_CHANGE)
    assert [group.on for group in seen.switched_outlets] == [True, False, True]
    tell(unit, Task.OUTLET_ON, 2)
    assert look(unit).load_pct == 80


def test_a_group_with_something_pending_refuses_all_but_cancel() -> None:
    unit = unit_of()
    tell(unit, Task.OUTLET_OFF, 1, use_off_delay=True)
    for task in (Task.OUTLET_ON, Task.OUTLET_OFF, Task.OUTLET_REBOOT, Task.OUTLET_SHUTDOWN):
        assert tell(unit, task, 1) is Answer.ILLEGAL
    assert tell(unit, Task.OUTLET_CANCEL, 1) is Answer.TAKEN
    assert tell(unit, Task.OUTLET_OFF, 1) is Answer.TAKEN


def test_the_main_group_goes_off_only_with_or_after_the_switched_ones_and_they_come_on_only_after_it() -> None:
    unit = unit_of()
    assert tell(unit, Task.OUTLET_OFF, 0) is Answer.ILLEGAL
    assert tell(unit, Task.OUTLET_OFF, 0, 1) is Answer.TAKEN
    assert look(unit).state is OFF
    assert tell(unit, Task.OUTLET_ON, 1) is Answer.ILLEGAL
    assert tell(unit, Task.OUTLET_ON, 0, 1) is Answer.TAKEN
    wait(unit, 2)
    assert is_on(unit, 0)
    assert is_on(unit, 1)


def test_a_group_the_unit_has_not_is_absent() -> None:
    unit = unit_of("SMX750")
    for task in (Task.OUTLET_OFF, Task.OUTLET_CANCEL, Task.SET_GROUP_NAME, Task.SET_TURN_OFF_DELAY):
        assert tell(unit, task, 1, value="x") is Answer.ABSENT


def test_a_long_reboot_is_a_sleep() -> None:
    unit = unit_of()
    tell(unit, Task.SET_STAY_OFF_DELAY, 1, value=301)
    tell(unit, Task.OUTLET_REBOOT, 1)
    group = look(unit).switched_outlets[0]
    assert (group.sleeping, group.rebooting, group.on) == (True, False, False)


def test_a_short_reboot_and_a_shutdown_are_no_sleep() -> None:
    for task in (Task.OUTLET_REBOOT, Task.OUTLET_SHUTDOWN):
        unit = unit_of()
        tell(unit, task, 1, use_off_delay=True)
        group = look(unit).switched_outlets[0]
        rebooting = task is Task.OUTLET_REBOOT
        assert (group.sleeping, group.rebooting, group.shutting_down) == (False, rebooting, not rebooting)


def test_a_reboot_without_mains_waits_for_them_unless_a_cold_boot_is_allowed() -> None:
    for cold_boot, state in ((False, OFF), (True, ON_BATTERY)):
        unit = unit_of()
        mains(unit, 0)
        wait(unit, 5)
        tell(unit, Task.OUTLET_REBOOT, 0, 1, cold_boot=cold_boot)
        assert wait(unit, 60).state is state
        mains(unit)
        assert wait(unit, 60).state is ONLINE


# bypass, faults, panel


def test_bypass_reads_as_it_did_on_a_real_unit_and_the_others_lack_it() -> None:
    """apc-modbus.md 8.5: 0x0408, then 0x0002."""
    unit = unit_of("SRT1000XLA")
    assert tell(unit, Task.BYPASS_ON) is Answer.TAKEN
    seen = wait(unit, 5)
    assert (status_word(seen), seen.efficiency_reason) == (0x0408, "in_bypass")
    assert tell(unit, Task.BYPASS_OFF) is Answer.TAKEN
    assert status_word(look(unit)) == 0x0002
    assert tell(unit, Task.BYPASS_OFF) is Answer.ILLEGAL
    assert tell(unit_of(), Task.BYPASS_ON) is Answer.ABSENT


def test_mains_that_fail_end_a_bypass_on_battery() -> None:
    unit = unit_of("SRT1000XLA")
    tell(unit, Task.BYPASS_ON)
    mains(unit, 0)
    assert wait(unit, 1).state is ON_BATTERY
    mains(unit)
    assert wait(unit, 10).state is ONLINE


def test_mains_that_a_bypass_must_not_pass_on_end_it_on_line() -> None:
    unit = unit_of("SRT1000XLA")
    tell(unit, Task.BYPASS_ON)
    assert look(unit).state is BYPASS
    mains(unit, 145)
    seen = wait(unit, 1)
    assert (seen.state, seen.cause, seen.output_v) == (ONLINE, Cause.HIGH_INPUT_VOLTAGE, 120)


def test_an_alarm_is_muted_until_its_reason_ends() -> None:
    unit = unit_of()
    assert tell(unit, Task.MUTE) is Answer.TAKEN
    mains(unit, 0)
    assert bits("user_interface", wait(unit, 1).flags) == 2
    tell(unit, Task.MUTE)
    assert bits("user_interface", look(unit).flags) == 4
    tell(unit, Task.UNMUTE)
    assert bits("user_interface", look(unit).flags) == 2
    tell(unit, Task.MUTE)
    mains(unit)
    assert bits("user_interface", wait(unit, 10).flags) == 0
    mains(unit, 0)
    assert bits("user_interface", wait(unit, 1).flags) == 2


def test_the_short_panel_test_ends_by_itself_and_the_continuous_one_does_not() -> None:
    unit = unit_of()
    tell(unit, Task.PANEL_TEST)
    assert Flag.PANEL_TEST_RUNNING in look(unit).flags
    assert Flag.PANEL_TEST_RUNNING not in wait(unit, 3).flags
    tell(unit, Task.PANEL_TEST_CONTINUOUS)
    assert Flag.PANEL_TEST_RUNNING in wait(unit, 60).flags


# settings


@pytest.mark.parametrize(
    ("task", "value", "answer"),
    [
        (Task.SET_NAME, "rack 1", Answer.TAKEN),
        (Task.SET_NAME, "x" * 17, Answer.ILLEGAL),
        (Task.SET_NAME, "caf\u00e9", Answer.ILLEGAL),
        (Task.SET_GROUP_NAME, "disks", Answer.TAKEN),
        (Task.SET_GROUP_NAME, "a\nb", Answer.ILLEGAL),
        (Task.SET_TRANSFER_HIGH, 136, Answer.TAKEN),
        (Task.SET_TRANSFER_HIGH, 137, Answer.ILLEGAL),
        (Task.SET_TRANSFER_LOW, 97, Answer.TAKEN),
        (Task.SET_TRANSFER_LOW, 96, Answer.ILLEGAL),
        (Task.SET_SENSITIVITY, "low", Answer.TAKEN),
        (Task.SET_SENSITIVITY, "deaf", Answer.ILLEGAL),
        (Task.SET_BATTERY_TEST_INTERVAL, "start_up_14d_since_last", Answer.TAKEN),
        (Task.SET_BATTERY_TEST_INTERVAL, "start_up_7d", Answer.ILLEGAL),
        (Task.SET_OUTPUT_FREQUENCY, "auto", Answer.ABSENT),
        (Task.SET_BATTERY_DATE, "today", Answer.ILLEGAL),
    ],
)
def test_a_setting_takes_what_the_model_takes(task: Task, value: str | int, answer: Answer) -> None:
    unit = unit_of()
    before = (unit.settings(), unit.identity())
    groups = (1,) if task is Task.SET_GROUP_NAME else ()
    assert tell(unit, task, *groups, value=value) is answer
    assert ((unit.settings(), unit.identity()) != before) is (answer is Answer.TAKEN)


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task.SET_TURN_OFF_DELAY, "turn_off_s"),
        (Task.SET_TURN_ON_DELAY, "turn_on_s"),
        (Task.SET_STAY_OFF_DELAY, "stay_off_s"),
        (Task.SET_MINIMUM_RETURN_RUNTIME, "minimum_return_runtime_s"),
    ],
)
def test_a_delay_is_set_for_its_group_alone(task: Task, field: str) -> None:
    unit = unit_of()
    before = unit.settings().delays
    assert tell(unit, task, 1, value=32767) is Answer.TAKEN
    assert tell(unit, task, 1, value=-1) is Answer.ILLEGAL
    assert unit.settings().delays[0] == before[0]
    assert getattr(unit.settings().delays[1], field) == 32767


def test_sixteen_bit_delays_stop_at_32767() -> None:
    """apc-modbus.md 5.2."""
    assert tell(unit_of(), Task.SET_TURN_OFF_DELAY, 1, value=32768) is Answer.ILLEGAL


def test_a_battery_date_moves_the_date_of_replacement() -> None:
    unit = unit_of()
    assert unit.order(Order(task=Task.SET_BATTERY_DATE, value=date(2025, 1, 1))) is Answer.TAKEN
    assert unit.identity().battery_installed_on == date(2025, 1, 1)
    assert look(unit).replace_battery_on == date(2029, 1, 1)


def test_a_wider_transfer_point_takes_back_mains_that_were_refused() -> None:
    unit = unit_of()
    mains(unit, 80)
    assert wait(unit, 1).state is ON_BATTERY
    tell(unit, Task.SET_TRANSFER_LOW, value=97)
    assert wait(unit, 5).state is ONLINE


def test_a_lower_sensitivity_takes_back_a_wave_that_was_refused() -> None:
    unit = unit_of()
    mains(unit, distortion_pct=25)
    assert wait(unit, 1).cause is Cause.DISTORTED_INPUT
    tell(unit, Task.SET_SENSITIVITY, value="low")
    assert wait(unit, 5).state is ONLINE


def test_factory_settings_leave_names_and_dates() -> None:
    unit = unit_of()
    tell(unit, Task.SET_NAME, value="kept")
    tell(unit, Task.SET_TURN_OFF_DELAY, 1, value=5)
    tell(unit, Task.FACTORY_SETTINGS)
    assert unit.settings() == unit.model.settings
    assert unit.identity().name == "kept"


# everything


orders = st.builds(
    Order,
    task=st.sampled_from(Task),
    groups=st.lists(st.integers(0, 4), max_size=4, unique=True).map(tuple),
    use_off_delay=st.booleans(),
    use_on_delay=st.booleans(),
    cold_boot=st.booleans(),
    value=st.one_of(st.none(), st.integers(-(2**31), 2**31), st.text(max_size=20), st.dates()),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(MODELS)),
    st.lists(st.tuples(orders, st.floats(0, 120), st.sampled_from([0, 90, 120, 145, None])), max_size=12),
)
def test_whatever_is_ordered_whenever_the_unit_stays_one_that_could_be(
    key: str, script: list[tuple[Order, float, float | None]]
) -> None:
    unit = unit_of(key)
    for order, seconds, volts in script:
        assert unit.order(order) in set(Answer)
        mains(unit, volts)
        seen = wait(unit, seconds)
        assert (seen.state is OFF) is (seen.output_v == 0)
        assert not (seen.state is OFF and Flag.PENDING_OUTPUT_OFF in seen.flags)
        assert not {Flag.INPUT_ACCEPTABLE, Flag.INPUT_NOT_ACCEPTABLE} <= seen.flags
        assert seen.charge_pct is not None
        assert 0 <= seen.charge_pct <= 100
        main = seen.main_outlet
        assert main is not None
        assert main.on or not any(group.on for group in seen.switched_outlets)
