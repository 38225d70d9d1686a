"""The journal of upgrades in fw.db: jobs, each of their transitions, the highest release counters (gateway-ota.md A5).

Every method is a transaction of its own, and on the disk when it returns. One thread uses it. The file is made ready by
gateway.store.firmware_schema beforehand.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.errors import NotKept
from gateway.firmware.effects import Effect, RaiseCounter, Record, Transition
from gateway.firmware.errors import JournalDamaged
from gateway.firmware.job import Job

FILE = "fw.db"

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})

_JOB = "SELECT id, rev, body, checksum FROM job"

_job = msgspec.json.Decoder(Job)
_transition = msgspec.json.Decoder(Transition)


class Journal:
    """`connection`: with isolation_level None, as `opened` makes it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def add(self, job: Job) -> bool:
        """A new job; False if there is or was one for its order. Raises NotKept or JournalDamaged."""
        with self._writing():
            body = msgspec.json.encode(job)
            done = self.connection.execute(
                "INSERT INTO job (id, serial, state, rev, reported, open, body, checksum)"
                " VALUES (?, ?, ?, ?, 0, 1, ?, ?) ON CONFLICT (id) DO NOTHING",
                (job.id, job.order.serial, job.state.value, job.rev, body, zlib.crc32(body)),
            )
            return done.rowcount == 1

    def keep(self, job: Job, effects: Iterable[Effect]) -> bool:
        """What a step made of a job: its transition, the job after it, and a counter that is raised, or none of them.

        False if the step had no transition: then there is nothing to keep. Raises NotKept or JournalDamaged; the
        latter too if the file does not have the job as it was before.
        """
        effects = tuple(effects)
        records = [effect.transition for effect in effects if isinstance(effect, Record)]
        if not records:
            return False
        with self._writing():
            for transition in records:
                self._append(transition)
            self._replace(job, records[0].rev - 1)
            for effect in effects:
                if isinstance(effect, RaiseCounter):
                    self._raise(effect)
        return True

    def open_jobs(self) -> tuple[Job, ...]:
        """Those that have not ended, oldest first. Raises NotKept or JournalDamaged."""
        with self._reading():
            rows = self.connection.execute(
                "SELECT id, rev, body, checksum FROM job WHERE open = 1 ORDER BY rowid"
            ).fetchall()
        return tuple(self._decoded(*row) for row in rows)

    def job(self, name: str) -> Job | None:
        with self._reading():
            row = self.connection.execute(f"{_JOB} WHERE id = ?", (name,)).fetchone()
        return self._decoded(*row) if row else None

    def log(self, name: str) -> tuple[Transition, ...]:
        """Every transition of a job, in order."""
        with self._reading():
            rows = self.connection.execute("SELECT body FROM log WHERE job = ? ORDER BY rev", (name,)).fetchall()
        return tuple(self._read(row[0]) for row in rows)

    def unreported(self) -> tuple[Transition, ...]:
        """What the cloud's outbox may not have yet, each job's in order: to be told again after a start."""
        with self._reading():
            rows = self.connection.execute(
                "SELECT log.body FROM log JOIN job ON job.id = log.job WHERE log.rev > job.reported ORDER BY log.rowid"
            ).fetchall()
        return tuple(self._read(row[0]) for row in rows)

    def reported(self, name: str, rev: int) -> None:
        """The outbox has a job's transitions up to `rev`."""
        with self._writing():
            self.connection.execute("UPDATE job SET reported = max(reported, ?) WHERE id = ?", (rev, name))

    def highest_counter(self, hardware_id: str) -> int:
        """0 if no unit of this hardware id was ever upgraded here."""
        with self._reading():
            row = self.connection.execute(
                "SELECT highest FROM counter WHERE hardware_id = ?", (hardware_id,)
            ).fetchone()
        return int(row[0]) if row else 0

    def _append(self, made: Transition) -> None:
        self.connection.execute(
            "INSERT INTO log (job, rev, at, mono, boot, before, after, cause, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                made.job,
                made.rev,
                made.stamp.at,
                made.stamp.mono,
                made.stamp.boot,
                made.before.value,
                made.after.value,
                made.cause,
                msgspec.json.encode(made),
            ),
        )

    def _replace(self, job: Job, before: int) -> None:
        body = msgspec.json.encode(job)
        done = self.connection.execute(
            "UPDATE job SET state = ?, rev = ?, open = ?, body = ?, checksum = ? WHERE id = ? AND rev = ?",
            (job.state.value, job.rev, int(job.open), body, zlib.crc32(body), job.id, before),
        )
        if done.rowcount != 1:
            raise JournalDamaged(self.path, f"it does not have job {job.id} at rev {before}")

    def _raise(self, effect: RaiseCounter) -> None:
        self.connection.execute(
            "INSERT INTO counter (hardware_id, highest) VALUES (?, ?)"
            " ON CONFLICT (hardware_id) DO UPDATE SET highest = max(highest, excluded.highest)",
            (effect.hardware_id, effect.counter),
        )

    def _decoded(self, name: str, rev: int, body: bytes, checksum: int) -> Job:
        try:
            job = _job.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise JournalDamaged(self.path, f"job {name}: {error}") from None
        if zlib.crc32(body) != checksum or (job.id, job.rev) != (name, rev):
            raise JournalDamaged(self.path, f"job {name}: it is not as it was written")
        return job

    def _read(self, body: bytes) -> Transition:
        try:
            return _transition.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise JournalDamaged(self.path, f"log: {error}") from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._reading():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise as_ours(self.path, error) from error


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """The journal of a file that was made ready. Raises NotKept or JournalDamaged."""
    try:
        connection = connected(path)
    except sqlite3.Error as error:
        raise as_ours(path, error) from error
    try:
        yield Journal(path, connection)
    finally:
        connection.close()


def connected(path: Path) -> sqlite3.Connection:
    """Nothing is lost that a commit returned from, whatever becomes of the power."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def as_ours(path: Path, error: sqlite3.Error) -> Exception:
    """A disk that fails, is full or locked is not a damaged file."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF in _DAMAGED or not isinstance(error, sqlite3.OperationalError) or code == sqlite3.SQLITE_ERROR:
        return JournalDamaged(path, str(error))
    return NotKept(f"{path}: {error}", full=code == sqlite3.SQLITE_FULL)
