"""When records were made whose gateway's clock was not set: the rule, and the database beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from cloud_bridge.dating import MAX_ANCHORS, Anchor, anchor_of, dated_at
from cloud_bridge.rows import EventFilter, EventRow
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.schema import MIGRATIONS
from cloud_bridge.store.telemetry import Telemetry
from gateway.wire.limits import INSTANT_MAX, SEQUENCE_MAX
from gateway.wire.messages import Lane, Stamp
from tests.cloud_bridge.words import OTHER_STREAM, STREAM, T0, clock, event, parcel, status, unset

G = "pi-a"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def telemetry(path: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(path), lambda: T0)
    yield opened
    opened.close()


def take(
    telemetry: Telemetry,
    first: int,
    *records: bytes,
    lane: Lane = Lane.EVENTS,
    gateway: str = G,
    stream: str = STREAM,
) -> None:
    with telemetry.transaction():
        telemetry.take(gateway, parcel(first, *records, lane=lane, stream=stream), T0)


def events(path: Path, since: int | None = None) -> list[EventRow]:
    with Reader(path) as reader:
        return list(reader.events(EventFilter(since=since)))


def test_the_first_anchor_that_is_not_older_dates_a_record() -> None:
    anchors = [Anchor(T0 + 50_000, 60_000), Anchor(T0, 10_000)]
    assert dated_at(unset(4_000), anchors) == T0 - 6_000
    assert dated_at(unset(10_000), anchors) == T0
    assert dated_at(unset(10_001), anchors) == T0 + 50_000 - 49_999
    assert dated_at(unset(60_001), anchors) is None


def test_a_clock_that_was_right_needs_no_date_and_one_that_was_not_gives_none() -> None:
    right = Stamp(at=T0, boot="boot", mono=1, clock="synchronised")
    assert dated_at(right, [Anchor(T0, 10)]) is None
    assert anchor_of(unset(10)) is None
    assert anchor_of(Stamp(at=T0, boot="", mono=1, clock="synchronised")) is None
    assert anchor_of(right) == Anchor(T0, 1)


def test_a_time_before_1970_is_no_time() -> None:
    assert dated_at(unset(0), [Anchor(5, SEQUENCE_MAX)]) is None
    assert dated_at(unset(SEQUENCE_MAX), [Anchor(INSTANT_MAX, SEQUENCE_MAX)]) == INSTANT_MAX


def test_what_was_recorded_before_the_clock_was_set_is_dated_and_its_own_time_is_kept(
    path: Path, telemetry: Telemetry
) -> None:
    take(telemetry, 1, event(1, stamped=unset(4_000, at=77)))
    assert [(row.at, row.dated_at) for row in events(path)] == [(77, None)]
    take(telemetry, 2, clock(10_000, T0), event(3))
    assert [(row.at, row.dated_at, row.clock) for row in events(path)] == [
        (77, T0 - 6_000, "unsynchronised"),
        (T0, None, "synchronised"),
    ]


def test_a_backlog_of_the_other_lane_and_of_another_stream_is_dated_when_it_comes(
    path: Path, telemetry: Telemetry
) -> None:
    take(telemetry, 1, clock(10_000, T0))
    take(telemetry, 1, status(stamped=unset(3_000), load_pct=4.0), lane=Lane.STATUS)
    take(telemetry, 1, event(1, stamped=unset(2_000)), stream=OTHER_STREAM)
    assert [row.dated_at for row in events(path)] == [T0 - 8_000]
    with Reader(path) as reader:
        assert [row.dated_at for row in reader.units()] == [T0 - 7_000]


def test_another_boots_and_another_gateways_records_are_not_dated(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1, stamped=unset(4_000, boot="earlier")))
    take(telemetry, 1, event(2, stamped=unset(4_000)), gateway="pi-b")
    take(telemetry, 2, clock(10_000, T0))
    assert [row.dated_at for row in events(path)] == [None, None]


def test_events_since_an_instant_go_by_the_date_they_have(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1, stamped=unset(4_000)), event(2, stamped=unset(9_000)), clock(10_000, T0))
    assert [row.details["number"] for row in events(path, since=T0 - 1_500)] == [2]


def test_a_clock_that_is_set_ever_again_is_remembered_only_so_often(path: Path, telemetry: Telemetry) -> None:
    for first in range(1, MAX_ANCHORS + 50, 50):
        take(telemetry, first, *(clock(1_000 + number, T0) for number in range(first, first + 50)))
    take(telemetry, first + 50, event(1, stamped=unset(1_000 + MAX_ANCHORS + 20)))
    assert [row.dated_at for row in events(path)] == [None]
    db = Database(path)
    assert db.table("clock_anchors").count == MAX_ANCHORS
    db.close()


monos = st.integers(0, 40) | st.sampled_from([SEQUENCE_MAX, SEQUENCE_MAX - 1])
unset_records = st.tuples(st.just("event"), monos, st.integers(0, INSTANT_MAX))
clock_records = st.tuples(st.just("clock"), monos, st.sampled_from([0, 20, T0, INSTANT_MAX]))


@settings(max_examples=150)
@given(st.lists(unset_records | clock_records, max_size=14), st.lists(st.integers(1, 5), min_size=14))
def test_whenever_its_anchors_come_each_record_bears_the_date_that_the_rule_gives_it(
    said: list[tuple[str, int, int]], lengths: list[int]
) -> None:
    """Times out of range and anchors that contradict each other included."""
    db = Database(memory=True)
    db.conn.isolation_level = None
    MIGRATIONS.apply(db)
    telemetry = Telemetry(db, lambda: T0)
    raws = [clock(mono, at) if kind == "clock" else event(stamped=unset(mono, at)) for kind, mono, at in said]
    first, ends = 1, iter(lengths)
    while first <= len(raws):
        length = next(ends)
        take(telemetry, first, *raws[first - 1 : first - 1 + length])
        first += length
    anchors: dict[int, Anchor] = {}
    for kind, mono, at in said:
        if kind == "clock":
            anchors.setdefault(mono, Anchor(at, mono))
    wanted = [(at, dated_at(unset(mono, at), anchors.values())) for kind, mono, at in said if kind == "event"]
    assert [tuple(row) for row in db.execute("SELECT at, dated_at FROM records WHERE kind = 'event'")] == wanted
    db.close()
