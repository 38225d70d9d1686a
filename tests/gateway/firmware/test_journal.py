"""fw.db: real SQLite files, a killed process, damage (gateway-ota.md A5)."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from gateway.errors import NotKept
from gateway.firmware import events
from gateway.firmware.effects import Effect, RaiseCounter, Record, Transition
from gateway.firmware.errors import JournalDamaged, NewerJournal
from gateway.firmware.job import Job
from gateway.firmware.states import State
from gateway.firmware.upgrade import step
from gateway.store.firmware import FILE, Journal, opened
from gateway.store.firmware_schema import STEPS, migrations, prepare_journal
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.upgrading import ANYTHING, SAFE, stamp


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare_journal(tmp_path / "data")


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with opened(path) as made:
        yield made


def raw(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


def read(job: Job) -> tuple[Job, tuple[Effect, ...]]:
    """One step with a transition: OFFERED to DOWNLOADING."""
    seen = upgrading.readings(stamp())
    return step(job, events.Read(now=stamp(), readings=seen, topology=SAFE, rules=ANYTHING))


def line(job: Job, rev: int, after: State = State.DOWNLOADING) -> Record:
    return Record(Transition(job=job.id, rev=rev, before=job.state, after=after, cause="test", stamp=stamp()))


def test_a_new_journal_is_private_and_safe_against_power_cuts(path: Path, journal: Journal) -> None:
    assert path.name == FILE == "fw.db"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert journal.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal.open_jobs() == ()


def test_a_step_is_kept_whole_and_found_again(path: Path, journal: Journal) -> None:
    job = upgrading.job(with_fallback=True)
    assert journal.add(job)
    assert not journal.add(job)
    after, effects = read(job)
    assert journal.keep(after, effects)
    with opened(prepare_journal(path.parent)) as again:
        assert again.open_jobs() == (after,)
        assert again.job(job.id) == after
        assert again.job("f" * 32) is None
        (told,) = again.log(job.id)
        assert effects[0] == Record(told)


def test_a_step_without_a_transition_leaves_the_disk_alone(journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    before = journal.connection.total_changes
    after, effects = step(job, events.Tick(now=stamp()))
    assert not journal.keep(after, effects)
    assert journal.connection.total_changes == before


def test_a_transition_that_does_not_follow_is_refused_and_nothing_of_it_is_kept(journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    skipped = msgspec.structs.replace(job, rev=2)
    with pytest.raises(JournalDamaged, match="does not have job"):
        journal.keep(skipped, (line(job, 2), RaiseCounter(hardware_id="1026", counter=7)))
    assert journal.log(job.id) == ()
    assert journal.highest_counter("1026") == 0
    journal.keep(msgspec.structs.replace(job, rev=1), (line(job, 1),))
    with pytest.raises(JournalDamaged):
        journal.keep(msgspec.structs.replace(job, rev=1), (line(job, 1),))


def test_a_job_that_ended_is_not_found_open(journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    ended = msgspec.structs.replace(job, rev=1, state=State.CANCELLED)
    journal.keep(ended, (line(job, 1, State.CANCELLED),))
    assert journal.open_jobs() == ()
    assert journal.job(job.id) == ended


def test_invariant_5_a_counter_rises_with_its_commit_and_never_falls(journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    for rev, counter, highest in ((1, 41, 41), (2, 40, 41), (3, 43, 43)):
        job = msgspec.structs.replace(job, rev=rev)
        journal.keep(job, (line(job, rev), RaiseCounter(hardware_id="1026", counter=counter)))
        assert journal.highest_counter("1026") == highest
    assert journal.highest_counter("1027") == 0
    for statement in ("UPDATE counter SET highest = 1", "DELETE FROM counter"):
        with pytest.raises(sqlite3.IntegrityError, match="never falls"):
            journal.connection.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE log SET cause = 'x'", "DELETE FROM log"])
def test_the_log_can_only_be_appended_to(journal: Journal, statement: str) -> None:
    job = upgrading.job()
    journal.add(job)
    journal.keep(*read(job))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        journal.connection.execute(statement)


def test_invariant_17_what_the_cloud_may_not_have_is_told_again_in_order(journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    for rev in (1, 2, 3):
        job = msgspec.structs.replace(job, rev=rev)
        journal.keep(job, (line(job, rev),))
    assert [each.rev for each in journal.unreported()] == [1, 2, 3]
    journal.reported(job.id, 2)
    journal.reported(job.id, 1)
    assert [each.rev for each in journal.unreported()] == [3]
    journal.reported(job.id, 3)
    assert journal.unreported() == ()


def test_a_newer_file_is_refused_and_left_as_it_is(path: Path) -> None:
    with raw(path) as connection:
        table = migrations.migrations_table
        connection.execute(f"UPDATE {table} SET name = '2 something new' WHERE name = ?", (STEPS[0],))
    with pytest.raises(NewerJournal, match="newer version of ridethrough") as caught:
        prepare_journal(path.parent)
    assert (caught.value.path, caught.value.unknown) == (path, "2 something new")


def test_a_file_that_lacks_a_column_is_refused(path: Path) -> None:
    with raw(path) as connection:
        Database(connection).table("counter").transform(rename={"highest": "lowest"})
    with pytest.raises(JournalDamaged, match="table counter has no column highest"):
        prepare_journal(path.parent)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _no_database(path: Path) -> None:
    path.write_bytes(b"no database at all " * 100)


def _overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 3] = b"\xff" * (4096 * 2)
    path.write_bytes(bytes(data))


def _emptied(path: Path) -> None:
    path.write_bytes(b"")
    Path(f"{path}-wal").write_bytes(b"x" * 64)


@pytest.mark.parametrize("damage", [_torn, _no_database, _overwritten, _emptied])
def test_a_torn_file_is_refused_with_its_name(path: Path, damage: object) -> None:
    with opened(path) as journal:
        job = upgrading.job()
        journal.add(job)
        journal.keep(*read(job))
    assert callable(damage)
    damage(path)
    with pytest.raises(JournalDamaged, match="no firmware is upgraded") as caught:
        prepare_journal(path.parent)
    assert caught.value.path == path


@pytest.mark.parametrize("body", [b"{}", b"\xff\xfe", b'{"id":'])
def test_a_job_that_is_not_as_it_was_written_is_refused(path: Path, journal: Journal, body: bytes) -> None:
    journal.add(upgrading.job())
    with raw(path) as connection:
        connection.execute("UPDATE job SET body = ?", (body,))
    with pytest.raises(JournalDamaged, match="job 1111"):
        journal.open_jobs()


def test_a_bit_that_rots_in_a_job_is_seen(path: Path, journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    with raw(path) as connection:
        rotten = msgspec.json.encode(job).replace(b'"AS1"', b'"AS3"')
        connection.execute("UPDATE job SET body = ?", (rotten,))
    with pytest.raises(JournalDamaged, match="not as it was written"):
        journal.open_jobs()


def test_a_locked_file_is_no_damage(path: Path, journal: Journal) -> None:
    journal.connection.execute("PRAGMA busy_timeout = 0")
    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotKept) as caught:
            journal.add(upgrading.job())
        assert not caught.value.full
        other.execute("ROLLBACK")
    assert journal.add(upgrading.job())


def test_a_full_disk_is_no_damage_and_leaves_the_job_as_it_was(journal: Journal) -> None:
    job = upgrading.job()
    journal.add(job)
    pages = journal.connection.execute("PRAGMA page_count").fetchone()[0]
    journal.connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Record(
        Transition(
            job=job.id,
            rev=1,
            before=job.state,
            after=job.state,
            cause="test",
            stamp=stamp(),
            evidence={"much": "x" * 100_000},
        )
    )
    with pytest.raises(NotKept) as caught:
        journal.keep(msgspec.structs.replace(job, rev=1), (large,))
    assert caught.value.full
    assert journal.open_jobs() == (job,)
    assert journal.log(job.id) == ()


def test_a_journal_that_nobody_made_ready_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(NotKept), opened(tmp_path / FILE):
        pass


KEEPING = """
import sys
from pathlib import Path
import msgspec
from gateway.store.firmware import opened
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.test_journal import line
with opened(Path(sys.argv[1])) as journal:
    job = upgrading.job()
    journal.add(job)
    for rev in range(1, 100_000):
        job = msgspec.structs.replace(job, rev=rev, progress=rev)
        journal.keep(job, (line(job, rev),))
        print(rev, flush=True)
"""


def test_a_process_that_is_killed_loses_nothing_that_it_was_told_is_kept(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KEEPING, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(next(child.stdout)) for _ in range(30)]
        child.send_signal(signal.SIGKILL)
        told += [int(each) for each in child.stdout if each.endswith("\n")]
    with opened(prepare_journal(path.parent)) as journal:
        (job,) = journal.open_jobs()
        assert told[-1] <= job.rev == job.progress <= told[-1] + 1
        assert [each.rev for each in journal.log(job.id)] == list(range(1, job.rev + 1))


def test_a_copy_made_in_the_middle_of_writing_is_whole_or_refused(path: Path, tmp_path: Path) -> None:
    with opened(path) as journal:
        job = upgrading.job()
        journal.add(job)
        journal.keep(*read(job))
        wal = Path(f"{path}-wal").read_bytes()
        for number, length in enumerate(range(0, len(wal), 997)):
            folder = tmp_path / f"copy{number}"
            folder.mkdir()
            shutil.copy(path, folder / FILE)
            Path(f"{folder / FILE}-wal").write_bytes(wal[:length])
            with opened(prepare_journal(folder)) as copied:
                assert [each.rev for each in copied.open_jobs()] in ([], [0], [1])


def test_the_long_running_part_needs_no_sqlite_utils() -> None:
    code = "import sys, gateway.store.firmware, gateway.firmware.upgrade\nprint('sqlite_utils' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
