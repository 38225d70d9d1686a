"""The one writer of the outbox file: a thread, so that no poll ever waits for an SD card that stalls for
seconds.

Jobs that wait together share a transaction, and with it one commit. What is asked for `later` goes with the
next commit that is made anyhow. When the disk is full, a ballast file is given up once to let events through.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gateway.errors import NotKept, OutboxDamaged
from gateway.store.marker import mark
from gateway.store.outbox import OutboxFile

T = TypeVar("T")
Job = Callable[[OutboxFile], T]
_Later = dict[object, Job[None]]
_Settled = list[tuple[asyncio.Future[Any], Any, Exception | None]]

logger = logging.getLogger("gateway.outbox")

FLUSH_AFTER_S = 180.0
"""What is asked for `later` waits so long for another commit to go with: each dirties eight pages or more
(`make bench`, part disk), and what a power cut takes is found out again, or sent again under the same number."""

WAL_KEPT_BYTES = 4 * 1024 * 1024
"""The journal is cut back to this after a large transaction."""

BALLAST = "outbox.ballast"
BALLAST_BYTES = 4 * 1024 * 1024
ROOM_FOR_BALLAST_BYTES = 64 * 1024 * 1024
"""Room on the disk before the ballast is made again."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What a job may end with; a text that is none is damage too."""


class _Task(NamedTuple):
    """`reads`: it needs no disk, and what is for later does not go with it."""

    job: Job[Any]
    future: asyncio.Future[Any]
    reads: bool


class Writer:
    """Owns the connection. Its methods are called from the event loop `loop`. `died` fails if the thread does.

    `commits`: those that changed the file. `trouble`: why the disk takes nothing; empty while it does. `busy_since_s`:
    monotonic seconds since when the disk has not answered; None if nothing is asked of it.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.path = path
        self.commits = 0
        self.busy_since_s: float | None = None
        self._loop = loop
        self._ballast = path.with_name(BALLAST)
        self._waiting: list[_Task] = []
        self._later: _Later = {}
        self._flush_at: float | None = None
        self._stopping = False
        self.trouble = ""
        self._error: Exception | None = None
        self.died: asyncio.Future[None] = loop.create_future()
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="outbox-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T], *, reads: bool = False) -> asyncio.Future[T]:
        """Run `job` in a transaction; the result comes after its commit. The future raises NotKept or OutboxDamaged.

        `reads`: it writes little or nothing, so that what is for later waits for another commit.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        with self._wake:
            if self._error is not None:
                future.set_exception(self._error)
            self._waiting.append(_Task(job, future, reads))
            self._wake.notify()
        return future

    def later(self, key: object, job: Job[None], within_s: float = FLUSH_AFTER_S) -> None:
        """Run `job` with another commit, at the latest after `within_s`; a newer one of the same key replaces it."""
        with self._wake:
            self._later[key] = job
            at = time.monotonic() + within_s
            if self._flush_at is None or at < self._flush_at:
                self._flush_at = at
                self._wake.notify()

    def withdraw(self, key: object) -> None:
        """Forget what was asked for later under this key: something newer is on its way."""
        with self._wake:
            self._later.pop(key, None)

    async def close(self) -> None:
        """Write what is waiting, also what was for later, and end."""
        with suppress(NotKept):
            await self.submit(nothing)
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await self._loop.run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        try:
            self._write()
        except Exception as error:  # noqa: BLE001  # top of the thread: whatever it is ends the process
            with self._wake:
                self._error, waiting = error, self._waiting
            self._settle([(future, None, error) for future in (self.died, *(each.future for each in waiting))])

    def _write(self) -> None:
        connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, cached_statements=64)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -1024")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
            connection.execute("PRAGMA secure_delete = OFF")  # else each page given up is written once more
            self._make_ballast()
            while tasks := self._next():
                self.busy_since_s = time.monotonic()
                self._settle(self._carry_out(connection, *tasks))
                self.busy_since_s = None
        finally:
            connection.close()

    def _next(self) -> tuple[list[_Task], _Later] | None:
        """All that is due, once something is; None at the end."""
        with self._wake:
            while not self._waiting and not self._stopping:
                timeout_s = None if self._flush_at is None else self._flush_at - time.monotonic()
                if timeout_s is not None and timeout_s <= 0:
                    break
                self._wake.wait(timeout_s)
            if self._stopping and not self._waiting:
                return None
            tasks, self._waiting = self._waiting, []
            due = self._stopping or (self._flush_at is not None and time.monotonic() >= self._flush_at)
            if not due and all(task.reads for task in tasks):
                return tasks, {}
            later, self._later, self._flush_at = self._later, {}, None
            return tasks, later

    def _carry_out(self, connection: sqlite3.Connection, tasks: list[_Task], later: _Later) -> _Settled:
        try:
            return self._commit(connection, tasks, later)
        except _FAILURES as error:
            first = error
        if self._give_up_ballast(first):
            try:
                return self._commit(connection, tasks, later)
            except _FAILURES as error:
                first = error
        told = self._told(first)
        with self._wake:
            self._later = {**later, **self._later}
            self._flush_at = time.monotonic() + FLUSH_AFTER_S if self._later else None
        return [(task.future, None, told) for task in tasks]

    def _commit(self, connection: sqlite3.Connection, tasks: list[_Task], later: _Later) -> _Settled:
        file, changes = OutboxFile(connection), connection.total_changes
        try:
            connection.execute("BEGIN IMMEDIATE")
            results: _Settled = [(task.future, task.job(file), None) for task in tasks]
            for job in later.values():
                job(file)
            connection.execute("COMMIT")
        except _FAILURES:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        if connection.total_changes > changes:
            self.commits += 1
            self._recovered()
        return results

    def _recovered(self) -> None:
        if self.trouble:
            logger.info("the outbox is written again")
            self.trouble = ""
            self._make_ballast()

    def _told(self, error: Exception) -> Exception:
        """The error as ours, and a line about it when it is a new one."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED or isinstance(error, UnicodeDecodeError):
            mark(self.path, str(error))
            return OutboxDamaged(self.path, f"{error}; what can be read of it is sent after a restart")
        if not isinstance(error, sqlite3.OperationalError):
            return error
        told = NotKept(str(error), full=code == sqlite3.SQLITE_FULL)
        if self.trouble != str(error):
            self.trouble = str(error)
            logger.error(
                "%s: %s; readings and alarms go on, but a power cut would lose what is not sent",
                self.path,
                told,
            )
        return told

    def _give_up_ballast(self, error: Exception) -> bool:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or not self._ballast.exists():
            return False
        self._ballast.unlink()
        logger.error("%s: the disk is full; gave up a reserve of %d bytes for events", self.path, BALLAST_BYTES)
        return True

    def _make_ballast(self) -> None:
        """A file whose room can be had when the disk is full; made only where there is plenty."""
        try:
            room = os.statvfs(self.path.parent)
            if self._ballast.exists() or room.f_bavail * room.f_frsize < ROOM_FOR_BALLAST_BYTES:
                return
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
        except OSError as error:
            logger.warning("%s: no reserve for a full disk: %s", self._ballast, error.strerror)

    def _settle(self, settled: _Settled) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, settled)


def nothing(_file: OutboxFile) -> None:
    """A job that does nothing itself: its commit takes along what was for later."""


def _resolve(settled: _Settled) -> None:
    for future, result, error in settled:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
