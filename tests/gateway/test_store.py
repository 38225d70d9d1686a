"""The outbox file: real SQLite files, a killed writer, a full disk, damage."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlite_utils import Database

from gateway.entries import ALWAYS, Entry, Kept, Shift, Want
from gateway.errors import NewerOutbox, NotKept, OutboxDamaged
from gateway.quota import SLICE_RECORDS
from gateway.store.outbox import OutboxFile
from gateway.store.prepare import prepare
from gateway.store.schema import FILE, STEPS, add_lanes, additions, migrations
from gateway.store.shedding import ACKED_KEPT_AT_LEAST, ACKED_KEPT_MS, prune
from gateway.store.writer import Writer, nothing
from gateway.wire import codec
from gateway.wire.messages import GapBody, Lane, Origin, Stamp

STAMP = Stamp(at=1_000_000, boot="b", mono=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "data")


def opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


def entries(*numbers: int) -> list[Entry]:
    return [Entry(number, b"record %d" % number) for number in numbers]


def numbers(file: OutboxFile, lane: Lane = Lane.EVENTS) -> list[int]:
    rows = file.connection.execute("SELECT first FROM record WHERE lane = ? ORDER BY stream, first", (lane,))
    return [row[0] for row in rows]


def test_a_new_outbox_is_private_and_each_lane_has_a_stream_of_its_own(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with opened(path) as connection:
        lanes = OutboxFile(connection).lanes()
    assert len({kept.stream for kept in lanes.values()}) == 2
    assert all(len(kept.stream) == 16 and kept.next == 1 for kept in lanes.values())


def test_opening_again_changes_nothing(path: Path) -> None:
    with opened(path) as connection:
        before = OutboxFile(connection).lanes()
    prepare(path.parent)
    with opened(path) as connection:
        assert OutboxFile(connection).lanes() == before


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    with opened(path) as connection:
        Database(connection).table(migrations.migrations_table).insert(
            {"migration_set": "outbox", "name": "99 tomorrow", "applied_at": "2030-01-01"}
        )
    with pytest.raises(NewerOutbox, match="99 tomorrow"):
        prepare(path.parent)


@pytest.mark.parametrize("content", [b"not a database at all " * 500, b""])
def test_a_file_that_is_no_database_is_set_aside_unless_it_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with opened(prepare(tmp_path)) as connection:
        assert OutboxFile(connection).lanes().keys() == set(Lane)
    assert len(list(tmp_path.glob("outbox-damaged-*"))) == bool(content)


def test_numbers_taken_stay_taken(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        stream = file.lanes()[Lane.EVENTS].stream
        file.put(Lane.EVENTS, stream, entries(1, 2, 3), 0)
        file.keep(Lane.EVENTS, Kept(stream, acked=2, next=2, sent=ALWAYS))
        assert file.lanes()[Lane.EVENTS] == Kept(stream, 2, 4, 3)


def test_reserved_numbers_are_free_again_after_a_clean_stop(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        stream = file.lanes()[Lane.STATUS].stream
        file.keep(Lane.STATUS, Kept(stream, acked=2, next=500, sent=ALWAYS))
        file.keep_at_stop(Lane.STATUS, Kept(stream, acked=2, next=3, sent=2))
        assert file.lanes()[Lane.STATUS] == Kept(stream, 2, 3, 2)


def test_what_is_lost_is_explained_once_and_for_all(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        stream = file.lanes()[Lane.STATUS].stream
        file.put(Lane.STATUS, stream, entries(2), 0)
        file.keep(Lane.STATUS, Kept(stream, acked=0, next=10, sent=ALWAYS))
        file.lanes()
        want = Want(Lane.STATUS, stream, 1, 9)
        loaded = file.load(want, STAMP).entries
        assert [(entry.first, entry.end, entry.gap) for entry in loaded] == [(1, 1, True), (2, 2, False), (3, 9, True)]
        assert [codec.decode_body(codec.decode_record(loaded[n].raw), GapBody).why for n in (0, 2)] == [
            "no longer kept",
            "crash",
        ]
        later = Stamp(at=2_000_000, boot="c", mono=5)
        assert file.load(want, later).entries == loaded


def test_s16_the_change_to_a_new_stream_keeps_every_record_and_its_old_name(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        old, new = file.lanes()[Lane.EVENTS].stream, "b" * 16
        file.put(Lane.EVENTS, old, [*entries(1, 2, 3), Entry(4, b"gap", last=6, gap=True), *entries(7)], 0)
        shift = Shift(Lane.EVENTS, old, new, acked=2, last=8, through=9)
        assert file.move(entries(8), shift, Kept(new, 0, 7, ALWAYS), 0) == 3
        assert file.lanes()[Lane.EVENTS] == Kept(new, 0, 7, 6)
        loaded = file.load(Want(Lane.EVENTS, new, 1, 6), STAMP).entries
        assert [(entry.first, entry.end, entry.origin) for entry in loaded] == [
            (1, 1, Origin(stream=old, first=3)),
            (2, 4, None),
            (5, 5, Origin(stream=old, first=7)),
            (6, 6, Origin(stream=old, first=8)),
        ]


def test_s16_a_second_change_of_the_stream_keeps_the_name_that_the_cloud_can_know(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        first, second, third = file.lanes()[Lane.EVENTS].stream, "b" * 16, "c" * 16
        file.put(Lane.EVENTS, first, entries(3, 4), 0)
        file.move([], Shift(Lane.EVENTS, first, second, acked=2, last=4, through=9), Kept(second, 0, 3), 0)
        file.put(Lane.EVENTS, second, entries(3), 0)
        file.move([], Shift(Lane.EVENTS, second, third, acked=0, last=3, through=1), Kept(third, 0, 4), 0)
        assert [entry.origin for entry in file.load(Want(Lane.EVENTS, third, 1, 3), STAMP).entries] == [
            Origin(stream=second, first=1),
            Origin(stream=first, first=4),
            Origin(stream=second, first=3),
        ]


def test_a_record_whose_bytes_have_changed_is_not_sent_but_explained(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        stream = file.lanes()[Lane.EVENTS].stream
        file.put(Lane.EVENTS, stream, entries(1, 2, 3), 0)
        connection.execute("UPDATE record SET raw = ? WHERE first = 2", (b"record 9",))
        loaded = file.load(Want(Lane.EVENTS, stream, 1, 3), STAMP).entries
        assert [(entry.first, entry.gap) for entry in loaded] == [(1, False), (2, True), (3, False)]
        assert codec.decode_body(codec.decode_record(loaded[1].raw), GapBody).why == "damaged"
        assert caplog.text.count("a record of events is damaged") == 1
        assert file.load(Want(Lane.EVENTS, stream, 1, 3), STAMP).entries == loaded


def test_s16_a_record_that_rotted_does_not_move_to_the_new_stream(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        old, new = file.lanes()[Lane.EVENTS].stream, "b" * 16
        file.put(Lane.EVENTS, old, entries(1, 2, 3), 0)
        connection.execute("UPDATE record SET raw = ? WHERE first = 2", (b"record 9",))
        shift = Shift(Lane.EVENTS, old, new, acked=0, last=3, through=9)
        assert file.move([], shift, Kept(new, 0, 4), 0) == 2
        loaded = file.load(Want(Lane.EVENTS, new, 1, 3), STAMP).entries
        assert [(entry.first, entry.gap) for entry in loaded] == [(1, False), (2, True), (3, False)]


def test_what_is_for_the_version_after_is_added_beside_what_this_one_knows(path: Path) -> None:
    """The version before goes on with a file of this one: it looks at the steps it must know only."""
    with opened(path) as connection:
        db = Database(connection)
        assert [each.name for each in migrations.applied(db)] == [*STEPS]
        db.table(additions.migrations_table).insert(
            {"migration_set": additions.name, "name": "99 tomorrow", "applied_at": "2030-01-01"}
        )
        db.table("record").add_column("tomorrow", int)
    prepare(path.parent)
    with opened(path) as connection:
        file = OutboxFile(connection)
        stream = file.lanes()[Lane.EVENTS].stream
        assert file.put(Lane.EVENTS, stream, entries(1), 0) == 1


def test_a_file_that_has_an_addition_among_the_steps_is_put_right(path: Path) -> None:
    with opened(path) as connection:
        connection.execute("UPDATE _sqlite_migrations SET migration_set = 'outbox' WHERE name LIKE '2 %'")
    prepare(path.parent)
    with opened(path) as connection:
        assert [each.name for each in migrations.applied(Database(connection))] == [*STEPS]


def test_a_file_of_the_first_version_is_migrated_and_its_records_go_on(tmp_path: Path) -> None:
    with opened(tmp_path / FILE) as connection:
        db = Database(connection)
        migrations.apply(db)
        add_lanes(db)
        stream = OutboxFile(connection).lanes()[Lane.EVENTS].stream
        connection.execute(
            "INSERT INTO record (lane, stream, first, last, gap, raw, kept_at) VALUES (?, ?, 1, 1, 0, ?, 5)",
            (Lane.EVENTS, stream, b"of old"),
        )
    with opened(prepare(tmp_path)) as connection:
        loaded = OutboxFile(connection).load(Want(Lane.EVENTS, stream, 1, 1), STAMP)
    assert [entry.raw for entry in loaded.entries] == [b"of old"]


def test_s16_acknowledged_events_stay_seven_days_and_status_does_not(path: Path) -> None:
    many = range(1, ACKED_KEPT_AT_LEAST + 4)
    with opened(path) as connection:
        file = OutboxFile(connection)
        for lane, kept in file.lanes().items():
            file.put(lane, kept.stream, entries(*many), 1000)
            file.keep(lane, Kept(kept.stream, acked=many[-2], next=many[-1] + 1, sent=ALWAYS))
        prune(file, 1000 + ACKED_KEPT_MS)
        assert (numbers(file), numbers(file, Lane.STATUS)) == ([*many], [many[-1]])
        prune(file, 1001 + ACKED_KEPT_MS)
        assert numbers(file) == [*many[2:]]


def test_s16_a_clock_set_forward_ten_years_leaves_the_newest_acknowledged_events(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        kept = file.lanes()[Lane.EVENTS]
        file.put(Lane.EVENTS, kept.stream, entries(1, 2, 3), 1000)
        file.keep(Lane.EVENTS, Kept(kept.stream, acked=3, next=4, sent=ALWAYS))
        prune(file, 10 * 365 * 24 * 3600 * 1000)
        assert numbers(file) == [1, 2, 3]


def test_what_is_no_longer_kept_goes_a_slice_at_a_time(path: Path) -> None:
    """After a week's backlog, so that an event waits for one slice at most."""
    many = range(1, 2 * SLICE_RECORDS + 11)
    with opened(path) as connection:
        file = OutboxFile(connection)
        kept = file.lanes()[Lane.STATUS]
        connection.execute("BEGIN")
        file.put(Lane.STATUS, kept.stream, entries(*many), 0)
        file.keep(Lane.STATUS, Kept(kept.stream, acked=many[-1], next=many[-1] + 1, sent=ALWAYS))
        connection.execute("COMMIT")
        assert [prune(file, 0) for _ in range(4)] == [SLICE_RECORDS, SLICE_RECORDS, 10, 0]


def test_a_clock_set_back_does_not_keep_status_that_the_cloud_has(path: Path) -> None:
    with opened(path) as connection:
        file = OutboxFile(connection)
        kept = file.lanes()[Lane.STATUS]
        file.put(Lane.STATUS, kept.stream, entries(1, 2, 3), 10**12)
        file.keep(Lane.STATUS, Kept(kept.stream, acked=2, next=4, sent=ALWAYS))
        prune(file, 0)
        assert numbers(file, Lane.STATUS) == [3]


async def test_jobs_that_wait_together_share_one_commit(path: Path) -> None:
    writer = Writer(path, asyncio.get_running_loop())
    await writer.submit(lambda file: file.lanes())
    before = writer.commits
    jobs = [
        partial(OutboxFile.put, lane=Lane.EVENTS, stream="a" * 16, entries=entries(n), now_ms=0) for n in range(1, 200)
    ]
    await asyncio.gather(*(writer.submit(job) for job in jobs))
    assert writer.commits - before < 100
    await writer.close()


async def test_what_is_for_later_goes_with_the_next_commit_and_the_newest_counts(path: Path) -> None:
    writer = Writer(path, asyncio.get_running_loop())
    writer.later("state", lambda file: file.put_state("rack-1", b"old"))
    writer.later("state", lambda file: file.put_state("rack-1", b"new"))
    writer.later("gone", lambda file: file.put_state("rack-2", b"x"))
    writer.withdraw("gone")
    await writer.submit(nothing)
    units = await writer.submit(lambda file: file.units())
    assert {name: row.state for name, row in units.items()} == {"rack-1": b"new"}
    await writer.close()


async def test_a_look_into_the_file_costs_no_write(path: Path) -> None:
    """What is for later waits for a commit that is made anyhow, or for its own time."""
    writer = Writer(path, asyncio.get_running_loop())
    writer.later("state", lambda file: file.put_state("rack-1", b"x"))
    assert await writer.submit(lambda file: file.units(), reads=True) == {}
    assert writer.commits == 0
    await writer.submit(nothing)
    assert (await writer.submit(lambda file: file.units(), reads=True)).keys() == {"rack-1"}
    assert writer.commits == 1
    await writer.close()


async def test_what_is_for_later_is_written_in_its_time_though_nothing_else_is(path: Path) -> None:
    loop = asyncio.get_running_loop()
    writer, done = Writer(path, loop), asyncio.Event()

    def job(file: OutboxFile) -> None:
        file.put_state("rack-1", b"x")
        loop.call_soon_threadsafe(done.set)

    writer.later("slow", lambda file: file.put_state("rack-2", b"y"))
    writer.later("state", job, within_s=0.05)
    await asyncio.wait_for(done.wait(), 10.0)
    assert (await writer.submit(lambda file: file.units(), reads=True)).keys() == {"rack-1", "rack-2"}
    await writer.close()


async def test_a_clean_end_writes_what_was_for_later(path: Path) -> None:
    writer = Writer(path, asyncio.get_running_loop())
    writer.later("state", lambda file: file.put_state("rack-1", b"last"))
    await writer.close()
    with opened(path) as connection:
        assert OutboxFile(connection).unit("rack-1").state == b"last"


async def test_a_transaction_is_whole_or_nothing(path: Path) -> None:
    writer = Writer(path, asyncio.get_running_loop())

    def half(file: OutboxFile) -> None:
        file.put_state("rack-1", b"half")
        file.connection.execute("INSERT INTO lane (name) VALUES ('events')")

    with pytest.raises(sqlite3.IntegrityError):
        await writer.submit(half)
    assert await writer.submit(lambda file: file.units()) == {}
    await writer.close()


async def test_a_full_disk_is_told_once_and_the_writing_goes_on_afterwards(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(path, asyncio.get_running_loop())
    await writer.submit(lambda file: file.connection.execute("PRAGMA max_page_count = 1"))
    big = [Entry(number, bytes(8000)) for number in range(1, 200)]
    for _ in range(3):
        with pytest.raises(NotKept) as caught:
            await writer.submit(lambda file: file.put(Lane.EVENTS, "a" * 16, big, 0))
        assert caught.value.full
    assert caplog.text.count("nothing can be written to the outbox") == 1
    await writer.submit(lambda file: file.connection.execute("PRAGMA max_page_count = 100000"))
    assert await writer.submit(lambda file: file.put(Lane.EVENTS, "a" * 16, big, 0)) == len(big)
    await writer.close()


async def test_damage_found_while_running_is_its_own_error(path: Path) -> None:
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        OutboxFile(connection).put(Lane.EVENTS, "a" * 16, [Entry(n, bytes(4000)) for n in range(1, 100)], 0)
    spoil(path)
    writer = Writer(path, asyncio.get_running_loop())
    with pytest.raises(OutboxDamaged):
        await writer.submit(lambda file: prune(file, 10**15))
    await writer.close()


async def test_a_job_that_fails_in_an_undeclared_way_ends_the_writer_and_is_told(path: Path) -> None:
    writer = Writer(path, asyncio.get_running_loop())

    def wrong(file: OutboxFile) -> None:
        raise LookupError("a bug")

    lost = writer.submit(wrong)
    with pytest.raises(LookupError):
        await writer.died
    with pytest.raises(LookupError):
        await writer.submit(lambda file: file.units())
    assert not lost.done()


def spoil(path: Path) -> None:
    """All but the first page of the file becomes rubbish."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


WRITING = """
import asyncio, sys
from pathlib import Path
from gateway.entries import Entry
from gateway.store.writer import Writer, nothing
from gateway.wire.messages import Lane

async def main(path, first):
    writer = Writer(path, asyncio.get_running_loop())
    for number in range(first, first + 100000):
        entry = Entry(number, b"record %d" % number)
        def job(file):
            file.put(Lane.EVENTS, "a" * 16, [entry], 0)
            file.put_state("rack-1", b"%d" % number)
        await writer.submit(job)
        print(number, flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_kill_9_at_any_moment_loses_no_committed_event_and_keeps_its_state_with_it(path: Path) -> None:
    """What the writer said is committed is there; records have no hole; the state is that of the last
    record."""
    chance = random.Random(20261124)
    first = 1
    for _ in range(8):
        command = [sys.executable, "-c", WRITING, str(path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = 0
            for _ in range(chance.randint(1, 60)):
                said = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
        prepare(path.parent)
        with opened(path) as connection:
            file = OutboxFile(connection)
            stored = numbers(file)
            state = file.unit("rack-1").state
        assert stored == list(range(1, len(stored) + 1))
        assert len(stored) >= said
        assert state == b"%d" % stored[-1]
        first = stored[-1] + 1


FULL = """
import asyncio, logging, resource, sys
from pathlib import Path
from gateway.entries import Entry
from gateway.errors import NotKept
from gateway.store.writer import Writer, nothing
from gateway.wire.messages import Lane

async def main(path):
    logging.basicConfig(level=logging.INFO)
    writer = Writer(path, asyncio.get_running_loop())
    await writer.submit(nothing)
    soft = path.with_name(path.name + "-wal").stat().st_size + 40000
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
    refused = 0
    for number in range(1, 40):
        entry = Entry(number, bytes(4000))
        try:
            await writer.submit(lambda file: file.put(Lane.EVENTS, "a" * 16, [entry], 0))
        except NotKept:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await writer.submit(lambda file: file.put(Lane.EVENTS, "a" * 16, [Entry(40, b"x")], 0))
    await writer.close()
    print(refused)

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_file_that_can_not_grow_gives_up_the_ballast_says_so_once_and_recovers(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) > 0
    assert done.stderr.count("gave up a reserve") == 1
    assert done.stderr.count("nothing can be written to the outbox") == 1
    assert done.stderr.count("is written again") == 1
    with opened(path) as connection:
        assert 40 in numbers(OutboxFile(connection))


async def test_an_event_survives_a_power_cut_since_each_commit_reaches_the_disk(path: Path) -> None:
    """WAL with synchronous = FULL (2): with NORMAL the last commits may be lost (gateway-ota.md, B3)."""
    writer = Writer(path, asyncio.get_running_loop())

    def pragmas(file: OutboxFile) -> list[object]:
        return [file.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]

    assert await writer.submit(pragmas) == [2, "wal"]
    await writer.close()
