"""The thread in which alerts are made of what is stored. It lives on, whatever one row or one database does."""

from __future__ import annotations

import logging
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.backoff import delays
from cloud_bridge.errors import CloudError
from cloud_bridge.runtime.alerts.composing import View
from cloud_bridge.runtime.alerts.session import Databases, OpenVault, Session
from cloud_bridge.runtime.alerts.wake import Ear
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.errors import NoDatabase, OlderDatabase
from cloud_bridge.store.queue import BATCH, Queue
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry.registry import Registry

POLL_S = 1.0
"""How soon what nobody rang for is seen."""
FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0
FILE_LOOK_S = 1.0
"""How often it is looked whether the telemetry database is still the file that is open."""

log = logging.getLogger(__name__)


class _Exchanged(Exception):
    """Another file lies where the telemetry database was."""


class Engine:
    """`offer` and `changed` are called in its thread; see session.Session. `drained_at`: monotonic seconds at which
    everything there was had been worked on; None: not yet, or not any more."""

    def __init__(
        self,
        registry: str | Path,
        telemetry: Path,
        terms: Terms,
        open_vault: OpenVault,
        ear: Ear,
        offer: Callable[[Sequence[Notification], View], None],
        changed: Callable[[View], None],
    ) -> None:
        self._place = registry
        self._telemetry = telemetry
        self._terms = terms
        self._open_vault = open_vault
        self._ear = ear
        self._offer = offer
        self._changed = changed
        self._reported: queue.SimpleQueue[Sighting] = queue.SimpleQueue()
        self._unsaid: tuple[Sighting, ...] = ()
        self._stopping = threading.Event()
        self._trouble = ""
        self._count = BATCH
        self._skip: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self.drained_at: float | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._ear.wake()
        self._thread.join()

    def report(self, seen: Sighting) -> None:
        """Of a channel; from any thread."""
        self._reported.put(seen)
        self._ear.wake()

    def _run(self) -> None:
        waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._play()
            except _Exchanged:
                log.warning("%s: another file than before: it is opened anew", self._telemetry)
            except (NoDatabase, OlderDatabase) as error:
                # Ingest, which starts together with this role, makes it or brings it forward.
                log.debug("%s", error)
            except (CloudError, sqlite3.Error) as error:
                self._tell_trouble(str(error))
            if time.monotonic() - began > LONGEST_RETRY_S:
                waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
            self.drained_at = None
            self._stopping.wait(next(waits))

    def _play(self) -> None:
        file = _identity(self._telemetry)
        session: Session | None = None
        with Registry(self._place) as registry, Queue(self._telemetry) as queue_, Reader(self._telemetry) as reader:
            try:
                databases = Databases(registry, queue_, reader)
                session = Session(databases, self._terms, self._open_vault, self._offer, self._changed)
                self._keep_working(session, file)
            except (CloudError, sqlite3.Error, _Exchanged):
                raise
            except Exception:  # this thread lives on, and one row never stops the others
                doing = session.doing if session else ()
                log.exception("alerts can't be made; rows of the queue: %s", _few(doing))
                self._be_careful(doing)

    def _keep_working(self, session: Session, file: tuple[int, int]) -> None:
        look_at = time.monotonic() + FILE_LOOK_S
        while not self._stopping.is_set():
            session.work(self._news(), count=self._count, skip=self._skip)
            self._unsaid = ()
            self._count, self._skip = BATCH, set()
            self.drained_at = time.monotonic()
            self._tell_trouble("")
            if self.drained_at >= look_at:
                look_at = self.drained_at + FILE_LOOK_S
                if _identity(self._telemetry) != file:
                    raise _Exchanged
            due_at = session.due_at()
            due_s = POLL_S if due_at is None else (due_at - now_ms()) / 1000
            self._ear.wait(min(POLL_S, max(0.0, due_s)))

    def _news(self) -> tuple[Sighting, ...]:
        """What was reported; again, if it could not be worked on the last time."""
        while not self._reported.empty():
            self._unsaid = (*self._unsaid, self._reported.get())
        return self._unsaid

    def _be_careful(self, doing: Sequence[int]) -> None:
        """After what was not foreseen: rows are taken one by one, and the one that does it again is passed over."""
        if len(doing) == 1:
            log.error("row %d of the alert queue is passed over", doing[0])
            self._skip.add(doing[0])
        self._unsaid = ()
        self._count = 1

    def _tell_trouble(self, trouble: str) -> None:
        """A line for each change."""
        if trouble and trouble != self._trouble:
            log.error("%s; alerts wait until it can be used", trouble)
        if self._trouble and not trouble:
            log.warning("alerts are made again")
        self._trouble = trouble


def _few(rows: Sequence[int]) -> str:
    return f"{rows[0]} to {rows[-1]}" if rows else "none"


def _identity(path: Path) -> tuple[int, int]:
    """Of the file itself. Raises NoDatabase."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise NoDatabase(path) from None
    return found.st_dev, found.st_ino
