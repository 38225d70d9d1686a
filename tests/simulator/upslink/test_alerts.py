"""What a unit says unasked, and when (ups-link.md section 9); status byte and registers (section 8)."""

from __future__ import annotations

import pytest

from drivers.ups import Flag
from tests.simulator.bench import mains

from .line import NEW, OLD, SM, Line


def test_an_outage_is_told_at_once_and_every_thirty_seconds_and_its_end_once() -> None:
    line = Line()
    assert line.outage() == "!"
    assert line.wait(28) == ""
    assert line.wait(2) == "!"
    assert line.wait(60) == "!!"
    assert line.power_back() == "$"
    assert line.wait(60) == ""


def test_mains_that_are_back_are_told_only_after_an_outage() -> None:
    line = Line()
    mains(line.unit, 235)
    assert line.wait(60) == ""


def test_a_low_battery_is_told_once_ends_the_repeats_and_its_end_is_told() -> None:
    line = Line(charge_pct=25)
    line.outage()
    said = ""
    while "%" not in said:
        said += line.wait(1)
    assert line.say("Q") == b"50\r\n"
    assert line.wait(60) == ""
    assert line.power_back() == "$+"
    assert line.say("Q") == b"08\r\n"


def test_the_warning_of_a_low_battery_comes_when_its_owner_wants_it() -> None:
    line = Line(charge_pct=50)
    line.ask("q-q-q-")
    line.outage()
    assert line.say("Q") == b"50\r\n"
    assert int(line.say("j")[:4]) < 10


def test_a_shutdown_that_was_ordered_is_no_low_battery() -> None:
    line = Line()
    line.outage()
    line.say("S")
    assert line.wait(5) == ""
    assert line.say("Q") == b"10\r\n"


def test_a_battery_to_replace_is_told_every_five_hours_until_it_is_replaced() -> None:
    line = Line()
    line.unit.set_fault(Flag.REPLACE_BATTERY, True)
    assert line.wait(1) == "#"
    assert line.wait(5 * 3600 - 2, step_s=60) == ""
    assert line.wait(2) == "#"
    line.unit.replace_battery()
    assert line.wait(6 * 3600, step_s=60) == ""


def test_an_overload_is_abnormal_while_it_lasts() -> None:
    line = Line()
    line.unit.set_load(110)
    assert (line.wait(1), line.say("Q")) == ("?", b"28\r\n")
    line.unit.set_load(50)
    assert (line.wait(1), line.say("Q")) == ("=", b"08\r\n")


@pytest.mark.parametrize(
    ("flag", "register", "reads", "alerts"),
    [
        (Flag.CHARGER, "8", b"20\r\n", ("?", "=")),
        (Flag.BACKFEED_RELAY, "8", b"04\r\n", ("?", "=")),
        (Flag.OVERTEMPERATURE, "8", b"80\r\n", ("?", "=")),
        (Flag.BYPASS_RELAY, "8", b"40\r\n", ("?", "=")),
        (Flag.BATTERY_DISCONNECTED, "'", b"20\r\n", ("", "")),
        (Flag.AVR_RELAY, "'", b"40\r\n", ("", "")),
        (Flag.TRANSFORMER_DC_IMBALANCE, "'", b"10\r\n", ("", "")),
    ],
)
def test_a_fault_has_its_bit_and_some_have_an_alert(
    flag: Flag, register: str, reads: bytes, alerts: tuple[str, str]
) -> None:
    line = Line()
    line.unit.set_fault(flag, True)
    assert (line.wait(1), line.say(register)) == (alerts[0], reads)
    line.unit.set_fault(flag, False)
    assert (line.wait(1), line.say(register)) == (alerts[1], b"00\r\n")


def test_a_second_abnormal_thing_is_told_by_itself_and_the_end_when_both_are_over() -> None:
    line = Line()
    line.unit.set_fault(Flag.CHARGER, True)
    assert line.wait(1) == "?"
    line.unit.set_fault(Flag.OVERTEMPERATURE, True)
    assert line.wait(1) == "?"
    line.unit.set_fault(Flag.CHARGER, False)
    assert line.wait(1) == ""
    line.unit.set_fault(Flag.OVERTEMPERATURE, False)
    assert line.wait(1) == "="


@pytest.mark.parametrize(("volts", "status"), [(200, b"0C\r\n"), (265, b"0A\r\n"), (230, b"08\r\n")])
def test_the_regulator_has_its_bits(volts: float, status: bytes) -> None:
    line = Line()
    mains(line.unit, volts)
    line.wait(1)
    assert line.say("Q") == status


@pytest.mark.parametrize(
    ("input_", "letter"),
    [
        ({"volts": 0.0}, "L"),
        ({"volts": 300.0}, "H"),
        ({"hertz": 60.0}, "R"),
        ({"distortion_pct": 50.0}, "T"),
    ],
)
def test_the_cause_of_the_last_transfer_stays_when_the_mains_are_back(input_: dict[str, float], letter: str) -> None:
    line = Line()
    mains(line.unit, **input_)
    assert line.wait(1) == "!"
    assert line.say("G") == f"{letter}\r\n".encode()
    line.power_back()
    assert line.say("G") == f"{letter}\r\n".encode()


def test_a_unit_sends_only_the_alerts_that_it_knows() -> None:
    old = Line(OLD)
    assert "|" not in old.profile.alerts
    new = Line(NEW, charge_pct=3)
    new.outage()
    assert "*" not in new.wait(600)


def test_alerts_can_be_switched_off() -> None:
    line = Line()
    line.wire.change("alerts", "off")
    assert line.outage() == ""


def test_what_happened_before_smart_mode_is_not_told_afterwards() -> None:
    line = Line(smart=False)
    line.outage()
    assert line.say("Y") == SM
    assert line.wait(20) == ""
    assert line.wait(10) == "!"
