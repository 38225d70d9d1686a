"""The alert queue: rows of the transactions that store what they are about."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from cloud_bridge.ingest import Verdict
from cloud_bridge.runtime.alerts.wake import SOCKET_NAME, Bell, Ear, ring
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.queue import Queue, Queued
from cloud_bridge.store.schema import MIGRATIONS
from cloud_bridge.store.telemetry import Telemetry
from gateway.wire.messages import ClockBody
from tests.cloud_bridge.words import OTHER_STREAM, T0, clock, event, outage, parcel, record, status

G = "pi-a"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
def telemetry(path: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(path), lambda: T0)
    yield opened
    opened.close()


def take(telemetry: Telemetry, first: int, *records: bytes, **how: object) -> Verdict:
    with telemetry.transaction():
        return telemetry.take(G, parcel(first, *records, **how), T0)  # type: ignore[arg-type]  # what parcel() takes


def queued(path: Path, after: int = 0, count: int = 300) -> list[Queued]:
    with Queue(path) as queue:
        return queue.after(after, count)


def test_every_event_and_every_outage_is_queued_in_the_order_of_storing_and_nothing_else(
    telemetry: Telemetry, path: Path
) -> None:
    verdict = take(telemetry, 1, clock(1, T0), event(1), outage(), status(), event(2))
    assert verdict.alarming
    assert queued(path) == [Queued(1, 2, False), Queued(2, 3, True), Queued(3, 5, False)]
    assert queued(path, after=1, count=1) == [Queued(2, 3, True)]
    assert not take(telemetry, 6, status(), clock(2, T0)).alarming


def test_a_record_that_is_sent_again_is_queued_once(telemetry: Telemetry, path: Path) -> None:
    take(telemetry, 1, event(1), event(2))
    assert not take(telemetry, 1, event(1), event(2)).alarming
    assert len(queued(path)) == 2


def test_the_clouds_own_events_are_queued_too(telemetry: Telemetry, path: Path) -> None:
    take(telemetry, 1, event(1))
    assert take(telemetry, 1, event(2)).alarming
    assert len(queued(path)) == 2


def test_what_is_not_stored_is_not_queued(telemetry: Telemetry, path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), telemetry.transaction():
        telemetry.take(G, parcel(1, event(1)), T0)
        raise KeyboardInterrupt
    assert queued(path) == []


def test_a_row_is_known_again_by_what_it_is_about(telemetry: Telemetry, path: Path) -> None:
    take(telemetry, 1, event(1))
    take(telemetry, 1, event(1), stream=OTHER_STREAM)
    take(telemetry, 2, event(2))
    with Queue(path) as queue:
        assert queue.mark(1) == queue.mark(2)
        assert queue.mark(3) not in (None, queue.mark(1))
        assert queue.mark(4) is None


def test_what_an_earlier_version_did_not_understand_is_queued_when_it_is_read_again(path: Path) -> None:
    first = Telemetry(open_writer(path), lambda: T0)
    take(first, 1, record("unheard_of", ClockBody(moved_ms=0, why="set")), event(1))
    first.close()
    with sqlite3.connect(path) as db:
        (raw,) = db.execute("SELECT raw FROM records WHERE seq = 2").fetchone()
        db.execute("UPDATE records SET raw = ? WHERE seq = 1", (raw,))
        db.execute(f"DELETE FROM {MIGRATIONS.migrations_table} WHERE name = '0003_alert_queue'")
        db.execute("DROP TABLE alert_queue")
    db.close()
    assert [step.name for step in MIGRATIONS.pending(Database(path))] == ["0003_alert_queue"]
    Telemetry(open_writer(path), lambda: T0).close()
    assert queued(path) == [Queued(1, 1, False)]


def test_a_bell_wakes_whoever_listens_and_many_rings_are_one(tmp_path: Path) -> None:
    with Ear(tmp_path) as ear:
        bell = Bell(tmp_path)
        for _ in range(10_000):
            bell.ring()
        bell.close()
        assert ear.wait(10.0)
        assert not ear.wait(0.0)
        ear.wake()
        assert ear.wait(10.0)
        ring(tmp_path)
        assert ear.wait(10.0)


def test_a_bell_that_nobody_hears_fails_nothing(tmp_path: Path) -> None:
    ring(tmp_path / "nowhere")
    ring(tmp_path)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / SOCKET_NAME))
    dead.close()
    ring(tmp_path)
    with Ear(tmp_path) as ear:
        ring(tmp_path)
        assert ear.wait(10.0)


def test_a_bell_rings_however_deep_its_folder_lies(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with Ear(deep) as ear:
        ring(deep)
        assert ear.wait(10.0)
    assert not list(deep.iterdir())


def test_what_is_too_old_leaves_the_queue_but_for_its_newest_row(path: Path) -> None:
    at = iter([T0, T0, T0 + 10, T0 + 20])
    telemetry = Telemetry(open_writer(path), lambda: next(at))
    for number in range(1, 5):
        take(telemetry, number, event(number))
    with telemetry.transaction():
        assert telemetry.prune_queue(T0) == 0
        assert telemetry.prune_queue(T0 + 10) == 2
    assert [row.id for row in queued(path)] == [3, 4]
    with telemetry.transaction():
        assert telemetry.prune_queue(T0 + 1000) == 1
        assert telemetry.prune_queue(T0 + 1000) == 0
    assert [row.id for row in queued(path)] == [4]
    telemetry.close()


def test_a_position_that_is_too_old_for_the_queue_is_none_of_a_restored_database(
    telemetry: Telemetry, path: Path
) -> None:
    take(telemetry, 1, event(1), event(2), event(3))
    with Queue(path) as queue:
        assert not queue.was_pruned(2)
    with telemetry.transaction():
        telemetry.prune_queue(T0 + 1)
    with Queue(path) as queue:
        assert queue.was_pruned(2)
        assert not queue.was_pruned(3)
        assert not queue.was_pruned(9), "a restored database, which has not come so far yet"


def test_an_empty_queue_was_not_pruned(telemetry: Telemetry, path: Path) -> None:
    with Queue(path) as queue:
        assert not queue.was_pruned(5)
