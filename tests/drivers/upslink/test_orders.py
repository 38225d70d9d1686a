"""Commands on a unit in memory: sent once, only to the right unit, character by character as ups-link.md has it."""

from __future__ import annotations

import contextlib
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError, IdentityChanged, NotAllowed, PortLost
from drivers.ups import Command, Outcome, Verb
from drivers.upslink.allowed import permit, permit_question
from drivers.upslink.characters import Query
from drivers.upslink.commands import WITHOUT_CHARACTER
from drivers.upslink.options import Options
from drivers.upslink.runtime.link import Link
from drivers.upslink.writes import Doubled, Press, Rotate, Text, Wake, Write
from tests.drivers.memory import MemoryClock
from tests.drivers.upslink.memory import (
    Arrivals,
    MemoryLine,
    MemoryUnit,
    after_the_serial,
    command,
    met,
    undamaged,
)


async def test_a_self_test_is_one_character_and_done_when_the_status_shows_it() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SELF_TEST))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == ["W"]


async def test_w_starts_no_test_that_would_stop_one_and_stops_only_one_that_runs() -> None:
    bench = await met()
    assert (await bench.driver.execute(command(Verb.SELF_TEST_ABORT))).outcome is Outcome.REFUSED
    bench.unit.values.update({"Q": "10", "G": "S"})
    assert (await bench.driver.execute(command(Verb.SELF_TEST))).outcome is Outcome.REFUSED
    assert bench.unit.obeyed == []


async def test_calibration_looks_at_bit_0_before_it_starts_or_stops() -> None:
    bench = await met()
    assert (await bench.driver.execute(command(Verb.CALIBRATION_ABORT))).outcome is Outcome.REFUSED
    assert bench.unit.obeyed == []
    assert (await bench.driver.execute(command(Verb.CALIBRATION))).outcome is Outcome.DONE
    assert (await bench.driver.execute(command(Verb.CALIBRATION))).outcome is Outcome.REFUSED
    assert (await bench.driver.execute(command(Verb.CALIBRATION_ABORT))).outcome is Outcome.DONE
    assert bench.unit.obeyed == ["D", "D"]


@pytest.mark.parametrize(
    ("verb", "char"), [(Verb.BEEP, "A"), (Verb.SIMULATE_POWER_FAILURE, "U")], ids=["beep", "failure"]
)
async def test_commands_of_one_character(verb: Verb, char: str) -> None:
    bench = await met()
    assert (await bench.driver.execute(command(verb))).outcome is Outcome.DONE
    assert bench.unit.obeyed == [char]


# Shutdown (7.3).


async def test_on_battery_shutdown_is_s() -> None:
    bench = await met()
    bench.unit.values.update({"Q": "10", "G": "R"})
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == ["S"]


async def test_on_mains_shutdown_is_at_000_with_silence_after_the_at_sign() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == ["@000"]
    sent = after_the_serial(bench)[:4]
    assert [char for _, char in sent] == ["@", "0", "0", "0"]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(sent)]
    assert gaps[0] >= 0.2
    assert all(gap == pytest.approx(0.05) for gap in gaps[1:])


@pytest.mark.parametrize(("minutes", "sent"), [(0, "@000"), (1, "@001"), (6, "@001"), (7, "@002"), (5994, "@999")])
async def test_the_time_to_wake_is_in_steps_of_6_minutes_and_never_shorter_than_asked(minutes: int, sent: str) -> None:
    bench = await met()
    await bench.driver.execute(command(Verb.SHUTDOWN, value=minutes))
    assert bench.unit.obeyed == [sent]


async def test_an_old_unit_gets_the_shortest_time_that_it_takes_and_answers_with_a_star() -> None:
    """7.2: with 000 it does nothing. 4.2: `*` without a line end."""
    unit = MemoryUnit(listed=None)
    unit.values["V"] = "8TI"
    unit.ok = "*"
    bench = await met(unit)
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    assert bench.unit.obeyed == ["@001"]
    assert report.outcome is Outcome.DONE


async def test_an_old_unit_that_took_a_shutdown_and_is_silent_until_it_wakes_did_it() -> None:
    """7.2: after `@` its serial link may be lost."""
    unit = MemoryUnit(listed=None)
    unit.values["V"] = "8TI"
    unit.ok = "*"
    bench = await met(unit)
    bench.line.damage = lambda asked, answer: [] if unit.obeyed and asked in "QY" else undamaged(asked, answer)
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    assert report.outcome is Outcome.DONE
    assert "silent" in report.detail


async def test_no_digit_follows_an_at_sign_after_which_the_unit_spoke() -> None:
    bench = await met()
    bench.unit.says["@"] = "NA\r\n"
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    sent = [char for _, char in after_the_serial(bench)]
    assert sent[:2] == ["@", "Y"]
    assert not set("0123456789") & set(sent) - set("89")
    assert bench.unit.obeyed == []
    assert report.outcome is Outcome.NOT_TAKEN
    assert "broken off" in report.detail


async def test_an_alert_after_the_at_sign_breaks_it_off_too() -> None:
    bench = await met()
    bench.line.damage = lambda asked, answer: [(0.1, b"!")] if asked == "@" else undamaged(asked, answer)
    await bench.driver.execute(command(Verb.SHUTDOWN))
    assert [char for _, char in after_the_serial(bench)][:2] == ["@", "Y"]
    assert bench.unit.obeyed == []


async def test_s_that_is_refused_is_not_tried_in_another_form() -> None:
    bench = await met()
    bench.unit.values.update({"Q": "10", "G": "R"})
    bench.unit.says["S"] = "NA\r\n"
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    assert report.outcome is Outcome.REFUSED
    assert not {"@", "K", "Z"} & {char for _, char in bench.line.sent}


async def test_off_at_once_is_z_twice_with_a_pause_and_silence_is_its_answer() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.OUTLET_OFF, groups=(0,)))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == ["ZZ"]
    (first, one), (second, other), *_ = after_the_serial(bench)
    assert (one, other) == ("Z", "Z")
    assert 1.5 <= second - first < 2.0


async def test_off_after_the_delay_is_k_twice() -> None:
    bench = await met()
    report = await bench.driver.execute(command(Verb.OUTLET_OFF, groups=(0,), use_off_delay=True))
    assert report.outcome is Outcome.DONE
    assert bench.unit.obeyed == ["KK"]


async def test_the_second_press_is_not_sent_where_the_unit_spoke_after_the_first() -> None:
    bench = await met()
    bench.unit.says["Z"] = "NA\r\n"
    await bench.driver.execute(command(Verb.OUTLET_OFF, groups=(0,)))
    assert [char for _, char in after_the_serial(bench)][:2] == ["Z", "Y"]


async def test_on_is_control_n_twice_and_only_where_the_output_is_off() -> None:
    bench = await met()
    assert (await bench.driver.execute(command(Verb.OUTLET_ON, groups=(0,)))).outcome is Outcome.REFUSED
    bench.unit.values["Q"] = "00"
    assert (await bench.driver.execute(command(Verb.OUTLET_ON, groups=(0,)))).outcome is Outcome.DONE
    assert bench.unit.obeyed == ["\x0e\x0e"]


async def test_cancel_is_del() -> None:
    bench = await met()
    assert (await bench.driver.execute(command(Verb.OUTLET_CANCEL, groups=(0,)))).outcome is Outcome.DONE
    assert bench.unit.obeyed == ["\x7f"]


# S1, S2, S3.


@pytest.mark.parametrize(
    "order",
    [
        command(Verb.BEEP),
        command(Verb.SELF_TEST),
        command(Verb.CALIBRATION),
        command(Verb.SHUTDOWN),
        command(Verb.OUTLET_OFF, groups=(0,), use_off_delay=True),
        command(Verb.SET_TRANSFER_HIGH, value=135),
        command(Verb.SET_NAME, value="rack 1"),
    ],
    ids=lambda order: order.verb,
)
async def test_s1_with_its_reply_swallowed_the_unit_sees_each_command_once(order: Command) -> None:
    bench = await met()

    def swallow(asked: str, answer: bytes) -> Arrivals:
        return [] if answer == b"OK\r\n" else undamaged(asked, answer)

    bench.line.damage = swallow
    report = await bench.driver.execute(order)
    assert len(bench.unit.obeyed) == 1
    shows = order.verb in (Verb.SELF_TEST, Verb.CALIBRATION, Verb.SET_TRANSFER_HIGH, Verb.SET_NAME)
    assert report.outcome is (Outcome.DONE if shows else Outcome.UNKNOWN)


async def test_s1_a_line_that_dies_with_the_command_is_unknown_not_an_error() -> None:
    bench = await met()

    def die(asked: str, answer: bytes) -> Arrivals:
        bench.line.is_open = asked != "W"
        return undamaged(asked, answer)

    bench.line.damage = die
    assert (await bench.driver.execute(command(Verb.SELF_TEST))).outcome is Outcome.UNKNOWN
    assert bench.unit.obeyed == ["W"]


async def test_s1_a_line_that_dies_before_the_command_is_an_error_and_nothing_was_sent() -> None:
    bench = await met()

    def die(asked: str, answer: bytes) -> Arrivals:
        bench.line.is_open = asked != "n"
        return undamaged(asked, answer)

    bench.line.damage = die
    with pytest.raises(PortLost):
        await bench.driver.execute(command(Verb.SELF_TEST))
    assert bench.unit.obeyed == []


async def test_s3_the_serial_is_read_right_before_each_command() -> None:
    bench = await met()
    for order in (command(Verb.BEEP), command(Verb.OUTLET_OFF, groups=(0,)), command(Verb.SHUTDOWN)):
        bench.unit.values["Q"] = "08"
        await bench.driver.execute(order)
        serial_at = max(at for at, char in bench.line.sent if char == "n")
        sent = after_the_serial(bench)
        assert sent[0][0] - serial_at < 0.5
        assert sent[1][0] - serial_at <= 2.0


async def test_s3_a_command_for_another_unit_is_refused() -> None:
    bench = await met()
    report = await bench.driver.execute(Command(verb=Verb.BEEP, serial="XX0000000000"))
    assert report.outcome is Outcome.REFUSED
    assert bench.unit.obeyed == []


async def test_s3_a_unit_that_was_exchanged_gets_no_command() -> None:
    bench = await met()
    bench.unit.values["n"] = "XX9643050999"
    with pytest.raises(IdentityChanged):
        await bench.driver.execute(command(Verb.BEEP))
    assert bench.unit.obeyed == []


async def test_s3_a_unit_without_a_serial_number_gets_no_command() -> None:
    unit = MemoryUnit(listed=None)
    unit.values["V"] = "9GI"
    bench = await met(unit)
    report = await bench.driver.execute(command(Verb.BEEP))
    assert report.outcome is Outcome.REFUSED
    assert "without a serial number" in report.detail
    assert bench.unit.obeyed == []


@pytest.mark.parametrize("verb", sorted(WITHOUT_CHARACTER))
async def test_s2_what_upslink_has_no_word_for_is_unsupported_and_costs_no_byte(verb: Verb) -> None:
    bench = await met()
    report = await bench.driver.execute(command(verb))
    assert report.outcome is Outcome.UNSUPPORTED
    assert bench.asked() == ""


async def test_s2_a_command_that_the_unit_does_not_list_is_unsupported() -> None:
    bench = await met(MemoryUnit(listed="QLOn"))
    for order in (command(Verb.BEEP), command(Verb.SHUTDOWN), command(Verb.SET_NAME, value="x")):
        assert (await bench.driver.execute(order)).outcome is Outcome.UNSUPPORTED
    assert bench.unit.obeyed == []


@pytest.mark.parametrize(
    "order",
    [
        command(Verb.BEEP, groups=(0,)),
        command(Verb.BEEP, value=1),
        command(Verb.SELF_TEST, use_off_delay=True),
        command(Verb.OUTLET_OFF),
        command(Verb.OUTLET_OFF, groups=(1,)),
        command(Verb.OUTLET_OFF, groups=(0, 1)),
        command(Verb.OUTLET_ON, groups=(0,), cold_boot=True),
        command(Verb.SHUTDOWN, value=-1),
        command(Verb.SHUTDOWN, value=5995),
        command(Verb.SHUTDOWN, value="1"),
        command(Verb.SHUTDOWN, groups=(0,)),
        command(Verb.SET_TURN_OFF_DELAY, value=20),
        command(Verb.SET_BATTERY_DATE, value="03/09/26"),
    ],
    ids=str,
)
async def test_s2_what_makes_no_sense_is_refused_and_nothing_is_sent(order: Command) -> None:
    bench = await met()
    assert (await bench.driver.execute(order)).outcome is Outcome.REFUSED
    assert bench.unit.obeyed == []


NEVER = set("0123456z^+R")


@pytest.mark.parametrize("write", [Press("1"), Press("z"), Doubled("1"), Rotate("u"), Text("c", "a!bcdefg")], ids=str)
async def test_s2_the_list_is_asked_at_the_last_moment(write: Write) -> None:
    clock = MemoryClock()
    line = MemoryLine(clock, MemoryUnit())
    link = Link(line, Options(), clock)
    await link.open()
    line.sent.clear()
    with pytest.raises(NotAllowed):
        await link.perform(write)
    with pytest.raises(NotAllowed):
        await link.ask(Query(char="1", meaning="programming mode", form="PROG", examples=("PROG",)))
    assert line.sent == []


@given(st.characters(max_codepoint=255))
def test_s2_no_character_is_asked_that_does_more_than_ask(char: str) -> None:
    try:
        permit_question(char)
    except NotAllowed:
        return
    assert char not in NEVER | set("KZS@UDWA-\x0e\x7f")


def written(write: Write, last_asked: str) -> bool:
    try:
        permit(write, last_asked)
    except NotAllowed:
        return False
    return True


@given(st.characters(max_codepoint=255), st.characters(max_codepoint=255), st.text(max_size=9))
def test_s2_no_command_is_permitted_that_is_not_on_the_list(char: str, asked: str, text: str) -> None:
    assert not written(Press(char), asked) or char in "AWDUS\x7f"
    assert not written(Doubled(char), asked) or char in "KZ\x0e"
    assert not written(Rotate(char), asked) or (char == asked and char in "ulsoeprqkE")
    assert not written(Text(char, text), asked) or (char == asked and char in "cx" and len(text) == 8)


@pytest.mark.parametrize("steps", [-1, 1000])
def test_s2_the_time_to_wake_has_three_digits(steps: int) -> None:
    assert not written(Wake(steps), "n")


def test_s2_a_setting_is_turned_only_right_after_it_was_asked() -> None:
    assert written(Rotate("u"), "u")
    assert not written(Rotate("u"), "n")
    assert not written(Rotate("u"), "")


@given(
    st.sampled_from(sorted(set(Verb))),
    st.sampled_from([(), (0,), (1,)]),
    st.sampled_from([None, 0, 6, 138, "rack 1", "low", date(2026, 1, 1)]),
    st.sampled_from(["08", "10", "00", "11", "50"]),
    st.dictionaries(
        st.sampled_from("QnuKZ@-WDSc"), st.sampled_from(["", "NA\r\n", "NO\r\n", "*", "OK\r\n"]), max_size=2
    ),
)
async def test_s2_whatever_is_asked_no_forbidden_character_leaves(
    verb: Verb, groups: tuple[int, ...], value: str | int | date | None, state: str, says: dict[str, str]
) -> None:
    bench = await met()
    bench.unit.values["Q"] = state
    bench.unit.says = says
    with contextlib.suppress(DriverError):
        await bench.driver.execute(command(verb, groups=groups, value=value))
    assert len(bench.unit.obeyed) <= 4
    sent = "".join(char for _, char in bench.line.sent)
    typing = sent.partition("-")[2] if verb in (Verb.SET_NAME, Verb.SET_BATTERY_DATE) else ""
    digits = sent.partition("@")[2][:3]
    plain = sent.replace(typing, "", 1).replace("@" + digits, "@") if typing else sent.replace("@" + digits, "@")
    assert not NEVER & set(plain)
