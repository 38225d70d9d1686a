"""The telemetry database, on real files."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from cloud_bridge.ingest import Letter
from cloud_bridge.rows import EventFilter, EventRow
from cloud_bridge.store.database import FILE_NAME, open_reader, open_writer
from cloud_bridge.store.errors import NewerDatabase, NoDatabase, NotOurs, OlderDatabase
from cloud_bridge.store.letters import LetterCaps
from cloud_bridge.store.parties import MAX_UNITS
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.schema import MIGRATIONS
from cloud_bridge.store.telemetry import Telemetry
from drivers.ups import Severity
from gateway.wire.messages import Lane, LaneAck, Offline, Origin
from tests.cloud_bridge.words import OTHER_STREAM, STREAM, T0, event, gap, hello, parcel, status

G = "pi-a"


class Abandoned(Exception):
    """A transaction that does not reach its commit."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
def telemetry(path: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(path), lambda: T0 + 7, LetterCaps(rows=5, bytes=1000))
    yield opened
    opened.close()


def take(telemetry: Telemetry, first: int, *records: bytes, gateway: str = G, **how: object) -> LaneAck:
    with telemetry.transaction():
        return telemetry.take(gateway, parcel(first, *records, **how), T0 + 5).ack  # type: ignore[arg-type]  # what parcel() takes


def events(path: Path, **wanted: object) -> list[EventRow]:
    with Reader(path) as reader:
        return list(reader.events(EventFilter(**wanted)))  # type: ignore[arg-type]  # EventFilter checks nothing


def numbers(path: Path) -> list[object]:
    return [row.details["number"] for row in events(path)]


def test_an_event_is_read_as_it_was_said(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(4, "low_battery", {"charge_pct": 12.5}, at=T0 - 10))
    (row,) = events(path)
    assert (row.gateway, row.unit, row.lane, row.stream, row.seq) == (G, "rack-1", "events", STREAM, 1)
    assert (row.type, row.severity) == ("low_battery", Severity.WARNING)
    assert (row.at, row.sent_at, row.received_at, row.stored_at) == (T0 - 10, T0, T0 + 5, T0 + 7)
    assert (row.clock, row.boot, row.mono) == ("synchronised", "boot", 1000)
    assert row.details == {"number": 4, "charge_pct": 12.5}
    assert (row.found_afterwards, row.history) == (False, False)


def test_a_repeat_stores_nothing(path: Path, telemetry: Telemetry) -> None:
    assert take(telemetry, 1, event(1), event(2)).through == 2
    assert take(telemetry, 1, event(1), event(2)).through == 2
    assert numbers(path) == [1, 2]


def test_a_hole_stores_nothing_and_begins_no_stream(path: Path, telemetry: Telemetry) -> None:
    assert take(telemetry, 5, event(5)) == LaneAck(stream=STREAM, through=0, again=True)
    with Reader(path) as reader:
        assert [row.streams for row in reader.gateways()] == [()]


def test_lanes_streams_and_gateways_are_numbered_apart(path: Path, telemetry: Telemetry) -> None:
    for number, (gateway, lane, stream) in enumerate(
        [
            (G, Lane.EVENTS, STREAM),
            (G, Lane.STATUS, STREAM),
            (G, Lane.EVENTS, OTHER_STREAM),
            ("pi-b", Lane.EVENTS, STREAM),
        ]
    ):
        assert take(telemetry, 1, event(number), gateway=gateway, lane=lane, stream=stream).through == 1
    assert numbers(path) == [0, 1, 2, 3]


def test_hello_is_answered_with_what_is_stored_of_the_streams_it_names(telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1), event(2))
    with telemetry.transaction():
        lanes = telemetry.greet(G, hello(), T0)
        strange = telemetry.greet("pi-b", hello(), T0)
    assert {lane: ack.through for lane, ack in lanes.items()} == {Lane.EVENTS: 2, Lane.STATUS: 0}
    assert {ack.through for ack in strange.values()} == {0}


def test_s17_what_was_numbered_before_hello_is_stored_as_history(path: Path, telemetry: Telemetry) -> None:
    with telemetry.transaction():
        telemetry.greet(G, hello(next_=3), T0)
    take(telemetry, 1, event(1), event(2), event(3))
    assert [row.history for row in events(path)] == [True, True, False]


def test_s16_a_clone_is_told_once_a_stream_and_its_records_are_dead_letters(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1), event(2))
    take(telemetry, 1, event(91), event(92))
    take(telemetry, 1, event(91), event(93))
    cloned = [row for row in events(path) if row.lane == "cloud"]
    assert [(row.type, row.severity, row.seq) for row in cloned] == [("gateway_cloned", Severity.CRITICAL, 1)]
    assert cloned[0].details == {"lane": "events", "stream": STREAM, "seq": 1}
    with Reader(path) as reader:
        assert [(row.seq, row.raw, row.times) for row in reader.dead_letters()] == [
            (1, event(91), 2),
            (2, event(92), 1),
            (2, event(93), 1),
        ]
    assert [row.details["number"] for row in events(path) if row.lane == "events"] == [1, 2]


def test_s16_a_second_cloned_stream_goes_on_in_the_clouds_own_lane(path: Path, telemetry: Telemetry) -> None:
    for stream in (STREAM, OTHER_STREAM):
        take(telemetry, 1, event(1), stream=stream)
        take(telemetry, 1, event(2), stream=stream)
    cloned = [row for row in events(path) if row.lane == "cloud"]
    assert [(row.seq, row.details["stream"]) for row in cloned] == [(1, STREAM), (2, OTHER_STREAM)]
    assert len({row.stream for row in cloned}) == 1


def test_s16_records_renumbered_after_a_restored_card_are_stored_once(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1), event(2), event(3))
    origin = Origin(stream=STREAM, first=2)
    ack = take(telemetry, 1, event(2), event(3), event(40), stream=OTHER_STREAM, origin=origin)
    assert ack == LaneAck(stream=OTHER_STREAM, through=3)
    assert take(telemetry, 1, event(2), event(3), stream=OTHER_STREAM, origin=origin).through == 3
    assert numbers(path) == [1, 2, 3, 40]
    with Reader(path) as reader:
        assert list(reader.dead_letters()) == []


def test_a_number_inside_a_stored_gap_is_found(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1), gap(2, 9), event(10))
    assert take(telemetry, 5, event(5)).through == 10
    with Reader(path) as reader:
        assert [(row.seq, row.reason) for row in reader.dead_letters()] == [
            (5, "this number was explained by a gap before")
        ]
    assert numbers(path) == [1, 10]


def test_s14_dead_letters_of_one_gateway_are_capped_by_rows_and_the_newest_stay(
    path: Path, telemetry: Telemetry
) -> None:
    for number in range(8):
        bury(telemetry, G, b"%d" % number)
    bury(telemetry, "pi-b", b"mine")
    with Reader(path) as reader:
        assert [row.raw for row in reader.dead_letters()] == [b"3", b"4", b"5", b"6", b"7", b"mine"]
        assert [(row.name, row.letters, row.letters_dropped) for row in reader.gateways()] == [
            (G, 5, 3),
            ("pi-b", 1, 0),
        ]


def test_s14_dead_letters_of_one_gateway_are_capped_by_bytes(path: Path, telemetry: Telemetry) -> None:
    for filler in (b"a", b"b", b"c"):
        bury(telemetry, G, filler * 450)
    with Reader(path) as reader:
        assert [row.raw[:1] for row in reader.dead_letters()] == [b"b", b"c"]


def test_the_same_message_that_does_not_parse_is_kept_once_and_counted(path: Path, telemetry: Telemetry) -> None:
    for _ in range(3):
        bury(telemetry, G, b"garbage")
    with Reader(path) as reader:
        assert [(row.raw, row.times, row.seq) for row in reader.dead_letters()] == [(b"garbage", 3, 0)]


def bury(telemetry: Telemetry, gateway: str, raw: bytes) -> None:
    with telemetry.transaction():
        telemetry.bury(gateway, Letter(reason="does not parse", raw=raw, lane="events"), T0)


def test_a_units_latest_status_is_the_sum_of_its_reports(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, status(load_pct=10.0, input_v=230.0, state="online"), lane=Lane.STATUS)
    take(
        telemetry,
        2,
        status(full=False, at=T0 + 1, load_pct=12.0, made_up=1),
        status(full=False, gone=["input_v"], at=T0 + 2, state="on_battery"),
        lane=Lane.STATUS,
    )
    with Reader(path) as reader:
        (row,) = reader.units()
    assert {name: bytes(value) for name, value in row.status.items()} == {"load_pct": b"12.0", "state": b'"on_battery"'}
    assert (row.at, row.sent_at, row.received_at) == (T0 + 2, T0, T0 + 5)


def test_a_gateway_that_makes_up_unit_names_fills_no_table(path: Path, telemetry: Telemetry) -> None:
    for number in range(MAX_UNITS + 3):
        with telemetry.transaction():
            telemetry.greet(G, hello(units=[f"u{number}"]), T0)
    take(telemetry, 1, event(1), status(load_pct=1.0))
    with Reader(path) as reader:
        assert len(reader.units()) == MAX_UNITS
    assert [row.unit for row in events(path)] == [""]


def test_units_are_shown_in_the_order_of_their_hello(path: Path, telemetry: Telemetry) -> None:
    with telemetry.transaction():
        telemetry.greet(G, hello(units=["zeta", "alpha"]), T0)
    with Reader(path) as reader:
        assert [row.name for row in reader.units()] == ["zeta", "alpha"]


def test_an_offline_word_of_an_older_connection_is_ignored(path: Path, telemetry: Telemetry) -> None:
    with telemetry.transaction():
        telemetry.greet(G, hello("c2"), T0)
        telemetry.say_goodbye(G, Offline(conn="c1"), T0 + 1)
    assert gateway_offline(path) == (None, None)
    with telemetry.transaction():
        telemetry.say_goodbye(G, Offline(conn="c2", why="stopped"), T0 + 2)
    assert gateway_offline(path) == (T0 + 2, "stopped")
    with telemetry.transaction():
        telemetry.greet(G, hello("c3"), T0 + 3)
    assert gateway_offline(path) == (None, None)


def gateway_offline(path: Path) -> tuple[int | None, str | None]:
    with Reader(path) as reader:
        (row,) = reader.gateways()
    return row.offline_at, row.offline_why


def test_the_last_word_never_goes_back(path: Path, telemetry: Telemetry) -> None:
    with telemetry.transaction():
        telemetry.see(G, T0 + 9, {Lane.EVENTS: 4})
        telemetry.see(G, T0 + 3)
    with Reader(path) as reader:
        (row,) = reader.gateways()
    assert (row.last_seen_at, row.waiting) == (T0 + 9, {Lane.EVENTS: 4})


def test_events_are_found_by_gateway_unit_severity_time_and_number(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, *(event(n, at=T0 + n) for n in range(1, 6)))
    take(telemetry, 1, event(9), gateway="pi-b")
    assert [row.seq for row in events(path, gateway=G, newest=2)] == [4, 5]
    assert [row.seq for row in events(path, gateway=G, since=T0 + 4)] == [4, 5]
    assert [row.gateway for row in events(path, gateway="pi-b")] == ["pi-b"]
    assert events(path, unit="rack-2") == []
    assert events(path, severity=Severity.CRITICAL) == []
    assert len(events(path, severity=Severity.WARNING, unit="rack-1")) == 6
    assert [row.gateway for row in events(path, after_id=5)] == ["pi-b"]


def test_a_reader_reads_while_a_transaction_is_open_and_sees_only_what_is_committed(
    path: Path, telemetry: Telemetry
) -> None:
    take(telemetry, 1, event(1))
    with telemetry.transaction():
        telemetry.take(G, parcel(2, event(2)), T0)
        assert numbers(path) == [1]
    assert numbers(path) == [1, 2]


def test_a_transaction_that_fails_leaves_nothing(path: Path, telemetry: Telemetry) -> None:
    assert deliver(telemetry, Lane.EVENTS, {1: event(1)}, 1, 1, commits=False) is None
    assert take(telemetry, 1, event(1)).through == 1
    assert numbers(path) == [1]


def test_a_commit_is_on_the_disk_and_only_the_owner_can_read_it(path: Path, telemetry: Telemetry) -> None:
    db = open_writer(path)
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert db.journal_mode == "wal"
    db.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("was_open", [False, True], ids=["a new one", "one that others could read"])
def test_what_sqlite_keeps_beside_the_database_is_its_owners_alone_too(path: Path, was_open: bool) -> None:
    db = open_writer(path) if was_open else None
    if db:
        for one in path.parent.iterdir():
            one.chmod(0o644)
    writer = Telemetry(open_writer(path), lambda: T0)
    take(writer, 1, event(1))
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == {f"{FILE_NAME}{suffix}": 0o600 for suffix in ("", "-wal", "-shm")}
    writer.close()
    if db:
        db.close()


def test_a_database_is_readable_after_its_writer_is_gone(path: Path) -> None:
    telemetry = Telemetry(open_writer(path), lambda: T0)
    take(telemetry, 1, event(1))
    telemetry.close()
    assert numbers(path) == [1]


def test_a_reader_never_writes(path: Path, telemetry: Telemetry) -> None:
    db = open_reader(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM records")
    db.close()


def test_an_older_database_is_brought_forward_and_keeps_what_it_holds(path: Path) -> None:
    path.parent.mkdir()
    older = Database(path)
    MIGRATIONS.ensure_migrations_table(older)
    older.close()
    with pytest.raises(OlderDatabase):
        open_reader(path)
    open_writer(path).close()
    assert events(path) == []


def test_a_newer_database_is_refused_with_the_steps_it_has(path: Path) -> None:
    open_writer(path).close()
    newer = Database(path)
    newer.table(MIGRATIONS.migrations_table).insert(
        {"migration_set": MIGRATIONS.name, "name": "0999_future", "applied_at": ""}
    )
    newer.close()
    with pytest.raises(NewerDatabase) as writing:
        open_writer(path)
    assert writing.value.unknown == ["0999_future"]
    with pytest.raises(NewerDatabase):
        open_reader(path)


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = Database(path)
    other.table("diary").insert({"text": "dear"})
    other.close()
    before = path.read_bytes()
    with pytest.raises(NotOurs):
        open_writer(path)
    with pytest.raises(NotOurs):
        open_reader(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is a shopping list, not a database" * 100)
    with pytest.raises(NotOurs):
        open_writer(path)
    with pytest.raises(NotOurs):
        open_reader(path)


def test_a_missing_database_is_told_and_not_made(path: Path) -> None:
    with pytest.raises(NoDatabase):
        open_reader(path)
    assert not path.exists()


batches = st.tuples(st.sampled_from(list(Lane)), st.integers(1, 30), st.integers(1, 12), st.booleans())


@settings(max_examples=150)
@given(st.lists(batches, max_size=40), st.integers(1, 30), st.sets(st.integers(2, 29)))
def test_whatever_the_order_and_repetition_of_batches_each_record_is_stored_once_and_in_order(
    deliveries: list[tuple[Lane, int, int, bool]], count: int, lost: set[int]
) -> None:
    """Transactions that fail between included; some numbers are gaps."""
    db = Database(memory=True)
    db.conn.isolation_level = None
    MIGRATIONS.apply(db)
    telemetry = Telemetry(db, lambda: T0)
    said = {lane: outbox(count, lost) for lane in Lane}
    acknowledged = dict.fromkeys(Lane, 0)
    for lane, first, length, commits in deliveries:
        if first in said[lane]:
            ack = deliver(telemetry, lane, said[lane], first, length, commits=commits)
            assert ack is None or ack.through >= acknowledged[lane]
            acknowledged[lane] = ack.through if ack else acknowledged[lane]
            assert stored(db, lane) == [number for number in said[lane] if number <= acknowledged[lane]]
    for lane in Lane:
        while acknowledged[lane] < max(said[lane]):
            ack = deliver(telemetry, lane, said[lane], acknowledged[lane] + 1, 7)
            assert ack is not None
            assert not ack.again
            acknowledged[lane] = ack.through
        assert stored(db, lane) == list(said[lane])
    assert db.table("dead_letters").count == 0
    db.close()


def outbox(count: int, lost: set[int]) -> dict[int, bytes]:
    """Records by number; a lost number is a gap of its own."""
    return {n: gap(n, n) if n in lost else event(n) for n in range(1, count + 1)}


def deliver(
    telemetry: Telemetry, lane: Lane, said: dict[int, bytes], first: int, length: int, *, commits: bool = True
) -> LaneAck | None:
    records = [said[n] for n in range(first, first + length) if n in said]
    try:
        with telemetry.transaction():
            ack = telemetry.take(G, parcel(first, *records, lane=lane), T0).ack
            if not commits:
                raise Abandoned
            return ack
    except Abandoned:
        return None


def stored(db: Database, lane: Lane) -> list[int]:
    rows = db.query(
        "SELECT seq FROM records JOIN streams s ON s.id = stream_id WHERE s.lane = ? ORDER BY records.id", [lane]
    )
    return [row["seq"] for row in rows]
