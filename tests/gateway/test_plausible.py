"""Which readings are believed alone, and which have to be shown twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given

from drivers.errors import DriverError, NoAnswer
from drivers.smartups.registers import register
from drivers.ups import READINGS, Cause, Flag, Identity, OutletGroup, Snapshot
from gateway import plausible
from gateway.detect import step
from gateway.plausible import Doubt
from gateway.unit_state import UnitState
from gateway.wire.codec import decode_body, decode_record
from gateway.wire.messages import IdentityBody, Kind, Lane
from tests.drivers.bench import DriverBench
from tests.gateway.polled import ScriptedDriver, outbox_in, poller, told
from tests.gateway.test_detect_properties import readings
from tests.gateway.watched_unit import ACCEPTABLE, OFF, ON_BATTERY, ONLINE, reading

CALM: dict[str, Any] = {
    "charge_pct": 100.0,
    "runtime_s": 1800,
    "load_pct": 30.0,
    "energy_wh": 50_000,
    "battery_temp_c": 25.0,
    "output_hz": 60.0,
}


def calm(second: float, **values: Any) -> Snapshot:
    return reading(second, ONLINE, Cause.ACCEPTABLE_INPUT, flags=ACCEPTABLE, **{**CALM, **values})


def outage(second: float, cause: Cause = Cause.LOW_INPUT_VOLTAGE, **values: Any) -> Snapshot:
    return reading(second, ON_BATTERY, cause, **{**CALM, **values})


def weighed(*shown: Snapshot) -> Doubt:
    """What is doubtful about the last, the others having been believed."""
    state, last = UnitState(), None
    for snapshot in shown[:-1]:
        state, last = step(state, snapshot)[0], snapshot
    return plausible.weigh(state, last, shown[-1], step(state, shown[-1])[1])


def test_a_reading_like_the_last_is_believed() -> None:
    assert not weighed(calm(0), calm(2, load_pct=45.0, runtime_s=1100, input_v=118.0))


def test_a_transfer_whose_parts_agree_is_believed_at_once_and_so_is_its_end() -> None:
    assert not weighed(calm(0), outage(2))
    assert not weighed(calm(0), outage(2), calm(60))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(reading(2, 0x0004, Cause.LOW_INPUT_VOLTAGE, **CALM), id="the input is accepted"),
        pytest.param(outage(2, Cause.ACCEPTABLE_INPUT), id="the cause says the opposite"),
        pytest.param(reading(2, OFF, Cause.ACCEPTABLE_INPUT, **CALM), id="the output is off"),
    ],
)
def test_a_change_of_state_that_only_some_parts_tell_is_doubted(odd: Snapshot) -> None:
    doubt = weighed(calm(0), odd)
    assert any(change.startswith("state=") for change in doubt.changes)


def test_a_return_without_a_cause_of_its_own_is_doubted() -> None:
    assert weighed(calm(0), outage(2, Cause.ACCEPTABLE_INPUT), calm(60)).changes == {"mains_restored", "state=online"}


def test_that_a_lost_unit_answers_is_no_matter_of_doubt() -> None:
    state = msgspec.structs.replace(step(UnitState(), calm(0))[0], lost_at=calm(30).at)
    events = step(state, calm(60))[1]
    assert [event.type for event in events] == ["communication_restored"]
    assert not plausible.weigh(state, calm(0), calm(60), events)


@pytest.mark.parametrize("flag", [Flag.REPLACE_BATTERY, Flag.OVERLOAD_STATE, Flag.FAN, Flag.SITE_WIRING])
def test_a_flag_that_would_be_an_event_is_doubted(flag: Flag) -> None:
    before = calm(0)
    assert weighed(before, msgspec.structs.replace(calm(2), flags=before.flags | {flag})).changes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("charge_pct", 1.7),
        ("energy_wh", 49_999),
        ("energy_wh", 1_000_000),
        ("runtime_s", 100),
        ("runtime_s", 20_000),
        ("battery_temp_c", 60.0),
        ("output_hz", 0.5),
    ],
)
def test_a_jump_that_takes_more_time_than_has_passed_is_doubted(name: str, value: float) -> None:
    assert weighed(calm(0), calm(2, **{name: value})).jumps == {name}


def test_what_takes_its_time_is_no_jump() -> None:
    hour = calm(3600, charge_pct=20.0, energy_wh=53_000, battery_temp_c=45.0)
    assert not weighed(calm(0), hour)


def test_another_load_explains_another_runtime() -> None:
    assert not weighed(calm(0), calm(2, load_pct=90.0, runtime_s=300))


@pytest.mark.parametrize("name", sorted(plausible.RANGES))
def test_a_number_that_no_unit_can_have_is_no_reading(name: str) -> None:
    low, high = plausible.RANGES[name]
    for value, kept in ((low, True), (high, True), (low - 1, False), (high + 1, False), (float("nan"), False)):
        shown = plausible.within_range(msgspec.structs.replace(calm(0), **{name: value}))
        assert (getattr(shown, name) == value) is kept, value
        assert shown.state is calm(0).state


def test_a_runtime_with_its_words_exchanged_is_no_reading() -> None:
    assert plausible.within_range(calm(0, runtime_s=1800 << 16)).runtime_s is None


def test_every_reading_but_the_answer_time_has_a_range() -> None:
    assert set(plausible.RANGES) == {reading.name for reading in READINGS} - {"answer_ms"}


@given(readings())
def test_whatever_a_unit_shows_twice_is_taken(script: list[Snapshot]) -> None:
    """No event is swallowed: after any last reading, a second one like the first settles it."""
    state, last = UnitState(), None
    for snapshot in script:
        first = plausible.weigh(state, last, snapshot, step(state, snapshot)[1])
        assert plausible.settled(first, first)
        assert plausible.confirms(first, first)
        if step(state, snapshot)[1] and not first:
            assert state.power is not snapshot.state
        state, last = step(state, snapshot)[0], snapshot


@given(readings(), readings())
def test_what_a_calm_second_reading_contradicts_is_not_taken(before: list[Snapshot], odd: list[Snapshot]) -> None:
    state, last = UnitState(), None
    for snapshot in before:
        state, last = step(state, snapshot)[0], snapshot
    for snapshot in odd:
        doubt = plausible.weigh(state, last, snapshot, step(state, snapshot)[1])
        assert plausible.settled(doubt, None) is (not doubt)
        calm_again = Doubt(snapshot=snapshot)
        assert plausible.settled(calm_again, doubt)
        assert plausible.confirms(calm_again, doubt) is not bool(doubt.changes)


# the poller


START = [calm(0), calm(0)]
"""The first reading of all is confirmed by a second."""


async def polled(folder: Path, driver: ScriptedDriver, times: int) -> tuple[list[str], int]:
    """Event types told after so many polls, and how many readings were not believed."""
    async with outbox_in(folder) as outbox:
        polling = poller(outbox, driver)
        for _ in range(times):
            await polling.poll()
        return await told(outbox), polling.health().not_believed


async def test_an_outage_that_agrees_with_itself_needs_no_second_reading(tmp_path: Path) -> None:
    driver = ScriptedDriver([*START, outage(2), outage(2)])
    assert await polled(tmp_path, driver, 2) == (["on_battery"], 0)
    assert driver.reads == ["full", "full", "fast", "full"], "the full one is that which follows every transfer"


async def test_an_outage_does_not_wait_for_what_is_doubted_beside_it(tmp_path: Path) -> None:
    beside = msgspec.structs.replace(outage(2), flags=outage(2).flags | {Flag.FAN})
    driver = ScriptedDriver([*START, beside, NoAnswer("line", 2.0), outage(4), outage(6)])
    assert await polled(tmp_path, driver, 2) == (["on_battery"], 0)
    assert await polled(tmp_path / "2", ScriptedDriver([*START, beside, outage(3), outage(4)]), 2) == (
        ["on_battery"],
        1,
    )


async def test_a_return_that_one_reading_shows_between_a_restart_and_the_next_outage_is_told(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        before = poller(outbox, ScriptedDriver([*START, outage(2), outage(2)]))
        for _ in range(2):
            await before.poll()
        await before.close()
        await outbox.flushed()
        outbox.units = await outbox.writer.submit(lambda file: file.units())
        main = OutletGroup(index=0, on=True)
        script = [calm(60, main_outlet=main), outage(61, main_outlet=main)]
        after = poller(outbox, ScriptedDriver(script))
        await after.poll()
        assert await told(outbox) == ["on_battery", "mains_restored", "on_battery"]


async def test_an_outage_in_doubt_takes_exactly_one_more_reading(tmp_path: Path) -> None:
    doubtful = reading(2, 0x0004, Cause.ACCEPTABLE_INPUT, **CALM)
    driver = ScriptedDriver([*START, doubtful, doubtful])
    assert await polled(tmp_path, driver, 2) == (["on_battery"], 0)
    assert driver.reads[:4] == ["full", "full", "fast", "full"]


async def test_an_outage_shown_twice_is_told_though_the_second_reading_shows_more(tmp_path: Path) -> None:
    """One extra reading at most, whatever else has to be confirmed."""
    doubtful = reading(2, 0x0004, Cause.ACCEPTABLE_INPUT, **CALM)
    more = msgspec.structs.replace(doubtful, flags=doubtful.flags | {Flag.OVERLOAD_STATE, Flag.FAN})
    script: list[Snapshot | DriverError] = [*START, doubtful, more, more]
    assert (await polled(tmp_path / "1", ScriptedDriver(script), 2))[0] == ["on_battery"]
    assert set((await polled(tmp_path / "2", ScriptedDriver(script), 3))[0]) == {"on_battery", "overload", "fan_fault"}


async def test_what_is_new_in_the_second_reading_is_not_taken_with_what_it_confirms(tmp_path: Path) -> None:
    fan = msgspec.structs.replace(calm(2), flags=ACCEPTABLE | {Flag.FAN})
    damaged = msgspec.structs.replace(fan, flags=fan.flags | {Flag.REPLACE_BATTERY})
    events, _ = await polled(tmp_path, ScriptedDriver([*START, fan, damaged, fan, fan]), 3)
    assert events == ["fan_fault"]


async def test_a_damaged_reading_is_dropped_and_counted_and_no_event(tmp_path: Path) -> None:
    damaged = msgspec.structs.replace(calm(2), flags=frozenset({Flag.REPLACE_BATTERY, Flag.INPUT_ACCEPTABLE}))
    driver = ScriptedDriver([*START, damaged, calm(2), calm(4)])
    assert await polled(tmp_path, driver, 3) == ([], 1)


async def test_two_readings_that_contradict_each_other_are_a_failed_poll_and_no_event(tmp_path: Path) -> None:
    script = [
        *START,
        reading(2, OFF, Cause.GENERAL_ERROR, **CALM),
        msgspec.structs.replace(calm(2), flags=ACCEPTABLE | {Flag.FAN}),
        calm(4),
    ]
    assert await polled(tmp_path, ScriptedDriver(script), 3) == ([], 1)


async def test_what_the_second_reading_could_not_settle_is_settled_by_the_next_poll(tmp_path: Path) -> None:
    off = reading(2, OFF, Cause.GENERAL_ERROR, **CALM)
    script: list[Snapshot | DriverError] = [*START, off, NoAnswer("line", 2.0), off]
    driver = ScriptedDriver(script)
    events, not_believed = await polled(tmp_path, driver, 3)
    assert events == ["output_off"]
    assert not_believed == 0
    assert len(driver.reads) == 6, (
        "two at the start, two in doubt, the one that settles it, the full one after a change"
    )


async def test_charge_1_7_for_100_is_never_shown_as_low_battery(tmp_path: Path) -> None:
    """The field report behind this rule: apc-modbus.md 3.3."""
    false = outage(4, charge_pct=1.7, runtime_s=20)
    driver = ScriptedDriver([*START, outage(2), outage(2), false, outage(4), outage(6)])
    events, not_believed = await polled(tmp_path, driver, 4)
    assert events == ["on_battery"]
    assert not_believed == 1


async def test_a_damaged_identity_is_read_again_before_it_is_news(tmp_path: Path) -> None:
    sound, damaged = Identity(serial="AS1", firmware="UPS 04.1"), Identity(serial="AS1", firmware="UPS 0$.1")
    script: list[Snapshot | DriverError] = [*START, NoAnswer("line", 2.0), calm(4)]
    driver = ScriptedDriver(script, [sound, damaged, sound])
    events, _ = await polled(tmp_path, driver, 4)
    assert events == []


async def test_an_identity_that_is_completed_while_the_line_is_up_is_told(tmp_path: Path) -> None:
    bench = DriverBench()
    bench.unit.image[1] = 0x0244  # on battery, so that every reading is a full one
    bench.unit.lacks = {register("name").address}
    async with outbox_in(tmp_path) as outbox:
        polling = poller(outbox, bench.driver)
        await polling.poll()
        bench.unit.lacks.clear()
        for _ in range(3):
            await polling.poll()
        records = [decode_record(entry.raw) for entry in outbox.books[Lane.STATUS].unsaved()]
    names = [decode_body(record, IdentityBody).identity.name for record in records if record.kind == Kind.IDENTITY]
    assert names == [None, "APC UPS"]
