"""A gateway taken over from the version before, and given back to it.

`upgrade/` has what version 0.1.0 of 2026-11-24 left: its outbox after an outage without a cloud, as SQL, and one of
each of its messages.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.prepare import prepare
from gateway.store.schema import FILE
from gateway.wire import codec
from gateway.wire.messages import Ack, Batch, Heartbeat, Hello, Lane, Message, Offline
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start
from tests.gateway.site import Site, control

LEFT = Path(__file__).parent / "upgrade"
OUTBOX = (LEFT / "outbox_step_1.sql").read_text(encoding="ascii")
EVENTS, STATUS = "0234ea0fb77a2e94", "3d495f656da65cfa"
"""Its streams; it had made events 1 to 4 and status 1 to 5, and told none of them."""


def message(name: str) -> bytes:
    lines = (LEFT / "messages_1.txt").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix(f"{name} ").encode() for line in lines if line.startswith(f"{name} "))


def left_behind(folder: Path) -> Path:
    """The folder `data` as the version before left it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / FILE)) as file:
        file.executescript(OUTBOX)
    return folder / FILE


def test_what_the_version_before_left_is_told_and_gone_on_with(tmp_path: Path, start: Start) -> None:
    site = Site(tmp_path, start)
    left_behind(site.data)
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("AS0000000001 answers")
    site.wait_for("rack-1", ["on_battery", "mains_restored"], gateway)
    control(unit, "mains", "off")
    rows = site.wait_for("rack-1", ["on_battery", "mains_restored", "on_battery"], gateway)
    assert {row.stream for row in rows} == {EVENTS}
    assert [row.seq for row in rows[:2]] == [2, 3]
    assert rows[2].seq > 4
    assert [row.history for row in rows] == [True, True, False]
    assert site.types("") == ["gateway_started", "gateway_stopped", "gateway_started"]


def test_every_row_is_there_after_the_migration_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    path = left_behind(tmp_path)
    kept = "SELECT lane, stream, first, last, gap, raw, origin_stream, origin_first, kept_at FROM record"
    with closing(sqlite3.connect(path)) as file:
        before = [file.execute(query).fetchall() for query in (kept, "SELECT name, serial, state FROM unit")]
        streams = file.execute("SELECT name, stream, next FROM lane").fetchall()
    prepare(tmp_path)
    with closing(sqlite3.connect(path)) as file:
        after = [file.execute(query).fetchall() for query in (kept, "SELECT name, serial, state FROM unit")]
        assert file.execute("SELECT name, stream, next FROM lane").fetchall() == streams
        schema = file.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    assert after == before
    prepare(tmp_path)
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == schema


def test_the_version_before_can_take_the_file_back(tmp_path: Path) -> None:
    """It writes the columns that it knows, and looks only at its own list of steps."""
    path = prepare(tmp_path / "new")
    old = left_behind(tmp_path / "old")
    with closing(sqlite3.connect(path)) as file, closing(sqlite3.connect(old)) as known:
        for table in ("lane", "record", "loss", "unit"):
            columns = [row[1] for row in known.execute(f"PRAGMA table_info({table})")]
            rows = known.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            places = ", ".join("?" for _ in columns)
            file.executemany(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
            assert set(rows) <= set(file.execute(f"SELECT {', '.join(columns)} FROM {table}"))
        steps = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'outbox'"
        assert file.execute(steps).fetchall() == known.execute(steps).fetchall()


def test_what_it_wrote_meanwhile_is_taken_up_again(tmp_path: Path, start: Start) -> None:
    site = Site(tmp_path, start)
    left_behind(site.data)
    prepare(site.data)
    with closing(sqlite3.connect(site.outbox)) as file, file:
        file.execute(
            "INSERT INTO record (lane, stream, first, last, gap, raw, origin_stream, origin_first, kept_at)"
            " SELECT lane, stream, 5, 5, gap, raw, NULL, NULL, kept_at FROM record WHERE lane = 'events' AND first = 4"
        )
        file.execute("UPDATE lane SET next = 6 WHERE name = 'events'")
    site.broker()
    site.ingest()
    site.gateway()
    told = ["gateway_started", "gateway_stopped", "gateway_stopped", "gateway_started"]
    eventually(lambda: site.types("") == told, "told in its order, each once")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("up hello", Hello), ("up heartbeat", Heartbeat), ("up offline", Offline), ("down ack", Ack)],
)
def test_its_messages_are_understood_as_it_meant_them(name: str, kind: type[Message]) -> None:
    said = codec.decode(message(name), kind)
    assert codec.encode(said) == message(name)


@pytest.mark.parametrize("lane", list(Lane))
def test_its_batches_are_understood_record_by_record(lane: Lane) -> None:
    batch = codec.decode(message(f"up {lane.value}"), Batch)
    with closing(sqlite3.connect(":memory:")) as file:
        file.executescript(OUTBOX)
        rows = file.execute(
            "SELECT first, last, raw FROM record WHERE lane = ? ORDER BY first", (lane.value,)
        ).fetchall()
    assert [(first, last, bytes(raw)) for first, last, raw in codec.numbered(batch)] == rows
    assert batch.stream == (EVENTS if lane is Lane.EVENTS else STATUS)
