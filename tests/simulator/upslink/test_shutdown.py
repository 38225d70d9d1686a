"""What cuts the output, when it comes back, on new and old units (ups-link.md 7.1 and 7.2)."""

from __future__ import annotations

import pytest

from drivers.ups import State
from tests.simulator.bench import look, mains, states

from .line import NA, OK, OLD, PRESS_S, Line

DELAY_P_S = 20
CHARGING = 0.9 / (3 * 3600)
"""Share of the whole charge that a second on mains gives."""


def state(line: Line) -> State | None:
    return look(line.unit).state


def set_to(line: Line, setting: str, value: str) -> None:
    """Step a setting until it reads so."""
    while line.say(setting) != f"{value}\r\n".encode():
        assert line.say("-") == OK


def test_s_cuts_after_the_grace_delay_and_comes_back_with_the_mains() -> None:
    line = Line()
    line.outage()
    assert line.say("S") == OK
    line.wait(DELAY_P_S - 1)
    assert (state(line), line.say("8"), line.say("Q")) == (State.ON_BATTERY, b"10\r\n", b"10\r\n")
    line.wait(2)
    assert (state(line), line.say("8"), line.say("~")) == (State.OFF, b"10\r\n", b"80\r\n")
    line.power_back(3)
    assert state(line) is State.OFF
    assert line.wait(3) == "$?"
    assert (state(line), line.say("8")) == (State.ONLINE, b"00\r\n")


def test_s_comes_back_after_the_wake_up_delay_counted_from_the_return_of_power() -> None:
    line = Line()
    set_to(line, "r", "060")
    line.outage()
    line.say("S")
    line.wait(600)
    line.power_back(55)
    assert state(line) is State.OFF
    line.wait(10)
    assert state(line) is State.ONLINE


def test_s_comes_back_at_the_charge_that_is_set_and_at_its_instant() -> None:
    line = Line(charge_pct=49)
    set_to(line, "e", "50")
    line.outage()
    line.say("S")
    line.wait(DELAY_P_S + 2)
    line.power_back(60)
    assert state(line) is State.OFF
    line.unit.advance(line.unit.now_s + 3600)
    (back_s,) = [at_s for at_s, new, _ in states(line.unit) if new == "online"]
    charged_since = (line.unit.now_s - back_s) * CHARGING
    assert line.unit.battery.charge - charged_since == pytest.approx(0.5, abs=1e-5)


def test_at_on_mains_cuts_after_the_delay_and_wakes_after_its_tenths_of_hours() -> None:
    line = Line()
    assert line.say("@002") == OK
    line.wait(DELAY_P_S - 1)
    assert (state(line), line.say("8")) == (State.ONLINE, b"00\r\n")
    line.wait(2)
    assert (state(line), line.say("8")) == (State.OFF, b"08\r\n")
    line.wait(2 * 360 - 10)
    assert state(line) is State.OFF
    line.wait(15)
    assert state(line) is State.ONLINE


def test_at_adds_its_time_to_the_wake_up_delay() -> None:
    line = Line()
    set_to(line, "r", "180")
    line.say("@001")
    line.wait(DELAY_P_S + 360 + 175)
    assert state(line) is State.OFF
    line.wait(10)
    assert state(line) is State.ONLINE


def test_at_does_not_wake_a_new_unit_on_battery() -> None:
    line = Line()
    line.outage()
    assert line.say("@001") == OK
    line.wait(DELAY_P_S + 900)
    assert state(line) is State.OFF
    line.power_back(350)
    assert state(line) is State.OFF
    line.wait(30)
    assert state(line) is State.ONLINE


def test_k_stays_off_whatever_the_mains_do() -> None:
    line = Line()
    assert line.say("KK", gap_s=PRESS_S) == OK
    line.wait(DELAY_P_S + 1)
    assert state(line) is State.OFF
    line.outage()
    line.power_back(600)
    assert (state(line), line.say("~")) == (State.OFF, b"40\r\n")


@pytest.mark.parametrize("how", ["S", "@000", "KK"])
def test_del_calls_off_what_the_grace_delay_still_holds(how: str) -> None:
    line = Line()
    line.outage()
    assert line.say(how, gap_s=PRESS_S) == OK
    line.wait(DELAY_P_S - 5)
    assert line.say("\x7f") == OK
    line.wait(60)
    assert state(line) is State.ON_BATTERY
    assert line.say("\x7f") == NA
    assert line.sent[-2:] == ["DEL", "DEL"]


def test_del_is_too_late_when_the_output_is_off() -> None:
    line = Line()
    line.say("@001")
    line.wait(DELAY_P_S + 1)
    assert line.say("\x7f") == NA
    line.wait(400)
    assert state(line) is State.ONLINE


def test_a_second_shutdown_does_not_start_while_one_runs() -> None:
    line = Line()
    line.outage()
    assert (line.say("S"), line.say("S"), line.say("@000")) == (OK, NA, NA)


def test_a_battery_that_runs_out_cuts_the_output_and_says_so_in_register_3() -> None:
    line = Line(charge_pct=5)
    line.outage()
    line.wait(600)
    assert (state(line), line.say("8"), line.say("~")) == (State.OFF, b"01\r\n", b"80\r\n")


# old units


def test_s_on_an_old_unit_is_a_star_and_cuts_at_once_until_power_is_back() -> None:
    line = Line(OLD)
    line.outage()
    assert line.say("S") == b"*"
    assert (line.wait(1), state(line), line.say("Q")) == ("", State.OFF, b"00\r\n")
    line.power_back(5)
    assert state(line) is State.ONLINE


def test_at_on_an_old_unit_wakes_it_on_battery_and_loses_the_line_until_then() -> None:
    line = Line(OLD)
    mains(line.unit, 0)
    line.wait(1)
    assert line.say("@001") == b"*"
    line.wait(350)
    assert (state(line), line.say("Y")) == (State.OFF, b"")
    line.wait(15)
    assert (state(line), line.say("Q")) == (State.ON_BATTERY, b"10\r\n")


def test_at_with_three_zeros_does_nothing_on_an_old_unit() -> None:
    line = Line(OLD)
    assert line.say("@000") == b"*"
    line.wait(60)
    assert state(line) is State.ONLINE
    assert line.engine.sent[0].order is None


def test_k_on_an_old_unit_cuts_at_once() -> None:
    line = Line(OLD)
    assert line.say("KK", gap_s=PRESS_S) == b"*"
    assert state(line) is State.OFF


def test_an_old_unit_says_star_before_its_battery_is_empty() -> None:
    line = Line(OLD, charge_pct=3)
    assert line.outage() == "!%"
    assert "*" in line.wait(600)
