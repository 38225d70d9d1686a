"""Self-test and calibration (apc-modbus.md 7.8, 8.5)."""

from __future__ import annotations

import pytest

from drivers.ups import Cause, Flag
from simulator.history import Kind
from simulator.orders import Answer, Task

from .bench import ON_BATTERY, ONLINE, look, mains, result_word, states, status_word, tell, unit_of, wait


def test_a_self_test_goes_as_it_did_on_a_real_unit() -> None:
    """8.5, an SRT: 0x0084 for about 20 s, register 23 = 0x0042 then 0x0044, back to 0x0002."""
    unit = unit_of("SRT1000XLA")
    assert tell(unit, Task.SELF_TEST) is Answer.TAKEN
    assert result_word(look(unit).self_test) == 0x0041
    seen = wait(unit, 2)
    assert (status_word(seen), result_word(seen.self_test)) == (0x0084, 0x0042)
    assert status_word(wait(unit, 18)) == 0x0084
    seen = wait(unit, 2)
    assert (status_word(seen), result_word(seen.self_test)) == (0x0002, 0x0044)
    assert seen.cause is Cause.TEST_ENDED
    assert status_word(wait(unit, 290)) == 0x0002
    seen = wait(unit, 10)
    assert (status_word(seen), result_word(seen.self_test)) == (0x2002, 0x0044)


def test_a_worn_out_battery_fails_its_test_and_wants_replacing_until_it_is_replaced() -> None:
    unit = unit_of()
    unit.set_battery_age(7)
    tell(unit, Task.SELF_TEST)
    seen = wait(unit, 20)
    assert result_word(seen.self_test) == 0x0048
    assert {Flag.REPLACE_BATTERY, Flag.FAULT_PRESENT} <= seen.flags
    unit.replace_battery()
    assert look(unit).cause is Cause.ERROR_CLEARED
    assert not look(unit).flags & {Flag.REPLACE_BATTERY, Flag.FAULT_PRESENT}
    tell(unit, Task.SELF_TEST)
    assert result_word(wait(unit, 20).self_test) == 0x0044


def test_a_worn_out_battery_fails_its_calibration() -> None:
    unit = unit_of()
    unit.set_battery_age(7)
    tell(unit, Task.CALIBRATION)
    seen = wait(unit, 3600)
    assert result_word(seen.calibration) == 0x0048
    assert Flag.REPLACE_BATTERY in seen.flags


def test_a_battery_that_gives_out_in_a_trial_fails_it_at_once_and_the_mains_take_over() -> None:
    for task in (Task.SELF_TEST, Task.CALIBRATION):
        unit = unit_of(load_pct=100)
        tell(unit, task)
        wait(unit, 2)
        unit.set_charge(0.1 if task is Task.SELF_TEST else 0)
        seen = wait(unit, 2)
        assert (seen.state, seen.cause) == (ONLINE, Cause.TEST_ENDED)
        assert result_word(seen.self_test if task is Task.SELF_TEST else seen.calibration) == 0x0048
        assert Flag.REPLACE_BATTERY in seen.flags
        assert [state for _, state, _ in states(unit)] == ["on_battery", "online"]


def test_a_refusal_names_its_reason_keeps_the_source_and_leaves_the_output_alone() -> None:
    """7.8: 0x0310 is refused, the last source still internal, invalid state."""
    unit = unit_of(charge_pct=50)
    tell(unit, Task.SELF_TEST)
    assert result_word(look(unit).self_test) == 0x0810
    unit.set_charge(100)
    tell(unit, Task.SELF_TEST)
    wait(unit, 20)
    mains(unit, 0)
    wait(unit, 1)
    tell(unit, Task.SELF_TEST)
    assert result_word(look(unit).self_test) == 0x0250


@pytest.mark.parametrize("flag", [Flag.BATTERY_DISCONNECTED, Flag.INVERTER, Flag.OUTPUT_OVERLOAD])
def test_a_fault_that_would_drop_the_load_refuses_a_test(flag: Flag) -> None:
    unit = unit_of()
    unit.set_fault(flag, True)
    tell(unit, Task.SELF_TEST)
    assert result_word(look(unit).self_test) == 0x0410
    assert wait(unit, 20).state is ONLINE


def test_an_overload_refuses_a_test() -> None:
    unit = unit_of(load_pct=110)
    tell(unit, Task.SELF_TEST)
    assert result_word(look(unit).self_test) == 0x0410


def test_a_pending_shutdown_refuses_a_test() -> None:
    unit = unit_of()
    tell(unit, Task.REQUEST_SHUTDOWN)
    tell(unit, Task.SELF_TEST)
    assert result_word(look(unit).self_test) == 0x0210


def test_mains_that_fail_during_a_test_make_it_an_outage() -> None:
    unit = unit_of()
    tell(unit, Task.SELF_TEST)
    wait(unit, 3)
    mains(unit, 0)
    seen = wait(unit, 1)
    assert (status_word(seen), seen.cause) == (0x0244, Cause.LOW_INPUT_VOLTAGE)
    assert result_word(seen.self_test) == 0x0320
    assert wait(unit, 30).state is ON_BATTERY
    mains(unit)
    assert wait(unit, 10).state is ONLINE


def test_a_test_is_aborted_over_the_wire_only_while_there_is_one() -> None:
    unit = unit_of()
    assert tell(unit, Task.SELF_TEST_ABORT) is Answer.ILLEGAL
    tell(unit, Task.SELF_TEST)
    wait(unit, 3)
    assert tell(unit, Task.SELF_TEST_ABORT) is Answer.TAKEN
    seen = look(unit)
    assert (seen.state, result_word(seen.self_test)) == (ONLINE, 0x0060)
    assert len([c for c in unit.history.since() if c.kind is Kind.SELF_TEST]) == 3
    assert result_word(wait(unit, 60).self_test) == 0x0060


def test_a_second_start_leaves_the_running_test_alone() -> None:
    unit = unit_of()
    tell(unit, Task.SELF_TEST)
    wait(unit, 5)
    assert tell(unit, Task.SELF_TEST) is Answer.ILLEGAL
    assert tell(unit, Task.CALIBRATION) is Answer.TAKEN
    assert result_word(look(unit).calibration) == 0x0A10
    assert result_word(wait(unit, 6).self_test) == 0x0044


def test_the_panel_starts_a_test_in_its_own_name() -> None:
    unit = unit_of()
    unit.press_test()
    assert [change.kind for change in unit.history.since()] == [Kind.SELF_TEST]
    assert result_word(wait(unit, 20).self_test) == 0x0084


def test_nothing_tests_itself_by_default() -> None:
    unit = unit_of()
    wait(unit, 30 * 86400)
    assert result_word(look(unit).self_test) == 0


def test_a_scheduled_test_comes_after_its_interval_and_again() -> None:
    unit = unit_of()
    tell(unit, Task.SET_BATTERY_TEST_INTERVAL, value="start_up_7d_since_last")
    wait(unit, 7 * 86400 - 1)
    assert states(unit) == []
    assert result_word(wait(unit, 60).self_test) == 0x0104
    wait(unit, 7 * 86400)
    assert [state for _, state, _ in states(unit)] == ["on_battery", "online"] * 2


def test_fourteen_days_are_not_seven() -> None:
    unit = unit_of()
    tell(unit, Task.SET_BATTERY_TEST_INTERVAL, value="start_up_14d_since_last")
    assert result_word(wait(unit, 14 * 86400 - 1).self_test) == 0
    assert result_word(wait(unit, 60).self_test) == 0x0104
    tell(unit, Task.SET_BATTERY_TEST_INTERVAL, value="never")
    wait(unit, 15 * 86400)
    assert len(states(unit)) == 2


def test_a_unit_that_is_to_tests_itself_when_its_output_comes_on() -> None:
    unit = unit_of()
    tell(unit, Task.SET_BATTERY_TEST_INTERVAL, value="start_up")
    tell(unit, Task.REMOTE_OFF)
    tell(unit, Task.REMOTE_ON)
    assert result_word(wait(unit, 60).self_test) == 0x0104


def test_a_calibration_drains_to_a_quarter_and_latches_passed() -> None:
    unit = unit_of(load_pct=50)
    tell(unit, Task.CALIBRATION)
    seen = wait(unit, 5)
    assert (status_word(seen), result_word(seen.calibration)) == (0x0084, 0x0042)
    assert seen.cause is Cause.AUTOMATIC_TEST
    wait(unit, 3600)
    assert result_word(look(unit).calibration) == 0x0044
    ended = next(c for c in unit.history.since() if c.kind is Kind.STATE and c.new == "online")
    assert ended.cause == Cause.TEST_ENDED
    fresh = unit_of(load_pct=50)
    tell(fresh, Task.CALIBRATION)
    fresh.advance((ended.at - fresh.utc(0)).total_seconds())
    assert look(fresh).charge_pct == pytest.approx(25, abs=0.1)


@pytest.mark.parametrize(("load_pct", "charge_pct", "word"), [(50, 99, 0x0810), (10, 100, 0x4010), (10, 90, 0x4810)])
def test_a_calibration_wants_a_full_battery_and_a_load(load_pct: float, charge_pct: float, word: int) -> None:
    unit = unit_of(load_pct=load_pct, charge_pct=charge_pct)
    tell(unit, Task.CALIBRATION)
    assert result_word(look(unit).calibration) == word


def test_a_load_that_changes_spoils_a_calibration() -> None:
    unit = unit_of(load_pct=50)
    tell(unit, Task.CALIBRATION)
    wait(unit, 5)
    unit.set_load(58)
    assert result_word(look(unit).calibration) == 0x0042
    unit.set_load(65)
    seen = look(unit)
    assert (seen.state, result_word(seen.calibration)) == (ONLINE, 0x1048)


def test_mains_that_fail_abort_a_calibration() -> None:
    unit = unit_of(load_pct=50)
    tell(unit, Task.CALIBRATION)
    wait(unit, 5)
    mains(unit, 0)
    seen = wait(unit, 1)
    assert (seen.state, result_word(seen.calibration)) == (ON_BATTERY, 0x2120)


def test_a_calibration_is_aborted_over_the_wire() -> None:
    unit = unit_of(load_pct=50)
    assert tell(unit, Task.CALIBRATION_ABORT) is Answer.ILLEGAL
    tell(unit, Task.CALIBRATION)
    wait(unit, 5)
    assert tell(unit, Task.CALIBRATION_ABORT) is Answer.TAKEN
    assert result_word(look(unit).calibration) == 0x0060
