"""Outages, commands, clocks and health in the telemetry database, and a database of the version before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud_bridge.dating import Anchor
from cloud_bridge.entries import Stored, read_record
from cloud_bridge.rows import EventFilter, OutageFilter
from cloud_bridge.store.database import FILE_NAME, open_reader, open_writer
from cloud_bridge.store.errors import OlderDatabase
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.telemetry import Telemetry
from drivers.ups import Outcome
from gateway.wire.errors import WireError
from gateway.wire.health import Health, Host, OutboxHealth
from gateway.wire.limits import DETAIL_LENGTH, TEXT_LENGTH
from gateway.wire.messages import Lane, LaneAck, Origin
from gateway.wire.orders import By, CommandBody, Stage
from gateway.wire.outage import OutageBody
from tests.cloud_bridge.words import STREAM, T0, clock, command, event, gap, outage, parcel, stamp, unset

G = "pi-a"
HOSTILE = "\r\nEvil\x1b[31m\u202e[link=x]<script>=cmd\"'\u0000" + "x" * 20
BEFORE = Path(__file__).with_name("telemetry-0001.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def telemetry(path: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(path), lambda: T0)
    yield opened
    opened.close()


def take(telemetry: Telemetry, first: int, *records: bytes, **how: object) -> LaneAck:
    with telemetry.transaction():
        return telemetry.take(G, parcel(first, *records, **how), T0).ack  # type: ignore[arg-type]  # what parcel() takes


def health(**changes: object) -> Health:
    said = Health(conn="c1", stamp=stamp(), version="1", running_s=900.0)
    return msgspec.structs.replace(said, **changes)


def say_health(telemetry: Telemetry, **changes: object) -> bool:
    with telemetry.transaction():
        return telemetry.keep_health(G, health(**changes), T0)


def test_an_outage_is_read_as_the_black_box_told_it(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, outage(), outage(unset(5, at=9), id="o2"), clock(1_000, T0))
    with Reader(path) as reader:
        first, second = reader.outages(OutageFilter())
        assert [row.body.id for row in reader.outages(OutageFilter(newest=1))] == ["o2"]
        assert list(reader.outages(OutageFilter(unit="rack-9"))) == []
        assert list(reader.outages(OutageFilter(since=T0))) == [first]
    assert (first.gateway, first.unit, first.at, first.dated_at) == (G, "rack-1", T0, None)
    assert first.body == read_record(outage(), 1, 1).body
    assert (second.at, second.dated_at) == (9, T0 - 995)


def test_a_commands_steps_are_read_in_their_order_and_only_its_gateways(path: Path, telemetry: Telemetry) -> None:
    one, other = "1" * 32, "2" * 32
    by = By(role="owner", name="erika")
    steps = [
        command(one, Stage.ACCEPTED, by=by, verb="beep", serial="AS1"),
        command(other, Stage.REFUSED, "not_allowed", detail="no"),
        command(one, Stage.FINISHED, outcome=Outcome.DONE, audit="ab"),
    ]
    take(telemetry, 1, *steps)
    with Reader(path) as reader:
        assert reader.steps(G, one) == [
            CommandBody(id=one, stage=Stage.ACCEPTED, reason="accepted", by=by, verb="beep", serial="AS1"),
            CommandBody(id=one, stage=Stage.FINISHED, reason="finished", outcome=Outcome.DONE, audit="ab"),
        ]
        assert [step.detail for step in reader.steps(G, other)] == ["no"]
        assert reader.steps("pi-b", one) == []


def test_s6_texts_of_outages_commands_and_clocks_are_cleaned_at_ingest() -> None:
    by = By(role=HOSTILE, name=HOSTILE)
    said = command("1" * 32, Stage.REFUSED, HOSTILE, detail=HOSTILE * 3, verb=HOSTILE, serial=HOSTILE, by=by)
    body = read_record(said, 1, 1).body
    assert isinstance(body, CommandBody)
    assert body.by is not None
    texts = [body.reason, body.verb, body.serial, body.by.role, body.by.name]
    assert all(text.isprintable() and len(text) <= TEXT_LENGTH for text in texts)
    assert body.detail.isprintable()
    assert TEXT_LENGTH < len(body.detail) <= DETAIL_LENGTH
    seen = read_record(outage(id=HOSTILE, cause=HOSTILE, ended=HOSTILE), 1, 1).body
    assert isinstance(seen, OutageBody)
    assert all(text.isprintable() for text in (seen.id, seen.cause, seen.ended))


@pytest.mark.parametrize(
    "bad",
    [
        outage().replace(b'"delivered_s":40.0', b'"delivered_s":"long"'),
        outage(trace=[(n, None, None, None, None, True) for n in range(141)]),
        outage(began_at=-1),
        command("xyz", Stage.FINISHED),
        command("1" * 32, Stage.FINISHED, detail="x" * 257),
        clock(1, T0).replace(b'"moved_ms":0', b'"moved_ms":0.5'),
    ],
    ids=["type", "trace", "instant", "id", "detail", "clock"],
)
def test_what_is_over_a_limit_is_no_record(bad: bytes) -> None:
    with pytest.raises(WireError):
        read_record(bad, 1, 1)


def test_an_outcome_of_a_later_version_is_a_dead_letter_and_the_flow_goes_on(telemetry: Telemetry) -> None:
    strange = command("1" * 32, Stage.FINISHED, outcome=Outcome.DONE).replace(b'"done"', b'"half_done"')
    assert take(telemetry, 1, strange, event(1)).through == 2


def test_a_numbers_size_never_breaks_the_store(telemetry: Telemetry) -> None:
    huge = clock(1, T0).replace(b'"moved_ms":0', b'"moved_ms":' + b"9" * 400)
    assert take(telemetry, 1, huge, event(1)).through == 2


def test_the_newest_health_is_kept_cleaned(path: Path, telemetry: Telemetry) -> None:
    say_health(telemetry)
    say_health(telemetry, version=HOSTILE[:60], host=Host(under_voltage=True), outbox=OutboxHealth(trouble="no\x1b"))
    with Reader(path) as reader:
        (row,) = reader.gateways()
    assert row.health is not None
    assert row.health.host.under_voltage
    assert row.health.version.isprintable()
    assert (row.health.outbox.trouble, row.health_at) == ("no", T0)


def test_an_audit_log_that_lost_lines_is_told_once_and_remembered(path: Path, telemetry: Telemetry) -> None:
    assert not say_health(telemetry, audit_length=5, audit_head="aa")
    assert not say_health(telemetry, audit_length=5, audit_head="aa")
    assert not say_health(telemetry, audit_length=7, audit_head="bb")
    assert say_health(telemetry, audit_length=6, audit_head="aa")
    assert not say_health(telemetry, audit_length=2, audit_head="cc")
    with Reader(path) as reader:
        assert [row.audit_broken_at for row in reader.gateways()] == [T0]


def test_an_audit_log_whose_last_line_became_another_is_told(telemetry: Telemetry) -> None:
    assert not say_health(telemetry, audit_length=5, audit_head="aa")
    assert say_health(telemetry, audit_length=5, audit_head="ab")


def test_s16_records_that_moved_twice_are_known_by_the_name_they_had_first(path: Path, telemetry: Telemetry) -> None:
    """A card restored twice. What came after the first move bears that move's stream as its first name."""
    second, third = "00000000000000bb", "00000000000000cc"
    take(telemetry, 1, event(1), event(2), event(3))
    take(telemetry, 1, event(2), event(3), stream=second, origin=Origin(stream=STREAM, first=2))
    take(telemetry, 3, event(4), stream=second)
    take(telemetry, 1, event(3), stream=third, origin=Origin(stream=STREAM, first=3))
    take(telemetry, 2, event(4), event(5), stream=third, origin=Origin(stream=second, first=3))
    with Reader(path) as reader:
        assert [row.details["number"] for row in reader.events(EventFilter())] == [1, 2, 3, 4, 5]
        assert list(reader.dead_letters()) == []


def test_s16_a_repeat_is_known_by_the_name_under_which_it_was_repeated(path: Path, telemetry: Telemetry) -> None:
    """The second move names the stream in between, of which the cloud has nothing but that it was a repeat."""
    second, third = "00000000000000bb", "00000000000000cc"
    take(telemetry, 1, event(1))
    take(telemetry, 1, event(1), stream=second, origin=Origin(stream=STREAM, first=1))
    take(telemetry, 1, event(1), stream=third, origin=Origin(stream=second, first=1))
    with Reader(path) as reader:
        assert [row.details["number"] for row in reader.events(EventFilter())] == [1]


def test_s16_a_moved_record_that_differs_from_the_one_of_its_first_name_is_a_record_of_its_own(
    path: Path, telemetry: Telemetry
) -> None:
    take(telemetry, 1, event(1))
    take(telemetry, 1, event(9), stream="00000000000000bb", origin=Origin(stream=STREAM, first=1))
    with Reader(path) as reader:
        assert [row.details["number"] for row in reader.events(EventFilter())] == [1, 9]


def test_an_outage_stored_twice_under_two_names_is_one_outage(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, outage())
    take(telemetry, 1, outage(), stream="00000000000000bb", origin=Origin(stream=STREAM, first=1))
    with Reader(path) as reader:
        assert len(list(reader.outages(OutageFilter()))) == 1


def made_before(path: Path) -> None:
    """A file as the version before left it."""
    with sqlite3.connect(path) as db:
        db.executescript(BEFORE.read_text())
    db.close()


def test_a_database_of_the_version_before_goes_on_where_it_was(path: Path) -> None:
    made_before(path)
    with pytest.raises(OlderDatabase):
        open_reader(path)
    telemetry = Telemetry(open_writer(path), lambda: T0)
    try:
        assert take(telemetry, 10, event(10)).through == 10
        assert take(telemetry, 1, event(1)).through == 10
        assert not say_health(telemetry, audit_length=1, audit_head="aa")
        with Reader(path) as reader:
            assert [row.details["number"] for row in reader.events(EventFilter())] == [1, 2, 10]
            assert [row.identity.identity.serial for row in reader.units() if row.identity] == ["AS1"]
            assert [(letter.lane, letter.seq) for letter in reader.dead_letters()] == [(Lane.STATUS, 3)]
    finally:
        telemetry.close()


def test_what_the_version_before_kept_raw_is_understood_once_it_is_brought_forward(path: Path) -> None:
    made_before(path)
    open_writer(path).close()
    with Reader(path) as reader:
        assert [row.body.id for row in reader.outages(OutageFilter())] == ["o1"]
        assert [step.outcome for step in reader.steps(G, "0" * 32)] == [Outcome.DONE]
        assert [row.dated_at for row in reader.events(EventFilter())] == [None, T0 - 8_000]
    with sqlite3.connect(path) as db:
        kinds = [row[0] for row in db.execute("SELECT kind FROM records ORDER BY id LIMIT 8")]
        anchors = [Anchor(*row) for row in db.execute("SELECT at, mono FROM clock_anchors")]
    db.close()
    assert kinds == [
        *(Stored.EVENT, Stored.EVENT, Stored.CLOCK, Stored.OUTAGE, Stored.COMMAND),
        *(Stored.UNKNOWN, Stored.UNKNOWN, Stored.GAP),
    ]
    assert anchors == [Anchor(T0, 10_000)]


def test_bringing_a_database_forward_happens_whole_or_not_at_all(path: Path) -> None:
    """Nothing is left of it if the last step of it fails."""
    made_before(path)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE commands (stranger)")
    db.close()
    with pytest.raises(sqlite3.OperationalError):
        open_writer(path)
    with sqlite3.connect(path) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(records)")]
        db.execute("DROP TABLE commands")
    db.close()
    assert "dated_at" not in columns
    open_writer(path).close()


def test_gaps_are_taken_as_before(telemetry: Telemetry) -> None:
    assert take(telemetry, 1, gap(1, 4), outage()).through == 5
