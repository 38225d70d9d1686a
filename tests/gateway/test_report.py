from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import READINGS, Cause, Flag, OutletGroup, Snapshot, State, TestStatus
from drivers.ups import TestResult as Result
from gateway.report import DEADBANDS, FULL_EVERY_UNHEARD, Reported, due
from gateway.wire.codec import decode, encode
from gateway.wire.messages import StatusBody
from gateway.wire.status import merge_status

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
CALM = Snapshot(
    at=START,
    full_at=START,
    state=State.ONLINE,
    cause=Cause.ACCEPTABLE_INPUT,
    flags=frozenset({Flag.INPUT_ACCEPTABLE, Flag.HIGH_EFFICIENCY}),
    self_test=Result(status=TestStatus.PASSED),
    input_v=230.04,
    load_pct=20.0,
    runtime_s=1800,
    main_outlet=OutletGroup(index=0, on=True),
    switched_outlets=(OutletGroup(index=1, on=True),),
)
FIELDS = {
    "state",
    "cause",
    "flags",
    "self_test",
    "input_v",
    "load_pct",
    "runtime_s",
    "main_outlet",
    "switched_outlets",
}


def after(second: float) -> datetime:
    return START + timedelta(seconds=second)


def changed(second: float, **values: Any) -> Snapshot:
    return msgspec.structs.replace(CALM, at=after(second), full_at=after(second), **values)


def content(body: StatusBody) -> dict[str, Any]:
    times = ("at", "full_at")
    return {name: msgspec.json.decode(raw) for name, raw in body.values.items() if name not in times}


@pytest.fixture
def calm() -> Reported:
    return due(None, CALM, START)[1]


def test_the_first_report_holds_every_reported_field_and_when_it_was_read() -> None:
    body, _ = due(None, CALM, START)
    assert body is not None
    assert body.full
    assert body.values.keys() == FIELDS | {"at", "full_at"}
    assert bytes(body.values["at"]) == b'"2026-11-24T03:00:00Z"'
    assert content(body)["flags"] == ["high_efficiency", "input_acceptable"]
    assert content(body)["input_v"] == 230.0


def test_nothing_changed_is_not_reported_until_a_minute_is_over(calm: Reported) -> None:
    assert due(calm, changed(59.9), after(59.9)) == (None, calm)
    body, reported = due(calm, changed(60), after(60))
    assert body is not None
    assert body.full
    assert due(reported, changed(119), after(119))[0] is None


def test_while_nobody_hears_it_everything_is_told_every_five_minutes(calm: Reported) -> None:
    assert due(calm, changed(299.9), after(299.9), full_every=FULL_EVERY_UNHEARD)[0] is None
    body, _ = due(calm, changed(300), after(300), full_every=FULL_EVERY_UNHEARD)
    assert body is not None
    assert body.full


def test_a_reconnect_asks_for_all(calm: Reported) -> None:
    body, _ = due(calm, changed(1), after(1), full=True)
    assert body is not None
    assert body.full


def test_a_clock_that_was_set_back_brings_a_full_report(calm: Reported) -> None:
    body, _ = due(calm, changed(-3600), after(-3600))
    assert body is not None
    assert body.full


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", State.ON_BATTERY),
        ("cause", Cause.LOW_INPUT_VOLTAGE),
        ("flags", frozenset({Flag.INPUT_ACCEPTABLE})),
        ("flags", frozenset()),
        ("self_test", Result(status=TestStatus.IN_PROGRESS)),
        ("main_outlet", OutletGroup(index=0, on=False)),
        ("switched_outlets", (OutletGroup(index=1, on=False),)),
        ("switched_outlets", (OutletGroup(index=1, on=True), OutletGroup(index=2, on=True))),
        ("efficiency_reason", "on_battery"),
        ("output_v", 230.0),
    ],
)
def test_a_changed_word_or_a_new_field_is_reported_at_once_and_alone(calm: Reported, name: str, value: Any) -> None:
    body, reported = due(calm, changed(1, **{name: value}), after(1))
    assert body is not None
    assert not body.full
    assert list(content(body)) == [name]
    assert due(reported, changed(2, **{name: value}), after(2))[0] is None


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_a_number_is_reported_from_its_deadband_on(reading: Any) -> None:
    base = changed(0, **{reading.name: 1000})
    _, reported = due(None, base, START)
    step = 10**-reading.digits
    just_under, at_it = 1000 + reading.deadband - step, 1000 + reading.deadband
    assert due(reported, changed(1, **{reading.name: just_under}), after(1))[0] is None
    body, _ = due(reported, changed(1, **{reading.name: at_it}), after(1))
    assert body is not None
    assert content(body) == {reading.name: at_it}


def test_a_number_that_hovers_at_the_edge_of_its_deadband_is_reported_once(calm: Reported) -> None:
    sent = 0
    for second in range(1, 50):
        body, calm = due(calm, changed(second, input_v=231.9 + second % 2 * 0.2), after(second))
        sent += body is not None
    assert sent == 1


def test_a_slow_drift_is_reported_each_time_it_has_gone_a_deadband_further(calm: Reported) -> None:
    values = []
    for second in range(1, 60):
        body, calm = due(calm, changed(second, input_v=230 + second / 10), after(second))
        values += [content(body)["input_v"]] if body else []
    assert values == [232.0, 234.0]


def test_the_owner_sets_deadbands_by_reading(calm: Reported) -> None:
    assert due(calm, changed(1, input_v=234.0), after(1), {"input_v": 5.0})[0] is None
    body, _ = due(calm, changed(1, load_pct=20.1), after(1), {"load_pct": 0.0})
    assert body is not None
    assert due(calm, changed(1), after(1), {"load_pct": 0.0})[0] is None
    body, _ = due(calm, changed(1, load_pct=22.0), after(1), {"input_v": 5.0})
    assert body is not None


def test_a_field_no_longer_reported_is_told_as_gone(calm: Reported) -> None:
    body, reported = due(calm, changed(1, input_v=None, switched_outlets=()), after(1))
    assert body is not None
    assert body.gone == ["input_v", "switched_outlets"]
    assert content(body) == {}
    assert due(reported, changed(2, input_v=None, switched_outlets=()), after(2))[0] is None


def test_a_zero_is_a_reading(calm: Reported) -> None:
    body, _ = due(calm, changed(1, input_v=0.0), after(1))
    assert body is not None
    assert (content(body), body.gone) == ({"input_v": 0.0}, [])


def test_a_countdown_is_reported_when_it_starts_is_set_anew_and_ends_but_not_at_each_second(
    calm: Reported,
) -> None:
    told = []
    for second, left in enumerate([None, 60, 59, 58, 300, 299, 1, 0, 0, None, None]):
        outlet = OutletGroup(index=0, on=True, turn_off_s=left)
        body, calm = due(calm, changed(second, main_outlet=outlet), after(second))
        told += [left] if body else []
    assert told == [60, 300, 0, None]


numbers = st.fixed_dictionaries(
    {},
    optional={reading.name: st.floats(-1e4, 1e6) for reading in READINGS} | {"runtime_s": st.integers(0, 90000)},
)
words = st.fixed_dictionaries(
    {"state": st.sampled_from(State), "flags": st.frozensets(st.sampled_from(Flag), max_size=3)},
    optional={"cause": st.sampled_from(Cause), "efficiency_reason": st.just("on_battery")},
)
snapshots: st.SearchStrategy[Callable[[datetime], Snapshot]] = st.tuples(numbers, words).map(
    lambda parts: lambda at: Snapshot(at=at, full_at=at, **parts[0], **parts[1])
)


@given(st.lists(st.tuples(snapshots, st.integers(1, 90)), min_size=1, max_size=8))
def test_merged_reports_are_the_snapshot_to_within_a_deadband(
    script: list[tuple[Callable[[datetime], Snapshot], int]],
) -> None:
    at, reported = START, None
    status: dict[str, msgspec.Raw] = {}
    for make, wait_s in script:
        at += timedelta(seconds=wait_s)
        snapshot = make(at)
        body, reported = due(reported, snapshot, at)
        if body is not None:
            status = merge_status(status, decode(encode(body), StatusBody))
        text = b"{" + b",".join(b'"%s":%s' % (name.encode(), raw) for name, raw in status.items()) + b"}"
        merged = msgspec.json.decode(text, type=Snapshot)
        assert (merged.state, merged.flags, merged.cause) == (snapshot.state, snapshot.flags, snapshot.cause)
        for reading in READINGS:
            told, true = getattr(merged, reading.name), getattr(snapshot, reading.name)
            assert (told is None) == (true is None)
            assert told is None or abs(told - true) <= reading.deadband + 10**-reading.digits


def test_every_reading_has_a_default_deadband() -> None:
    assert set(DEADBANDS) == {reading.name for reading in READINGS}
    assert min(DEADBANDS.values()) > 0
