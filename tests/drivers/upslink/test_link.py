"""The driver's conduct on a unit in memory: start-up, late and damaged replies, alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import BadAnswer, DriverError, IdentityChanged, LineDown, NoAnswer, PortLost
from drivers.ups import Cause, Flag, Outcome, Snapshot, State, Verb
from drivers.upslink.characters import ALERTS
from tests.drivers.faulty_unit import bare
from tests.drivers.memory import START
from tests.drivers.upslink.memory import LISTED, SERIAL, URL, Arrivals, Bench, MemoryUnit, command, undamaged


def on(char: str, arrivals: Callable[[bytes], Arrivals]) -> Callable[[str, bytes], Arrivals]:
    """Damage to the answers to one character alone."""
    return lambda asked, answer: arrivals(answer) if asked == char else undamaged(asked, answer)


def once(arrivals: Callable[[bytes], Arrivals]) -> Callable[[bytes], Arrivals]:
    """Damage to the first answer alone."""
    left = [arrivals]
    return lambda answer: (left.pop() if left else lambda whole: undamaged("", whole))(answer)


# Start-up.


async def test_the_first_contact_enters_smart_mode_and_learns_what_the_unit_understands() -> None:
    bench = Bench()
    identity = await bench.driver.connect()
    assert bench.asked().startswith("YVba\x1ann")
    assert (identity.serial, identity.model, identity.firmware) == (SERIAL, "SMART-UPS 700", "50.9.D")
    assert bench.driver.pinned == SERIAL


async def test_a_unit_of_the_table_is_never_asked_for_its_list() -> None:
    unit = MemoryUnit(listed=None)
    unit.values["V"] = "8TI"
    bench = Bench(unit=unit)
    await bench.driver.connect()
    assert not set("a\x1ab") & set(bench.asked())
    snapshot = await bench.driver.full()
    assert (snapshot.state, snapshot.input_v) == (State.ONLINE, 118.3)
    assert not set("~'8") & set(bench.asked())


async def test_an_old_unit_that_says_na_to_everything_new_is_read_as_far_as_it_goes() -> None:
    unit = MemoryUnit({"Q": "08", "L": "231.8", "O": "231.8", "C": "36"}, listed=None)
    bench = Bench(unit=unit)
    identity = await bench.driver.connect()
    snapshot = await bench.driver.full()
    assert identity.serial is None
    assert (snapshot.state, snapshot.input_v, snapshot.battery_temp_c) == (State.ONLINE, 231.8, 36.0)
    assert snapshot.load_pct is None


async def test_a_silent_line_says_what_to_look_at() -> None:
    bench = Bench()
    bench.line.damage = lambda *_: []
    with pytest.raises(NoAnswer, match=r"940-0024C.*Modbus"):
        await bench.driver.connect()
    assert bench.asked() == "Y" * 5
    with pytest.raises(LineDown):
        await bench.driver.connect()


async def test_a_late_second_sm_is_never_taken_for_the_next_answer() -> None:
    """NUT#748: NUT took it for the answer to `V` and fell back to its list for very old units."""
    bench = Bench()
    bench.line.damage = on("Y", once(lambda answer: [(1.6, answer)]))
    identity = await bench.driver.connect()
    assert identity.firmware == "50.9.D"
    assert bench.asked().startswith("YYVba")
    assert (await bench.driver.full()).runtime_s == 327 * 60


async def test_what_another_program_left_on_the_line_is_no_answer() -> None:
    bench = Bench()
    bench.line.damage = on("Y", once(lambda answer: [(0.01, b"8.3\r\nOK\r\n08"), (0.05, b"\r\n" + answer)]))
    assert (await bench.driver.connect()).serial == SERIAL


# Replies.


async def test_one_question_at_a_time() -> None:
    bench = Bench()
    await bench.driver.connect()
    overlapping = []
    outstanding = [0]

    def watch(asked: str, answer: bytes) -> Arrivals:
        overlapping.append(outstanding[0])
        return undamaged(asked, answer)

    bench.line.damage = watch
    await asyncio.gather(bench.driver.full(), bench.driver.fast(), bench.driver.settings())
    times = [at for at, _ in bench.line.sent]
    assert all(later - earlier >= 0.04 for earlier, later in zip(times, times[1:], strict=False))


async def test_a_reply_that_is_late_is_never_taken_for_the_next_answer() -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.unit.values["L"], bench.unit.values["O"] = "111.1", "222.2"
    bench.line.damage = on("L", once(lambda answer: [(3.4, answer)]))
    with pytest.raises(NoAnswer):
        await bench.driver.full()
    bench.asked()
    snapshot = await bench.driver.full()
    assert bench.asked()[0] == "Y"
    assert (snapshot.input_v, snapshot.output_v) == (111.1, 222.2)


async def test_after_a_time_out_what_comes_for_a_second_is_thrown_away() -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.unit.says["Q"] = ""
    with pytest.raises(NoAnswer):
        await bench.driver.fast()
    del bench.unit.says["Q"]
    bench.line.damage = on("Y", lambda answer: [(0.05, answer), (0.9, b"10\r\n")])
    assert (await bench.driver.fast()).state is State.ONLINE


async def test_the_patience_is_3_s_and_6_s_for_the_long_replies() -> None:
    bench = Bench()
    bench.line.damage = on("a", lambda answer: [(5.9, answer)])
    await bench.driver.connect()
    bench.unit.says["Q"] = ""
    began = bench.clock.now
    with pytest.raises(NoAnswer):
        await bench.driver.fast()
    assert bench.clock.now - began == pytest.approx(3.0)


async def test_a_repeated_reply_costs_a_second_try_and_no_reading() -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.unit.values["L"], bench.unit.values["O"] = "111.1", "222.2"
    bench.line.damage = on("L", once(lambda answer: [(0.05, answer), (0.09, answer)]))
    snapshot = await bench.driver.full()
    assert (snapshot.input_v, snapshot.output_v) == (111.1, 222.2)
    assert bench.driver.counters.discarded >= 1


@pytest.mark.parametrize("cut", range(6))
async def test_a_reply_that_was_cut_is_no_reading(cut: int) -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.line.damage = on("L", once(lambda answer: [(0.05, answer[:cut] + answer[cut + 1 :])]))
    try:
        snapshot = await bench.driver.full()
    except (BadAnswer, NoAnswer):
        return
    assert snapshot.input_v == 118.3


async def test_sm_to_the_status_is_asked_again() -> None:
    """Behind a late SM the true answer is still on its way: all of that is thrown away."""
    bench = Bench()
    await bench.driver.full()
    bench.line.damage = on("Q", once(lambda _: [(0.05, b"SM\r\n"), (0.3, b"10\r\n")]))
    bench.asked()
    assert (await bench.driver.fast()).state is State.ONLINE
    assert bench.asked().startswith("QYQ")


async def test_a_status_that_is_never_ready_is_an_error() -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.unit.says["Q"] = "SM\r\n"
    with pytest.raises(NoAnswer, match="not ready"):
        await bench.driver.fast()


async def test_a_value_that_is_not_available_for_now_comes_back() -> None:
    """NUT removes such a value until it is restarted (16.3)."""
    bench = Bench()
    await bench.driver.connect()
    bench.unit.says["L"] = "NA\r\n"
    assert (await bench.driver.full()).input_v is None
    del bench.unit.says["L"]
    assert (await bench.driver.full()).input_v == 118.3


async def test_a_value_that_is_listed_and_not_available_is_asked_for_by_each_full_reading() -> None:
    bench = Bench()
    await bench.driver.connect()
    kept = {char: bench.unit.values.pop(char) for char in "FG"}
    for _ in range(5):
        bench.asked()
        assert (await bench.driver.full()).input_hz is None
        assert bench.asked().count("F") == 1
    bench.unit.values.update(kept)
    snapshot = await bench.driver.full()
    assert (snapshot.input_hz, snapshot.cause) == (60.0, Cause.RAPID_INPUT_VOLTAGE_CHANGE)


def refusing(bench: Bench, chars: str) -> None:
    bench.unit.says.update(dict.fromkeys(chars, "NA\r\n"))


@pytest.mark.parametrize("read", ["full", "settings"])
async def test_a_unit_that_refused_everything_new_when_it_was_met_is_known_with_the_next_reading(read: str) -> None:
    bench, sound = Bench(), Bench()
    whole = await sound.driver.connect()
    refusing(bench, "Vba\x1an\x01mcx")
    met = await bench.driver.connect()
    assert (met.serial, met.model, met.firmware, bench.driver.pinned) == (None, None, None, None)
    bench.unit.says.clear()
    await getattr(bench.driver, read)()
    assert await bench.driver.connect() == whole
    assert bench.driver.pinned == SERIAL
    assert bare(await bench.driver.full()) == bare(await sound.driver.full())
    assert (await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))).outcome is Outcome.DONE
    bench.asked()
    await bench.driver.full()
    assert not set("Vba\x1an\x01mcx") & set(bench.asked())


async def test_the_values_of_a_setting_are_those_of_the_locale_that_came_late() -> None:
    """The firmware's last character names the groups of ^Z (11)."""
    bench = Bench()
    refusing(bench, "Vb")
    await bench.driver.connect()
    bench.unit.says.clear()
    await bench.driver.full()
    done = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))
    assert done.outcome is Outcome.DONE


async def test_a_unit_of_the_table_that_refused_its_code_is_asked_what_it_lists_and_nothing_more() -> None:
    unit = MemoryUnit(listed=None)
    unit.values.update({"V": "8TI", "/": "00.88"})
    bench = Bench(unit=unit)
    refusing(bench, "V")
    assert (await bench.driver.full()).output_a == 0.88
    bench.unit.says.clear()
    snapshot = await bench.driver.full()
    assert (snapshot.runtime_s, snapshot.output_a) == (327 * 60, None)
    bench.asked()
    await bench.driver.full()
    assert not set("Vba\x1a/") & set(bench.asked())


async def test_a_unit_that_understands_something_else_since_the_line_was_lost_is_taken_at_its_word() -> None:
    bench = Bench()
    assert (await bench.driver.full()).input_hz == 60.0
    bench.unit.listed = LISTED.replace("F", "")
    bench.unit.values["V"] = "FWI"
    bench.unit.capabilities = "#uD13132"
    await met_again(bench)
    assert (await bench.driver.full()).input_hz is None
    refused = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))
    assert refused.outcome is Outcome.REFUSED


async def met_again(bench: Bench) -> None:
    """The line is lost and back."""
    bench.line.is_open = False
    with pytest.raises(PortLost):
        await bench.driver.fast()
    bench.clock.now += 60
    await bench.driver.connect()


@pytest.mark.parametrize(("char", "field"), [("F", "input_hz"), ("G", "cause")])
async def test_a_value_that_was_there_is_gone_only_when_that_was_said_three_times(char: str, field: str) -> None:
    bench = Bench()
    assert getattr(await bench.driver.full(), field) is not None
    del bench.unit.values[char]
    for _ in range(2):
        with pytest.raises(BadAnswer, match="which was answered before"):
            await bench.driver.full()
    snapshot = await bench.driver.full()
    assert getattr(snapshot, field) is None
    assert snapshot.input_v == 118.3


# Identity (S3).


async def test_s3_another_serial_than_the_pinned_one_stops_everything() -> None:
    bench = Bench(pinned="AS0000000000")
    with pytest.raises(IdentityChanged) as caught:
        await bench.driver.full()
    assert (caught.value.expected, caught.value.found) == ("AS0000000000", SERIAL)
    bench.driver.accept(SERIAL)
    bench.clock.now += 60
    assert (await bench.driver.connect()).serial == SERIAL


async def test_s3_one_cut_serial_number_makes_no_stranger_and_pins_nothing() -> None:
    bench = Bench(pinned=SERIAL)
    bench.line.damage = on("n", once(lambda answer: [(0.05, answer[:4] + answer[6:])]))
    with pytest.raises(BadAnswer, match="two readings of the serial number differ"):
        await bench.driver.connect()
    bench.clock.now += 60
    assert (await bench.driver.connect()).serial == SERIAL


async def test_s3_the_serial_is_read_on_every_reconnect() -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.line.is_open = False
    bench.unit.values["n"] = "XX9643050999"
    with pytest.raises(DriverError):
        await bench.driver.fast()
    bench.clock.now += 60
    with pytest.raises(IdentityChanged):
        await bench.driver.fast()


# Alerts (S4).


async def test_s4_a_fast_reading_is_the_status_alone() -> None:
    bench = Bench()
    await bench.driver.full()
    bench.asked()
    await bench.driver.fast()
    assert bench.asked() == "Q"


async def test_a_fast_reading_that_shows_a_transfer_has_its_own_cause_and_line_quality() -> None:
    bench = Bench()
    bench.unit.values["G"] = "S"
    await bench.driver.full()
    bench.unit.values.update({"Q": "10", "G": "L", "9": "00"})
    bench.asked()
    snapshot = await bench.driver.fast()
    assert bench.asked() == "QG9Q"
    assert (snapshot.state, snapshot.cause) == (State.ON_BATTERY, Cause.LOW_INPUT_VOLTAGE)
    assert Flag.INPUT_NOT_ACCEPTABLE in snapshot.flags


async def test_s4_an_alert_inside_a_reply_brings_the_status_at_once() -> None:
    bench = Bench()
    await bench.driver.full()
    bench.asked()

    def ring(answer: bytes) -> Arrivals:
        bench.unit.values.update({"Q": "10", "G": "R", "9": "00"})
        return [(0.05, answer[:2] + b"!" + answer[2:])]

    bench.line.damage = on("f", once(ring))
    snapshot = await bench.driver.full()
    asked = bench.asked()
    assert asked[asked.index("f") + 1] == "Q"
    assert snapshot.state is State.ON_BATTERY
    assert snapshot.charge_pct == 100.0


async def test_s4_an_alert_between_two_polls_is_heard_at_once() -> None:
    bench = Bench()
    await bench.driver.full()
    bench.unit.values["Q"] = "10"
    bench.line.arrive([(1.25, b"!")])
    began = bench.clock.now
    await bench.driver.alerted()
    assert bench.clock.now - began == pytest.approx(1.25)
    assert (await bench.driver.fast()).state is State.ON_BATTERY
    bench.line.arrive([(0.7, b"$")])
    again = bench.clock.now
    await bench.driver.alerted()
    assert bench.clock.now - again == pytest.approx(0.7)


async def test_a_line_that_rings_without_end_is_not_asked_without_end() -> None:
    bench = Bench()
    await bench.driver.full()
    for _ in range(20):
        bench.line.arrive([(0.01, b"?")])
        await bench.driver.alerted()
        await bench.driver.fast()
    assert bench.clock.now - START >= 19 * 0.5


async def test_bytes_that_nobody_asked_for_are_no_alert_and_put_the_line_in_doubt() -> None:
    bench = Bench()
    await bench.driver.full()
    bench.line.arrive([(0.2, b"10\r\n"), (0.4, b"+")])
    await bench.driver.alerted()
    bench.asked()
    assert (await bench.driver.fast()).state is State.ONLINE
    assert bench.asked()[0] == "Y"


async def test_a_line_that_is_lost_is_told_like_an_alert_and_a_closed_one_never_rings() -> None:
    bench = Bench()
    await bench.driver.full()
    bench.line.is_open = False
    await bench.driver.alerted()
    with pytest.raises(PortLost):
        await bench.driver.fast()
    waiting = asyncio.ensure_future(bench.driver.alerted())
    done, _ = await asyncio.wait([waiting], timeout=0)
    assert not done
    waiting.cancel()


async def test_the_extremes_are_read_only_where_the_url_says_so() -> None:
    for url, wanted in ((URL, None), (URL + "?minmax=true", 118.9)):
        bench = Bench(url)
        assert (await bench.driver.full()).input_max_v == wanted


# Any damage: a value that is true, or a declared error.

TRUE_NUMBERS = {"input_v": 118.3, "output_v": 119.6, "input_hz": 60.0, "load_pct": 27.0, "charge_pct": 74.0}


def true_unit() -> MemoryUnit:
    unit = MemoryUnit()
    unit.values.update({"L": "118.3", "O": "119.6", "f": "074.0"})
    return unit


def assert_true(snapshot: Snapshot) -> None:
    assert snapshot.state is State.ONLINE
    for name, value in TRUE_NUMBERS.items():
        assert getattr(snapshot, name) in (value, None), name


@given(st.data())
async def test_an_alert_in_any_reply_is_noted_and_changes_no_value(data: st.DataObject) -> None:
    bench = Bench(unit=true_unit())
    await bench.driver.connect()
    char = data.draw(st.sampled_from("QG9LOFPfBj"))
    alert = data.draw(st.sampled_from(ALERTS)).encode()
    at = data.draw(st.integers(0, 8))
    bench.line.damage = on(char, once(lambda answer: [(0.05, answer[:at] + alert + answer[at:])]))
    bench.asked()
    assert_true(await bench.driver.full())
    assert bench.asked().count("Q") >= 2
    assert bench.driver.counters.timeouts == 0


@given(
    st.dictionaries(
        st.sampled_from("QG9XLOFPfBj~8Y"),
        st.sampled_from(["late", "twice", "much later twice", "half", "nothing", "swapped"]),
        max_size=4,
    )
)
async def test_late_repeated_and_cut_replies_end_in_the_true_value_or_a_declared_error(faults: dict[str, str]) -> None:
    bench = Bench(unit=true_unit())
    await bench.driver.connect()
    left = dict(faults)

    def damage(asked: str, answer: bytes) -> Arrivals:
        match left.pop(asked, ""):
            case "late":
                return [(3.3, answer)]
            case "twice":
                return [(0.04, answer), (0.06, answer)]
            case "much later twice":
                return [(0.04, answer), (0.9, answer)]
            case "half":
                return [(0.04, answer[: len(answer) // 2])]
            case "nothing":
                return []
            case "swapped":
                return [(0.04, answer[::-1])]
        return undamaged(asked, answer)

    bench.line.damage = damage
    for _ in range(6):
        try:
            assert_true(await bench.driver.full())
        except DriverError:
            bench.clock.now += 20


@given(st.lists(st.binary(max_size=40), max_size=30), st.lists(st.floats(0, 4), min_size=30, max_size=30))
async def test_any_bytes_end_in_a_reading_or_a_declared_error(answers: list[bytes], delays: list[float]) -> None:
    bench = Bench(unit=true_unit())
    left = list(zip(delays, answers, strict=False))

    def damage(asked: str, answer: bytes) -> Arrivals:
        return [left.pop()] if left else undamaged(asked, answer)

    bench.line.damage = damage
    for work in (bench.driver.connect, bench.driver.full, bench.driver.fast, bench.driver.settings) * 2:
        try:
            await work()
        except DriverError:
            bench.clock.now += 20
