"""The control language, on a bench that is all in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Flag
from simulator.bootloader.loader import Loader
from simulator.control import VERBS, Wire, perform
from simulator.errors import ControlError
from simulator.modbus.settings import WireSettings
from simulator.unit import Unit

from .bench import OFF, ON_BATTERY, ONLINE, look, unit_of, wait


class Bench:
    """A whole bench: a unit, two wires and a pace."""

    def __init__(self) -> None:
        self._unit = unit_of()
        self.loader = Loader(self._unit)
        self._wires = {"modbus-tcp": WireSettings(), "modbus-rtu": WireSettings()}
        self.speed = 1.0
        self.held = False

    @property
    def unit(self) -> Unit:
        return self._unit

    @property
    def wires(self) -> Mapping[str, Wire]:
        return self._wires

    @property
    def monotonic_s(self) -> float:
        return 0.0

    def set_pace(self, *, speed: float | None = None, held: bool | None = None) -> None:
        self.speed = self.speed if speed is None else speed
        self.held = self.held if held is None else held

    def commands(self) -> list[dict[str, object]]:
        return [{"number": 1, "address": 1541}, {"number": 2, "address": 1540}]

    def state(self) -> dict[str, Any]:
        return {"state": look(self._unit).state}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_mains_are_switched_set_and_restored(bench: Bench) -> None:
    perform("mains off", bench)
    assert wait(bench.unit, 1).state is ON_BATTERY
    perform("mains on", bench)
    assert wait(bench.unit, 10).state is ONLINE
    perform("mains 100V 59.5Hz 5%", bench)
    set_to = bench.unit.mains
    assert (set_to.voltage_v, set_to.frequency_hz, set_to.distortion_pct) == (100, 59.5, 5)
    perform("MAINS ON", bench)
    assert bench.unit.mains == bench.unit.model.normal_mains()


def test_distortion_and_notches_pass(bench: Bench) -> None:
    perform("mains distorted", bench)
    assert wait(bench.unit, 1).state is ON_BATTERY
    perform("mains clean", bench)
    assert wait(bench.unit, 10).state is ONLINE
    perform("mains notch 50ms", bench)
    assert wait(bench.unit, 1).state is ON_BATTERY
    assert wait(bench.unit, 10).state is ONLINE


def test_another_setting_of_the_mains_ends_a_notch(bench: Bench) -> None:
    perform("mains notch 5000ms", bench)
    wait(bench.unit, 1)
    perform("mains 119V", bench)
    assert wait(bench.unit, 4.5).state is ONLINE
    perform("mains notch 100ms", bench)
    perform("mains notch 5000ms", bench)
    assert wait(bench.unit, 4.6).state is ON_BATTERY


def test_load_and_battery_are_set(bench: Bench) -> None:
    perform("load 80%", bench)
    perform("battery 30", bench)
    perform("battery age 6", bench)
    perform("battery temperature 41", bench)
    perform("ambient 35", bench)
    seen, battery = look(bench.unit), bench.unit.battery
    assert seen.load_pct == pytest.approx(80)
    assert seen.charge_pct == pytest.approx(30)
    assert (battery.age_years, battery.temp_c, battery.ambient_c) == (6, 41, 35)
    perform("battery replace", bench)
    assert (battery.charge, battery.age_years) == (1, 0)


def test_a_battery_is_taken_out_and_put_back(bench: Bench) -> None:
    perform("battery disconnect", bench)
    assert Flag.BATTERY_DISCONNECTED in look(bench.unit).flags
    perform("mains off", bench)
    assert wait(bench.unit, 1).state is OFF
    perform("battery connect", bench)
    assert Flag.BATTERY_DISCONNECTED not in look(bench.unit).flags


def test_faults_are_injected_by_name_and_taken_away(bench: Bench) -> None:
    assert perform("fault FAN", bench)[0]["faults"] == ["fan"]
    assert perform("fault replace-battery on", bench)[0]["faults"] == ["fan", "replace_battery"]
    assert perform("fault fan off", bench)[0]["faults"] == ["replace_battery"]
    assert perform("faults", bench)[0]["faults"] == ["replace_battery"]
    with pytest.raises(ControlError, match="did you mean 'overtemperature'"):
        perform("fault overtemprature", bench)


def test_time_is_held_released_and_sped_up(bench: Bench) -> None:
    assert perform("hold", bench)[0]["held"] is True
    assert perform("release", bench)[0]["held"] is False
    assert perform("speed 100", bench)[0]["speed"] == 100


def test_lists_say_how_many_lines_they_have(bench: Bench) -> None:
    perform("load 80", bench)
    perform("mains off", bench)
    head, *changes = perform("history", bench)
    assert head == {"ok": True, "lines": len(changes), "last": len(changes), "dropped": 0}
    assert (changes[0]["kind"], changes[0]["old"], changes[0]["new"]) == ("load", 50.0, 80.0)
    assert perform("history since 1", bench)[1] == changes[1]
    assert [line["number"] for line in perform("commands since 1", bench)[1:]] == [2]
    assert {line["verb"] for line in perform("help", bench)[1:]} == set(VERBS)


def test_wires_are_shown_and_changed_all_or_one(bench: Bench) -> None:
    wires = perform("wire read-only on", bench)[0]["wires"]
    assert {wire["read_only"] for wire in wires.values()} == {True}
    wires = perform("wire modbus-rtu swallow 2", bench)[0]["wires"]
    assert (wires["modbus-tcp"]["swallow"], wires["modbus-rtu"]["swallow"]) == (0, 2)
    with pytest.raises(ControlError, match="no such setting"):
        perform("wire colour blue", bench)


def test_a_self_test_is_started_from_the_panel(bench: Bench) -> None:
    assert perform("test", bench)[0]["self_test"]["source"] == "local"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "main off",
        "mains",
        "mains 195",
        "mains 900V",
        "mains off please",
        "mains notch 1 2",
        "load",
        "load much",
        "load -1",
        "load 301",
        "load nan",
        "load 1e2",
        "battery",
        "battery age",
        "battery 101",
        "fault",
        "fault fan maybe",
        "hold on",
        "speed 0",
        "history until 3",
        "wire swallow",
        "ambient",
    ],
)
def test_a_line_that_is_not_understood_says_why_and_changes_nothing(bench: Bench, line: str) -> None:
    with pytest.raises(ControlError):
        perform(line, bench)
    assert bench.unit.history.since() == ()


words = st.sampled_from(
    [
        *VERBS,
        "off",
        "on",
        "195V",
        "50.5Hz",
        "x",
        "since",
        "-1",
        "1e9",
        "nan",
        "inf",
        "%",
        "age",
        "fan",
        "notch",
        "\u0663",
    ]
)


@given(st.lists(words, max_size=4).map(" ".join) | st.text(max_size=60))
def test_any_line_ends_in_an_answer_or_a_declared_error(line: str) -> None:
    try:
        answer = perform(line, Bench())
    except ControlError as error:
        assert error.problem
    else:
        assert answer[0]["ok"] is True
        assert answer[0].get("lines", 0) == len(answer) - 1
