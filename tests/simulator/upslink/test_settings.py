"""Settings that step and texts that are typed (ups-link.md section 12)."""

from __future__ import annotations

from datetime import date

import pytest

from drivers.ups import Flag, Settings
from simulator.upslink.settings import UpsLinkSettings
from simulator.wire_settings import WireSettingError
from tests.simulator.bench import look, mains, second, unit_of

from .line import NEW, NO, OK, Line

STEPS = {
    "u": "253 264 271 280",
    "l": "208 204 196 188",
    "e": "00 15 50 90",
    "o": "230 240 220 225",
    "s": "H M L L",
    "q": "02 05 07 10",
    "p": "020 180 300 600",
    "k": "0 T L N",
    "r": "000 060 180 300",
}


@pytest.mark.parametrize("setting", STEPS)
def test_minus_steps_through_the_values_of_the_capability_string_and_round(setting: str) -> None:
    line = Line()
    values = STEPS[setting].split()
    for value in (*values, values[0]):
        assert line.say(setting) == f"{value}\r\n".encode()
        assert line.say("-") == OK


def test_plus_steps_the_other_way() -> None:
    line = Line()
    assert line.ask("u+u") == [b"253\r\n", OK, b"280\r\n"]


def test_the_interval_of_self_tests_has_words_of_three_characters() -> None:
    line = Line()
    assert line.ask("E-E-E-E-E")[::2] == [b"OFF\r\n", b"336\r\n", b"168\r\n", b"ON \r\n", b"OFF\r\n"]


def test_what_steps_is_what_the_unit_then_goes_by() -> None:
    line = Line()
    line.ask("u-l-s-e-o-q-p-r-k-E-")
    settings = line.unit.settings()
    assert (settings.transfer_high_v, settings.transfer_low_v, settings.sensitivity) == (264, 204, "reduced")
    assert (settings.minimum_return_charge_pct, settings.output_v, settings.low_battery_runtime_s) == (15, 240, 300)
    assert (settings.delays[0].turn_off_s, settings.delays[0].turn_on_s) == (180, 60)
    assert (settings.alarm_delay, settings.battery_test_interval) == ("30s", "start_up_14d")


def test_the_output_on_battery_has_the_voltage_that_is_set() -> None:
    line = Line()
    line.ask("o-")
    line.outage()
    assert line.ask("oO") == [b"240\r\n", b"240.0\r\n"]


@pytest.mark.parametrize(
    ("steps", "charge_pct", "sounds"), [(0, 100, True), (2, 100, False), (2, 5, True), (3, 5, False)]
)
def test_the_alarm_sounds_on_battery_when_its_owner_wants_it(steps: int, charge_pct: float, sounds: bool) -> None:
    line = Line(charge_pct=charge_pct)
    line.ask("k-" * steps)
    line.outage()
    assert (Flag.ALARM_SOUNDING in look(line.unit).flags) is sounds


def test_the_battery_is_low_at_the_instant_at_which_its_owner_wants_to_be_warned() -> None:
    line = Line()
    line.ask("q-q-q-")
    mains(line.unit, 0)
    line.unit.advance(2000)
    (low_s,) = [
        second(change) for change in line.unit.history.since() if change.name == Flag.SHUTDOWN_IMMINENT and change.new
    ]
    again = unit_of(NEW)
    mains(again, 0)
    again.advance(low_s)
    assert again.runtime_s == pytest.approx(600, abs=0.01)


def test_a_step_has_to_follow_its_setting_directly() -> None:
    line = Line()
    assert line.ask("uQ-") == [b"253\r\n", b"08\r\n", NO]
    assert line.ask("u--") == [b"253\r\n", OK, NO]
    assert line.ask("Q-") == [b"08\r\n", NO]
    assert line.say("u") == b"264\r\n"


def test_each_step_is_recorded_with_what_it_asked_for() -> None:
    line = Line()
    line.ask("p-p-")
    assert line.sent == ["p-", "p-"]
    assert [each.order.value for each in line.engine.sent if each.order] == [180, 300]


def test_about_five_seconds_after_a_change_the_unit_says_so_once() -> None:
    line = Line()
    line.ask("u-")
    assert line.wait(4.5) == ""
    assert line.wait(1) == "|"
    assert line.wait(30) == ""


def test_factory_settings_come_back_but_not_the_name() -> None:
    line = Line()
    line.ask("u-p-")
    line.say("c")
    line.say("-rack 4  ")
    assert line.say("z") == b"CLEAR\r\n"
    assert line.ask("upc") == [b"253\r\n", b"020\r\n", b"rack 4\r\n"]
    assert line.unit.settings() == line.unit.model.settings


@pytest.mark.parametrize(
    ("typed", "stored"), [("rack 4\r\r", "rack 4"), ("rack 4  ", "rack 4"), ("12345678", "12345678")]
)
def test_a_name_is_typed_with_either_padding(typed: str, stored: str) -> None:
    line = Line()
    assert line.say("c") == b"UPS_IDEN\r\n"
    assert line.say("-" + typed, gap_s=1.0) == OK
    assert line.say("c") == f"{stored}\r\n".encode()
    assert line.unit.identity().name == stored
    assert line.wait(6) == "|"


def test_a_name_that_is_left_half_typed_changes_nothing() -> None:
    line = Line()
    line.say("c")
    assert line.say("-rack") == b""
    line.wait(11)
    assert line.say("Q") == b"08\r\n"
    assert line.say("c") == b"UPS_IDEN\r\n"


def test_a_name_with_control_characters_is_refused() -> None:
    line = Line()
    line.say("c")
    assert line.say("-ab\x01defgh") == NO
    assert line.say("c") == b"UPS_IDEN\r\n"


def test_a_battery_date_is_a_date_if_it_looks_like_one_and_a_note_else() -> None:
    line = Line()
    line.say("x")
    assert line.say("-11/02/24") == OK
    assert (line.say("x"), line.unit.identity().battery_installed_on) == (b"11/02/24\r\n", date(2024, 11, 2))
    assert line.wait(6) == "|"
    line.say("x")
    assert line.say("-NOV 2024") == OK
    assert line.wait(6) == "|"
    assert (line.say("x"), line.unit.identity().battery_installed_on) == (b"NOV 2024\r\n", date(2024, 11, 2))
    line.unit.replace_battery()
    assert line.say("x") == b"01/01/26\r\n"


@pytest.mark.parametrize(("typed", "day"), [("02/22/93", date(1993, 2, 22)), ("02/30/24", None), ("1/1/2024", None)])
def test_years_of_two_digits_belong_to_their_century(typed: str, day: date | None) -> None:
    line = Line()
    before = line.unit.identity().battery_installed_on
    line.say("x")
    assert line.say("-" + typed) == OK
    assert line.unit.identity().battery_installed_on == (day or before)
    assert line.say("x") == f"{typed}\r\n".encode()


def test_a_setting_that_the_unit_lacks_is_not_available() -> None:
    line = Line()
    line.unit.owner.settings = Settings()
    assert set(line.ask("ulsoeqpkr")) == {b"NA\r\n"}


def test_the_line_s_own_settings_are_changed_by_name() -> None:
    wire = UpsLinkSettings()
    wire.change("answer-ms", "300")
    wire.change("alerts", "off")
    assert (wire.values()["answer_ms"], wire.values()["alerts"]) == (300, False)
    assert "faults" not in wire.values()
    with pytest.raises(WireSettingError, match="there is no such setting"):
        wire.change("parity", "even")
    with pytest.raises(WireSettingError):
        wire.change("baud", "-1")
