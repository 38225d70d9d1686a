"""What ingest has to do with the registry, in a thread of its own: who is revoked, and commands on their way.

Whether a registry is slow or away, records are stored; what the registry has to hear of them is looked up in the
telemetry database, so that nothing said in between is missed.
"""

from __future__ import annotations

import logging
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from cloud_bridge import commands
from cloud_bridge.backoff import delays
from cloud_bridge.commands import Command, Repeats
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.errors import StoreError
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import commands as rows
from cloud_bridge.store.registry.errors import RegistryError
from cloud_bridge.store.registry.registry import Registry
from gateway.wire.orders import Challenge
from gateway.wire.topics import down

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How soon a revocation takes effect, and a command leaves."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0

MAX_WORDS = 1024
"""Most words of gateways that wait for a registry that is away; a gateway is asked again for what is dropped."""


class Greeted(msgspec.Struct, frozen=True):
    """The gateway connected."""

    gateway: str


class Challenged(msgspec.Struct, frozen=True):
    """It gave a challenge."""

    gateway: str
    challenge: Challenge


class Recorded(msgspec.Struct, frozen=True):
    """A step of a command is stored."""

    command: str


Word = Greeted | Challenged | Recorded


class RegistryWatch:
    """`changed` is called when `revoked` is known at last. `publish`: topic and payload, if there is a connection."""

    def __init__(
        self, place: str | Path, telemetry: Path, publish: Callable[[str, bytes], None], changed: Callable[[], None]
    ) -> None:
        self._place = place
        self._telemetry = telemetry
        self._publish = publish
        self._changed = changed
        self._words: queue.Queue[Word] = queue.Queue(MAX_WORDS)
        self._kept: list[Word] = []
        self._stopping = threading.Event()
        self._version: int | None = None
        self._open: list[Command] = []
        self._repeats = Repeats()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)
        self.revoked: frozenset[str] | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def say(self, word: Word) -> None:
        """What a gateway said, once it is stored; never blocks."""
        try:
            self._words.put_nowait(word)
        except queue.Full:
            log.debug("the registry is away: %s is dropped", word)

    def _run(self) -> None:
        waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
        while not self._stopping.is_set():
            try:
                with Registry(self._place) as registry, Reader(self._telemetry) as reader:
                    self._version = None
                    while not self._stopping.is_set():
                        self._look(registry, reader)
                        waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
                        self._tell_trouble("")
                        self._kept = self._heard()
            except (RegistryError, StoreError, sqlite3.Error) as error:
                self._tell_trouble(str(error))
            except Exception as error:  # this thread lives on: without it nobody is revoked any more
                log.exception("the registry's thread begins anew")
                self._tell_trouble(f"not foreseen: {type(error).__name__}")
            self._stopping.wait(next(waits))

    def _heard(self) -> list[Word]:
        """What was said, as soon as anything was, or after POLL_S."""
        words: list[Word] = []
        try:
            words.append(self._words.get(timeout=POLL_S))
            while True:
                words.append(self._words.get_nowait())
        except queue.Empty:
            return words

    def _tell_trouble(self, trouble: str) -> None:
        """A line for each change."""
        if trouble and trouble != self._trouble:
            log.error("%s; who is revoked stays as it was, no command is passed on", trouble)
        if self._trouble and not trouble:
            log.warning("the registry can be used again")
        self._trouble = trouble

    def _look(self, registry: Registry, reader: Reader) -> None:
        version = registry.version()
        changed = version != self._version
        if changed:
            self._revoke(registry.revoked_gateways())
        self._take_challenges(registry)
        recorded = {word.command for word in self._kept if isinstance(word, Recorded)}
        if changed or self._kept:
            with registry.reading() as connection:
                self._open = rows.all_open(connection)
                late = [rows.find(connection, each) for each in recorded - {one.id for one in self._open}]
            self._settle(registry, reader, [one for one in late if one])
        self._settle(registry, reader, self._open)
        self._version = version
        self._say()

    def _revoke(self, revoked: frozenset[str]) -> None:
        known, before = self.revoked is not None, self.revoked or frozenset()
        self.revoked = revoked
        if not known:
            self._changed()
        for name in sorted(revoked - before):
            log.warning("gateway %s is revoked: what it says is dropped", name)
        for name in sorted(before - revoked):
            log.warning("gateway %s is no longer revoked", name)

    def _take_challenges(self, registry: Registry) -> None:
        given = [word for word in self._kept if isinstance(word, Challenged)]
        if given:
            with registry.writing() as connection:
                for word in given:
                    rows.challenged(connection, word.gateway, word.challenge.id, word.challenge.challenge)

    def _settle(self, registry: Registry, reader: Reader, open_: Iterable[Command]) -> None:
        """Brings rows to where their records and the time have brought them."""
        now, changes = now_ms(), []
        for before in open_:
            after = commands.settled(before, reader.steps(before.gateway, before.id), now)
            if after != before:
                changes.append((before, after))
        if not changes:
            return
        with registry.writing() as connection:
            for before, after in changes:
                rows.settle(connection, before, after)
            self._open = rows.all_open(connection)

    def _say(self) -> None:
        greeted = {word.gateway for word in self._kept if isinstance(word, Greeted)}
        self._repeats.at_once(one for one in self._open if one.gateway in greeted)
        allowed = [one for one in self._open if one.gateway not in (self.revoked or frozenset())]
        for one, kind, payload in self._repeats.due(allowed, now_ms(), time.monotonic()):
            self._publish(down(one.gateway, kind), payload)
