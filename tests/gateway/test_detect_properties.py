"""Whatever a unit says, in whatever order, and wherever the gateway is restarted."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.ups import (
    CATALOGUE,
    Calibration,
    Cause,
    Event,
    Flag,
    OutletGroup,
    Snapshot,
    State,
    TestSource,
    TestStatus,
)
from drivers.ups import TestResult as Result
from gateway.conditions import FLAG_CONDITIONS, STATE_CONDITIONS
from gateway.detect import step
from gateway.records import event_body
from gateway.silence import failed
from gateway.unit_state import UnitState, encode, resume, worth_keeping
from gateway.wire import limits
from tests.gateway.watched_unit import START

VARIANTS = {"output_off_commanded": "output_off", "bypass_commanded": "bypass"}
CLEARS = {condition.clear: condition.onset for condition in (*STATE_CONDITIONS, *FLAG_CONDITIONS)}
ONSETS = {**{onset: onset for onset in CLEARS.values()}, **VARIANTS}

maybe = st.none() | st.booleans()
seconds = st.none() | st.integers(-1, 400)
groups = st.builds(
    OutletGroup, index=st.integers(1, 4), on=maybe, turn_off_s=seconds, turn_on_s=seconds, stay_off_s=seconds
)
sources = st.none() | st.sampled_from(TestSource)
reasons = st.sampled_from([(), ("invalid_state",), ("load_changed", "load_too_low")])
tests = st.none() | st.builds(Result, status=st.sampled_from(TestStatus), source=sources, reasons=reasons)
calibrations = st.none() | st.builds(Calibration, status=st.sampled_from(TestStatus), source=sources)
numbers = st.none() | st.floats(0, 400)
# few flags at a time, the ones that rules combine more often than the rest
flags = st.frozensets(
    st.sampled_from([Flag.TEST_IN_PROGRESS, Flag.INPUT_ACCEPTABLE, Flag.SHUTDOWN_IMMINENT, Flag.OVERLOAD_STATE])
    | st.sampled_from(Flag),
    max_size=4,
)
states = st.none() | st.sampled_from(State)
causes = st.none() | st.sampled_from(Cause)
full_readings = st.builds(
    Snapshot,
    at=st.just(START),
    state=states,
    cause=causes,
    flags=flags,
    self_test=tests,
    calibration=calibrations,
    input_v=numbers,
    charge_pct=numbers,
    load_pct=numbers,
    runtime_s=st.none() | st.integers(0, 1000),
    main_outlet=st.none() | groups,
    switched_outlets=st.lists(groups, max_size=4, unique_by=lambda group: group.index).map(tuple),
)
fast_readings = st.tuples(states, causes, st.sets(st.sampled_from([Flag.TEST_IN_PROGRESS, Flag.INPUT_NOT_ACCEPTABLE])))
waits = st.sampled_from([0.5, 1.0, 2.0, 5.0, 15.0, 61.0])


@st.composite
def readings(draw: st.DrawFn) -> list[Snapshot]:
    """Full and fast ones as a driver gives them; now and then the clock is set back."""
    script: list[Snapshot] = []
    at = START
    for wait in draw(st.lists(waits | st.just(-3600.0), max_size=25)):
        at += timedelta(seconds=wait)
        if not script or draw(st.booleans()):
            full_at = at if script else draw(st.sampled_from([at, None]))
            script.append(msgspec.structs.replace(draw(full_readings), at=at, full_at=full_at))
        else:
            state, cause, word = draw(fast_readings)
            old = script[-1]
            script.append(
                msgspec.structs.replace(old, at=at, state=state, cause=cause, flags=old.flags | frozenset(word))
            )
    return script


def condition_of(event: Event) -> tuple[str, object] | None:
    name = CLEARS.get(event.type) or ONSETS.get(event.type)
    return None if name is None else (name, event.details.get("group"))


def run(script: list[Snapshot], state: UnitState | None = None) -> tuple[UnitState, list[Event]]:
    state = state or UnitState()
    told: list[Event] = []
    for snapshot in script:
        state, events = step(state, snapshot)
        told += events
    return state, told


def watched(events: list[Event]) -> list[Event]:
    """The same events, had somebody watched."""
    return [msgspec.structs.replace(event, found_afterwards=False) for event in events]


@given(readings())
def test_onsets_and_ends_of_a_condition_alternate_and_the_state_knows_which_go_on(
    script: list[Snapshot],
) -> None:
    state, events = run(script)
    by_condition: dict[tuple[str, object], list[str]] = defaultdict(list)
    for event in events:
        condition = condition_of(event)
        if condition is not None:
            by_condition[condition].append(event.type)
    for (name, _), types in by_condition.items():
        assert all((kind in CLEARS) == bool(number % 2) for number, kind in enumerate(types)), (name, types)
    going_on = sum(len(types) % 2 for types in by_condition.values())
    assert going_on == len(state.ongoing)


@given(readings(), st.data())
def test_a_restart_anywhere_neither_loses_nor_doubles_an_event(script: list[Snapshot], data: st.DataObject) -> None:
    restarts = data.draw(st.sets(st.integers(0, max(0, len(script) - 1))))
    _, without = run(script)
    state, told = UnitState(), list[Event]()
    for number, snapshot in enumerate(script):
        if number in restarts:
            state = resume(encode(state))
        state, events = step(state, snapshot)
        told += events
    assert watched(told) == watched(without)


@given(readings(), st.data())
def test_a_crash_anywhere_goes_on_from_the_state_that_was_kept(script: list[Snapshot], data: st.DataObject) -> None:
    """Kept with its events, and without any when it is worth it; only `after` may be older for it."""
    crashes = data.draw(st.sets(st.integers(0, max(0, len(script) - 1))))
    _, without = run(script)
    state, kept, told = UnitState(), UnitState(), list[Event]()
    for number, snapshot in enumerate(script):
        if number in crashes:
            state = resume(encode(kept))
        state, events = step(state, snapshot)
        told += events
        if events or worth_keeping(kept, state):
            kept = state
    assert [(event.type, event.at, event.details) for event in told] == [
        (event.type, event.at, event.details) for event in without
    ]


@given(readings(), st.integers(0, 25))
def test_the_first_reading_after_a_restart_marks_what_it_shows(script: list[Snapshot], where: int) -> None:
    state, _ = run(script[:where])
    for snapshot in script[where : where + 1]:
        _, events = step(resume(encode(state)), snapshot)
        ends = set(CLEARS)  # an end that was held began before the restart
        assert all(event.found_afterwards for event in events if event.type not in ends)


@given(readings(), st.lists(st.floats(0, 60), max_size=10))
def test_every_event_is_of_the_catalogue_and_fits_the_wire(script: list[Snapshot], silences: list[float]) -> None:
    state, events = run(script)
    for number, silent_s in enumerate(silences):
        state, lost = failed(state, START + timedelta(seconds=number), silent_s)
        events += lost
    for event in events:
        assert event.severity is CATALOGUE[event.type].severity or event.type == "communication_lost"
        assert len(msgspec.json.encode(event_body(event))) < limits.DETAILS_BYTES


@given(st.lists(waits, max_size=20))
def test_a_unit_that_reports_nothing_gives_no_event(pauses: list[float]) -> None:
    at = START
    state = UnitState()
    for pause in pauses:
        at += timedelta(seconds=pause)
        state, events = step(state, Snapshot(at=at, full_at=at))
        assert events == ()


@settings(max_examples=50)
@given(readings(), full_readings)
def test_a_reading_seen_twice_tells_only_once(script: list[Snapshot], last: Snapshot) -> None:
    last = msgspec.structs.replace(last, full_at=last.at)
    state, _ = run([*script, last])
    again, events = step(state, last)
    assert events == () or all(event.type in CLEARS for event in events)
    assert set(again.ongoing) <= set(state.ongoing)
