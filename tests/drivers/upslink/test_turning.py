"""Settings of a unit in memory: turned until they fit, names typed with pauses (ups-link.md section 12)."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from drivers.errors import NoAnswer
from drivers.ups import Outcome, Verb
from tests.drivers.upslink.memory import (
    after_the_serial,
    command,
    met,
    undamaged,
)


async def test_an_enumerated_setting_is_turned_until_it_fits() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))
    assert (report.outcome, report.detail) == (Outcome.DONE, "read back as written")
    assert bench.unit.obeyed == ["-u", "-u"]
    sent = "".join(char for _, char in bench.line.sent)
    assert sent.endswith("nu-nu-nu")
    turns = [at for at, char in bench.line.sent if char == "-"]
    assert turns[1] - turns[0] >= 0.5


async def test_a_setting_that_is_right_already_is_not_written() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=132))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == []


async def test_turning_ends_after_one_round() -> None:
    bench = await met()
    bench.unit.rotations["u"] = ("132", "135", "129")
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))
    assert report.outcome is Outcome.NOT_TAKEN
    assert bench.unit.obeyed == ["-u"] * 3


async def test_a_value_that_occurs_twice_does_not_look_like_once_round() -> None:
    """CAPS: s is H M L L."""
    bench = await met()
    bench.unit.values["s"] = "L"
    bench.unit.rotations["s"] = ("L", "L", "H", "M")
    bench.unit.capabilities = bench.unit.capabilities.replace("s441HMLL", "s441LLHM")
    order = iter(("L", "H", "M", "L"))
    bench.unit.rotations["s"] = ("L", "H", "M")
    assert next(order) == "L"
    assert (await bench.driver.execute(command(Verb.SET_SENSITIVITY, value="reduced"))).outcome is Outcome.DONE
    assert bench.unit.values["s"] == "M"


async def test_a_value_that_the_unit_does_not_take_is_refused_with_those_it_takes() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=200))
    assert report.outcome is Outcome.REFUSED
    assert "132, 135, 138, 129" in report.detail
    assert "-" not in bench.asked()


@pytest.mark.parametrize("refusal", ["NO\r\n", "NA\r\n"])
async def test_a_unit_that_refuses_to_turn_is_not_asked_again(refusal: str) -> None:
    bench = await met()
    bench.unit.says["-"] = refusal
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))
    assert report.outcome is Outcome.REFUSED
    assert bench.asked().count("-") == 1


async def test_values_have_the_words_of_the_settings() -> None:
    bench = await met()
    done = [
        await bench.driver.execute(command(Verb.SET_BATTERY_TEST_INTERVAL, value="start_up")),
        await bench.driver.execute(command(Verb.SET_TURN_OFF_DELAY, groups=(0,), value=20)),
        await bench.driver.execute(command(Verb.SET_LOW_BATTERY_RUNTIME, value=120)),
        await bench.driver.execute(command(Verb.SET_ALARM_DELAY, value="30s")),
        await bench.driver.execute(command(Verb.SET_MINIMUM_RETURN_CHARGE, value=0)),
        await bench.driver.execute(command(Verb.SET_OUTPUT_VOLTAGE, value=115)),
    ]
    assert [report.outcome for report in done] == [Outcome.DONE] * 6
    assert bench.unit.values["E"] == "ON "
    assert bench.unit.obeyed == ["-E", "-E"]


async def test_a_name_is_typed_with_pauses_and_padded_with_blanks() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SET_NAME, value="rack 1"))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == ["-crack 1  "]
    typed = after_the_serial(bench)[1:10]
    assert "".join(char for _, char in typed) == "-rack 1  "
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(typed)]
    assert gaps[0] >= 0.2
    assert all(gap == pytest.approx(0.05) for gap in gaps[1:])


async def test_an_alert_does_not_break_off_a_name_for_whose_rest_the_unit_waits() -> None:
    bench = await met()
    bench.line.damage = lambda asked, answer: [(0.1, b"|")] if asked == "-" else undamaged(asked, answer)
    assert (await bench.driver.execute(command(Verb.SET_NAME, value="rack 1"))).outcome is Outcome.DONE


async def test_after_a_name_that_was_broken_off_y_comes_quickly_until_the_unit_says_sm_and_never_so_again() -> None:
    bench = await met()
    bench.line.damage = lambda asked, answer: [(0.01, b"~")] if asked == "k" else undamaged(asked, answer)
    report = await bench.driver.execute(command(Verb.SET_NAME, value="rack 1"))
    assert (report.outcome, bench.unit.obeyed) == (Outcome.NOT_TAKEN, ["-crackYYYY"])
    hellos = [at for at, char in bench.line.sent if char == "Y"]
    assert len(hellos) == 5, "four letters were due, and the fifth enters smart mode"
    assert hellos[-1] - hellos[0] < 1.5

    bench.line.damage = lambda *_: []
    for _ in range(2):
        with pytest.raises(NoAnswer):
            await bench.driver.fast()
    bench.line.sent.clear()
    begun = bench.clock.now
    with pytest.raises(NoAnswer):
        await bench.driver.fast()
    assert ([char for _, char in bench.line.sent], bench.clock.now - begun) == (["Y"], 3.0)


async def test_a_unit_that_takes_no_name_gets_no_letter_of_it() -> None:
    bench = await met()
    bench.unit.says["-"] = "NO\r\n"
    report = await bench.driver.execute(command(Verb.SET_NAME, value="KKZZSSWW"))
    assert report.outcome in (Outcome.NOT_TAKEN, Outcome.REFUSED)
    assert not set("KZSW") & set(bench.asked())


@pytest.mark.parametrize("name", ["a!b", "rack#1", "x" * 9, "r\xe4ck", "a:b", "\r\n", 7, None])
async def test_s6_a_name_holds_no_character_that_others_would_lose(name: object) -> None:
    bench = await met()
    assert (await bench.driver.execute(command(Verb.SET_NAME, value=name))).outcome is Outcome.REFUSED
    assert "-" not in bench.asked()


async def test_the_battery_date_is_month_day_year() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SET_BATTERY_DATE, value=date(2026, 3, 9)))
    assert report.outcome is Outcome.DONE
    assert bench.unit.values["x"] == "03/09/26"
