"""The uplink at work: carries out what `gateway.uplink` decides, on one connection after the other."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from random import SystemRandom
from typing import TypeVar

from gateway.actions import Action, Connect, Keep, Level, Load, Move, Publish, Save, Tell
from gateway.entries import Loaded
from gateway.errors import NotKept
from gateway.runtime.clock import SystemClock
from gateway.runtime.connection import Broker, Connection
from gateway.runtime.outbox import Outbox
from gateway.store.writer import nothing
from gateway.uplink import Me, Uplink
from gateway.wire.messages import Message
from gateway.wire.topics import Down, Up

logger = logging.getLogger("gateway.uplink")

A = TypeVar("A")
T = TypeVar("T")

RETRY_S = 10.0
"""Between two tries to write what the uplink has to have written."""

_LEVELS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


class UplinkRunner:
    """`on_ready` is called each time the cloud has answered a new connection's hello, `on_order` with what else it
    says, `on_unanswered` with why, and whether that is hopeless, when one ends before. `since_at`: since when it
    answers; while it does not, `trouble` is what was in the way last."""

    def __init__(
        self,
        me: Me,
        broker: Broker,
        outbox: Outbox,
        clock: SystemClock,
        loop: asyncio.AbstractEventLoop,
        on_ready: Callable[[], None],
    ) -> None:
        chance = SystemRandom()
        self.rules = Uplink(me, outbox.books, draw=chance.random, new_name=lambda: secrets.token_hex(8))
        self._broker = broker
        self._outbox = outbox
        self._clock = clock
        self._loop = loop
        self._on_ready = on_ready
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.on_order: Callable[[Down, bytes], None] = _nobody
        self.on_unanswered: Callable[[str, bool], None] = _untold
        self.since_at: datetime | None = None
        self.trouble = ""
        outbox.changed = self.appended

    def start(self) -> None:
        self._act(self.rules.started(self._clock.moment()))

    def publish(self, kind: Up, message: Message, qos: int = 1) -> bool:
        """A message that is no record; False if there is no connection, and nothing is kept."""
        if self._connection is None or not self.rules.ready:
            return False
        self._connection.publish(kind, message, qos)
        return True

    def use(self, broker: Broker, *, at_once: bool) -> None:
        """Connect like this the next time; `at_once`: do so now."""
        self._broker = broker
        if not at_once:
            return
        if self._connection is not None:
            self._connection.drop("the settings of the connection changed")
        self._act(self.rules.hurried(self._clock.moment()))

    def introduce(self, me: Me) -> None:
        """Say hello again as `me`: the units are others now."""
        self._act(self.rules.introduced(me, self._clock.moment()))

    @property
    def conn(self) -> str:
        return self.rules.conn

    def appended(self) -> None:
        self._act(self.rules.appended(self._clock.moment()))

    # what a connection tells

    def connected(self) -> None:
        self._act(self.rules.connected(self._clock.moment()))

    def received(self, kind: Down, payload: bytes) -> None:
        if kind is not Down.ACK:
            self.on_order(kind, payload)
            return
        before = self.rules.ready
        self._act(self.rules.received(payload, self._clock.moment()))
        if self.rules.ready and not before:
            self.since_at, self.trouble = self._clock.utc(), ""
            self._on_ready()

    def lost(self, why: str, hopeless: bool) -> None:
        if not self.rules.ready:
            self.on_unanswered(why, hopeless)
        self._connection, self.since_at, self.trouble = None, None, why
        self._act(self.rules.lost(self._clock.moment(), why, hopeless=hopeless))

    async def stop(self) -> None:
        """Say offline and disconnect."""
        last_words = self.rules.farewell()
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None
        for word in last_words:
            if connection is not None and isinstance(word, Publish):
                await connection.close(word.message)

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self._carry_out(action)
        self._set_timer()

    def _carry_out(self, action: Action) -> None:
        match action:
            case Publish(kind, message, qos):
                if self._connection is not None:
                    self._connection.publish(kind, message, qos)
            case Connect(conn):
                self._connection = Connection(self._broker, conn, self, self._loop)
                self._connection.open()
            case Tell(level, text):
                logger.log(_LEVELS[level], "%s", text)
            case _:
                self._write(action)

    def _write(self, action: Load | Save | Keep | Move) -> None:
        writer, stamp = self._outbox.writer, self._clock.stamp()
        match action:
            case Keep(lane, kept, soon):
                writer.later(("lane", lane), lambda file: file.keep(lane, kept))
                if soon:
                    self._outbox.watch(writer.submit(nothing))
            case Save(lane, stream, entries):
                self._outbox.room.written(sum(len(entry.raw) for entry in entries))
                self._when(writer.submit(lambda file: file.put(lane, stream, entries, stamp.at)), self._saved, action)
            case Load(want):
                self._when(writer.submit(lambda file: file.load(want, stamp), reads=True), self._loaded, action)
            case Move(entries, shift, kept):
                writer.withdraw(("lane", shift.lane))
                self._when(writer.submit(lambda file: file.move(entries, shift, kept, stamp.at)), self._moved, action)

    def _when(self, written: asyncio.Future[T], then: Callable[[A, T | None], None], action: A) -> None:
        """`then(action, result)` once it is written; with None if the disk does not take it."""

        def settled(done: asyncio.Future[T]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is None and not done.cancelled():
                then(action, done.result())
            elif isinstance(error, NotKept):
                then(action, None)
            elif error is not None:
                self._outbox.fail(error)

        written.add_done_callback(settled)

    def _saved(self, action: Save, count: int | None) -> None:
        if count is not None:
            self._outbox.books[action.lane].saved(action.stream, action.entries)
            self._set_timer()

    def _loaded(self, action: Load, loaded: Loaded | None) -> None:
        if loaded is None:
            nothing = Loaded(action.want.lane, action.want.stream, ())
            self._loop.call_later(RETRY_S, self._loaded, action, nothing)
        else:
            self._act(self.rules.loaded(loaded, self._clock.moment()))

    def _moved(self, action: Move, count: int | None) -> None:
        if count is None:
            self._loop.call_later(RETRY_S, self._write, action)
        else:
            self._act(self.rules.moved(action.shift, self._clock.moment()))
            self._outbox.moved()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.rules.next_at()
        if at is not None:
            self._timer = self._loop.call_at(max(at, self._loop.time()), self._tick)

    def _tick(self) -> None:
        self._act(self.rules.tick(self._clock.moment()))


def _nobody(_kind: Down, _payload: bytes) -> None:
    """Before anybody takes orders."""


def _untold(_why: str, _hopeless: bool) -> None:
    """Before anybody wants to know."""
