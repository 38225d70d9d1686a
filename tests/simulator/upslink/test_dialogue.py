"""Characters in, answers out: smart mode, commands of several characters, refusals (ups-link.md 4, 6, 7.3)."""

from __future__ import annotations

import pytest

from drivers.ups import State
from simulator.orders import Order, Task
from tests.simulator.bench import look, mains, wait

from .line import NA, NO, OK, OLD, PRESS_S, SM, Line


def test_before_smart_mode_nothing_but_y_is_answered() -> None:
    line = Line(smart=False)
    assert line.ask("QZZa@000") == [b""] * 8
    assert line.outage() == ""
    assert line.ask("YQ") == [SM, b"10\r\n"]


def test_after_r_only_y_works() -> None:
    line = Line()
    assert line.ask("RQYQ") == [b"BYE\r\n", b"", SM, b"08\r\n"]


@pytest.mark.parametrize("byte", [0x00, 0x0D, 0x1B, ord("0"), ord("1"), ord("h"), ord("^"), 0x9F, 0xFF])
def test_a_character_that_the_unit_does_not_list_is_not_available_and_is_recorded(byte: int) -> None:
    line = Line()
    assert line.dialogue.hear(byte, line.now) == NA
    assert [each.reply for each in line.engine.sent] == ["NA"]


def test_a_question_leaves_no_record() -> None:
    line = Line()
    line.ask("YQa9GXLMNOFPfBgjC>8'~nbVmcxulsoepqrkE/")
    assert line.sent == []


# the dialogues of section 7.3


def test_s_on_battery_is_taken() -> None:
    line = Line()
    assert line.outage() == "!"
    assert line.say("S") == OK
    assert line.engine.sent[-1].order == Order(task=Task.REQUEST_SHUTDOWN)


def test_s_on_mains_is_not_available() -> None:
    line = Line()
    assert line.say("S") == NA
    assert line.engine.sent[-1].order is None
    line.wait(60)
    assert look(line.unit).state is State.ONLINE


def test_at_is_silent_until_its_third_digit() -> None:
    line = Line()
    assert line.say("@000") == OK
    assert line.sent == ["@000"]
    assert line.engine.sent[0].order == Order(task=Task.SLEEP, value=0, use_off_delay=True)


@pytest.mark.parametrize("gap_s", [0.05, 2.0, 5.0])
def test_the_digits_of_at_may_come_as_slowly_as_drivers_send_them(gap_s: float) -> None:
    assert Line().say("@012", gap_s=gap_s) == OK


def test_at_that_is_broken_off_is_refused_and_forgotten() -> None:
    line = Line()
    assert line.say("@00Y") == NO
    assert line.say("0") == NA
    assert line.say("Q") == b"08\r\n"
    assert [each.order for each in line.engine.sent] == [None, None]


def test_an_old_unit_is_silent_when_at_is_broken_off() -> None:
    line = Line(OLD)
    assert line.say("@00Y") == b""
    assert line.say("Y") == SM


def test_a_digit_that_comes_too_late_is_none_of_at() -> None:
    line = Line()
    assert line.say("@0") == b""
    line.wait(11)
    assert line.say("Q") == b"08\r\n"


def test_k_is_silent_once_and_taken_the_second_time() -> None:
    line = Line()
    assert line.say("KK", gap_s=PRESS_S) == OK
    assert line.engine.sent[0].order == Order(task=Task.OUTLET_OFF, groups=(0,), use_off_delay=True)
    assert line.sent == ["KK"]


@pytest.mark.parametrize("character", ["K", "Z", "\x0e"])
def test_a_second_press_that_comes_too_fast_is_not_done(character: str) -> None:
    line = Line()
    assert line.say(character * 2, gap_s=1.3) == NA
    assert line.engine.sent[0].order is None
    line.wait(60)
    assert look(line.unit).state is State.ONLINE


def test_a_second_press_that_comes_too_late_is_a_first_one() -> None:
    line = Line()
    assert line.say("KK", gap_s=6.1) == b""
    assert line.say("K") == NA  # too fast after that one
    line.wire.change("double-max-ms", "20000")
    assert line.say("KK", gap_s=15) == OK


def test_another_character_between_two_presses_is_answered_and_cancels() -> None:
    line = Line()
    assert line.say("K") == b""
    line.wait(1)
    assert line.say("Q") == b"08\r\n"
    line.wait(1)
    assert line.say("K") == b""
    assert line.sent == []


def test_z_twice_cuts_the_output_at_once_without_a_word() -> None:
    line = Line()
    assert line.say("ZZ", gap_s=PRESS_S) == b""
    assert look(line.unit).state is State.OFF
    assert (line.say("Q"), line.say("~"), line.say("@")) == (b"00\r\n", b"40\r\n", NA)


def test_ctrl_n_twice_turns_on_and_is_refused_without_mains() -> None:
    line = Line()
    line.say("ZZ", gap_s=PRESS_S)
    mains(line.unit, 0)
    line.wait(2)
    assert line.say("\x0e\x0e", gap_s=PRESS_S) == NA
    line.power_back()
    assert line.say("\x0e\x0e", gap_s=PRESS_S) == b""
    assert line.wait(1) == "?"
    assert (line.say("Q"), line.sent[-1]) == (b"08\r\n", "^N^N")


# tests and trials


def test_a_self_test_is_accepted_then_told_and_its_result_can_be_read_for_five_minutes() -> None:
    line = Line()
    assert (line.say("G"), line.say("X")) == (b"O\r\n", NO)
    assert line.say("W") == OK
    assert line.wait(1) == "!"
    assert (line.say("G"), line.say("Q"), line.say("X")) == (b"S\r\n", b"10\r\n", NO)
    assert line.wait(12) == "$"
    assert (line.say("Q"), line.say("X"), line.say("G")) == (b"08\r\n", OK, b"S\r\n")
    line.wait(280)
    assert line.say("X") == OK
    line.wait(20)
    assert line.say("X") == NO


def test_a_worn_battery_fails_its_test_and_asks_to_be_replaced() -> None:
    line = Line()
    line.unit.set_battery_age(6)
    assert line.say("W") == OK
    assert line.wait(12) == "!$#"
    assert (line.say("X"), line.say("Q")) == (b"BT\r\n", b"88\r\n")


def test_w_again_stops_the_test_and_leaves_no_result() -> None:
    line = Line()
    assert (line.say("W"), line.wait(2), line.say("W"), line.wait(1)) == (OK, "!", OK, "$")
    assert line.say("X") == NO
    assert [each.order for each in line.engine.sent] == [
        Order(task=Task.SELF_TEST),
        Order(task=Task.SELF_TEST_ABORT),
    ]


def test_a_self_test_on_battery_is_refused() -> None:
    line = Line()
    line.outage()
    assert line.say("W") == NO


def test_a_simulated_power_failure_really_goes_to_battery_and_back() -> None:
    line = Line()
    assert line.say("U") == OK
    assert line.wait(1) == "!"
    charge = line.unit.battery.charge
    assert (line.say("Q"), line.say("G"), line.say("9")) == (b"10\r\n", b"S\r\n", b"FF\r\n")
    assert line.wait(10) == "$"
    assert line.unit.battery.charge < charge
    assert (line.say("Q"), line.say("X")) == (b"08\r\n", NO)


def test_a_simulated_power_failure_lets_s_through_as_a_real_one_would() -> None:
    """What NUT's shutdown method `cs` lives by (16.4)."""
    line = Line()
    line.say("U")
    line.wait(3.5)
    assert line.say("S") == OK


def test_a_power_failure_is_not_simulated_twice_or_on_battery() -> None:
    line = Line()
    assert (line.say("U"), line.say("U"), line.say("W")) == (OK, NA, NO)
    line.wait(2)
    assert line.say("U") == NA
    line.wait(12)
    line.outage()
    assert line.say("U") == NA


def test_a_real_outage_takes_over_from_a_simulated_one() -> None:
    line = Line()
    line.say("U")
    line.wait(2)
    mains(line.unit, 0)
    assert line.wait(15) == ""
    assert (line.say("G"), line.say("9"), line.say("Q")) == (b"L\r\n", b"00\r\n", b"10\r\n")


def test_an_outage_that_took_over_ends_by_itself() -> None:
    line = Line()
    line.say("U")
    line.wait(2)
    mains(line.unit, 0)
    line.wait(2)
    assert line.power_back(4.5) == "$"
    assert line.say("Q") == b"08\r\n"


def test_a_battery_that_gives_out_ends_a_simulated_failure_and_has_to_be_replaced() -> None:
    line = Line()
    line.say("U")
    line.wait(2)
    line.unit.set_charge(0)
    assert line.wait(1) == "$#"
    assert (line.say("Q"), line.say("G")) == (b"88\r\n", b"S\r\n")


def test_calibration_is_taken_at_full_charge_shown_in_bit_0_and_aborted_by_a_second_d() -> None:
    line = Line(load_pct=50)
    assert (line.say("D"), line.wait(1), line.say("Q")) == (OK, "!", b"11\r\n")
    assert (line.say("D"), line.wait(1), line.say("Q")) == (OK, "$", b"08\r\n")


def test_calibration_is_refused_below_full_charge() -> None:
    assert Line(charge_pct=99).say("D") == NO


def test_the_lamps_are_tried_for_two_seconds() -> None:
    line = Line()
    assert line.say("A") == OK
    assert line.unit.panel_test
    wait(line.unit, 2.1)
    assert not line.unit.panel_test


def test_extremes_start_anew_when_they_are_read() -> None:
    line = Line()
    for volts in (225, 238, 231):
        mains(line.unit, volts)
        line.wait(1)
    assert line.ask("MNMN") == [b"238.0\r\n", b"225.0\r\n", b"231.0\r\n", b"231.0\r\n"]


def test_a_swallowed_answer_is_to_something_that_was_done() -> None:
    line = Line()
    line.wire.change("swallow", "1")
    assert line.say("A") == b""
    assert line.unit.panel_test
    assert [each.answered for each in line.engine.sent] == [False]
    assert line.say("A") == OK
    assert [each.answered for each in line.engine.sent] == [False, True]


@pytest.mark.parametrize(
    ("begin", "last", "order"),
    [
        ("", "A", Order(task=Task.PANEL_TEST)),
        ("", "W", Order(task=Task.SELF_TEST)),
        ("@00", "0", Order(task=Task.SLEEP, value=0, use_off_delay=True)),
        ("K", "K", Order(task=Task.OUTLET_OFF, groups=(0,), use_off_delay=True)),
    ],
)
def test_s1_a_command_whose_answer_alone_is_swallowed_was_carried_out_once(begin: str, last: str, order: Order) -> None:
    line = Line()
    line.wire.change("swallow-commands", "1")
    assert line.ask("QY") == [b"08\r\n", SM], "questions are answered meanwhile"
    assert line.say(begin + last, gap_s=PRESS_S) == b""
    assert line.wire.swallow_commands == 0
    assert [(each.order, each.answered, each.reply) for each in line.engine.sent] == [(order, False, "OK")]
    assert line.say("Q") != b""


def test_a_silent_command_uses_up_no_swallowed_answer() -> None:
    line = Line()
    line.wire.change("swallow-commands", "1")
    line.say("ZZ", gap_s=PRESS_S)
    assert [each.answered for each in line.engine.sent] == [True]
    assert line.wire.swallow_commands == 1


def test_an_old_unit_whose_star_is_swallowed_sleeps_all_the_same() -> None:
    line = Line(OLD)
    line.wire.change("swallow-commands", "1")
    assert line.say("@001") == b""
    assert look(line.unit).state is State.OFF
    assert line.say("Y") == b""
