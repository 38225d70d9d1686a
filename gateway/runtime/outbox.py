"""The outbox at work: numbers records, has them written, tells the uplink when something may be sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec

from gateway.entries import Entry
from gateway.errors import NotKept
from gateway.outbox import LaneBook
from gateway.runtime.clock import SystemClock
from gateway.runtime.room import Room
from gateway.store.outbox import OutboxFile, UnitRow
from gateway.store.writer import Writer, nothing
from gateway.wire import limits
from gateway.wire.codec import decode_record, encode_record
from gateway.wire.errors import TooLarge
from gateway.wire.health import OutboxHealth
from gateway.wire.messages import Lane, Record

logger = logging.getLogger("gateway.outbox")

RETRY_S = 5.0
"""Between two tries to write events that the disk did not take."""

QUOTA_BYTES = 512 * 2**20

Also = Callable[[OutboxFile], None]
"""What is written in the same transaction as some events; done again if that transaction has to be."""


class _Debt(msgspec.Struct, frozen=True):
    """Events to be written under their numbers in `stream`, and what belongs to them: units' states and more."""

    stream: str = ""
    entries: tuple[Entry, ...] = ()
    states: dict[str, bytes] = {}
    also: tuple[Also, ...] = ()


class Outbox:
    """`changed` is called when a lane has something new; `failed` takes an error that ends the gateway.

    `quota_bytes`: most that the file may hold. `units`: what is known of each unit, ahead of the disk.
    """

    def __init__(
        self, writer: Writer, clock: SystemClock, loop: asyncio.AbstractEventLoop, quota_bytes: int = QUOTA_BYTES
    ) -> None:
        self.writer = writer
        self.clock = clock
        self.room = Room(writer, clock, quota_bytes)
        self.books: dict[Lane, LaneBook] = {}
        self.units: dict[str, UnitRow] = {}
        self.changed: Callable[[], None] = _nobody
        self.failed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._owed = _Debt()
        self._retry: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Take up the lanes where they were left. Raises NotKept or OutboxDamaged."""
        lanes, self.units = await self.writer.submit(lambda file: (file.lanes(), file.units()))
        self.books = {lane: LaneBook(lane, lanes[lane], durable=lane is Lane.EVENTS) for lane in Lane}

    def events(
        self, unit: str, records: Iterable[Record], state: bytes | None = None, also: Also | None = None
    ) -> None:
        """Commit records together with the unit's state, and with what `also` writes, at once; they are sent when the
        disk has them."""
        book = self.books[Lane.EVENTS]
        entries = tuple(book.append(raw, self._loop.time()) for raw in self._frozen(records))
        self.writer.withdraw(("state", unit))
        states = {} if state is None else {unit: state}
        if state is not None:
            self._know(unit, state=state)
        self._commit(_Debt(book.stream, entries, states, () if also is None else (also,)))

    def status(self, records: Iterable[Record]) -> None:
        """Send records at once; they go to disk only if they are not acknowledged in time."""
        for raw in self._frozen(records):
            self.books[Lane.STATUS].append(raw, self._loop.time())
        self.changed()

    def is_unheard(self) -> bool:
        """Whether status goes to disk since nobody acknowledges it."""
        return self.books[Lane.STATUS].is_unheard(self._loop.time())

    def remember(self, unit: str, state: bytes) -> None:
        """Keep a state that led to no event with the next commit, never ahead of events that are still
        owed."""
        self._know(unit, state=state)
        if unit not in self._owed.states:
            self.writer.later(("state", unit), lambda file: file.put_state(unit, state))

    def remember_pace(self, unit: str, pace: bytes) -> None:
        self._know(unit, pace=pace)
        self.writer.later(("pace", unit), lambda file: file.put_pace(unit, pace))

    def pin(self, unit: str, serial: str) -> None:
        pinned = self.writer.submit(lambda file: file.pin(unit, serial))
        pinned.add_done_callback(lambda done: self._pinned(done, unit, serial))
        self.watch(pinned)

    def note_stranger(self, unit: str, serial: str | None) -> None:
        self.watch(self.writer.submit(lambda file: file.note_stranger(unit, serial)))

    async def pinned(self, unit: str) -> str | None:
        """The serial number that is accepted now; `accept-unit` writes it from outside."""
        serial = (await self.writer.submit(lambda file: file.unit(unit), reads=True)).serial
        self._know(unit, serial=serial)
        return serial

    def _pinned(self, done: asyncio.Future[None], unit: str, serial: str) -> None:
        """Known once the disk has it; until then each meeting pins it again."""
        if not done.cancelled() and done.exception() is None:
            self._know(unit, serial=serial)

    def _know(self, unit: str, **columns: Any) -> None:
        """Whoever reads this unit next goes on from here, whatever the disk does meanwhile."""
        self.units[unit] = msgspec.structs.replace(self.units.get(unit, UnitRow()), **columns)

    async def prune_for_ever(self) -> None:
        """Now and then drop what need not be kept any longer, and what there is no room for."""
        await self.room.keep_for_ever()

    def health(self) -> OutboxHealth:
        """As it is now; the file as it was at the last look, at most a minute ago."""
        standing = self.room.standing
        return OutboxHealth(
            waiting={lane: book.waiting for lane, book in self.books.items()},
            bytes=standing.size.used if standing else 0,
            quota_bytes=self.room.quota_bytes,
            oldest_at=min((at for lane in self.books if (at := self._oldest_at(lane)) is not None), default=None),
            commits=self.writer.commits,
            trouble=(self.writer.trouble or self.room.trouble)[: limits.TEXT_LENGTH],
        )

    def _oldest_at(self, lane: Lane) -> int | None:
        """When the lane's oldest unacknowledged record was made, if that is known."""
        book, standing = self.books[lane], self.room.standing
        if (entry := book.oldest()) is not None:
            return decode_record(entry.raw).stamp.at
        number, at = standing.oldest.get(lane, (0, 0)) if standing else (0, 0)
        return at if number > book.acked else None

    def moved(self) -> None:
        """A lane has its new stream: what waited for it is written."""
        self._pay()

    async def flushed(self) -> None:
        """Once everything asked for so far has been written, or could not be."""
        with suppress(NotKept):
            await self.writer.submit(nothing)

    async def close(self) -> None:
        """Write what waits in memory and how far the lanes are, then end the writer."""
        unsaved = {lane: (book.stream, book.unsaved()) for lane, book in self.books.items() if not book.moving}
        now_ms = self.clock.stamp().at
        lanes = {lane: book.kept_at_stop() for lane, book in self.books.items()}

        def write(file: OutboxFile) -> None:
            for lane, (stream, entries) in unsaved.items():
                file.put(lane, stream, entries, now_ms)
            for lane, kept in lanes.items():
                file.keep_at_stop(lane, kept)

        for lane in lanes:
            self.writer.withdraw(("lane", lane))
        self.watch(self.writer.submit(write))
        await self.writer.close()

    def watch(self, future: asyncio.Future[None]) -> None:
        """A write whose result nobody needs: only an error that ends the gateway matters."""
        future.add_done_callback(self._watched)

    def _watched(self, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error and not isinstance(error, NotKept):
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _frozen(self, records: Iterable[Record]) -> list[bytes]:
        frozen = []
        for record in records:
            try:
                frozen.append(encode_record(record))
            except TooLarge as error:
                logger.error("%s: a %s is not kept: %s", record.unit, record.kind, error.what)
        return frozen

    def _commit(self, debt: _Debt) -> None:
        """Write `debt` and whatever is owed from before, in one transaction."""
        debt = self._take_owed(debt)
        if self.books[Lane.EVENTS].moving:
            self._owe(debt)
            return
        now_ms = self.clock.stamp().at
        self.room.written(sum(len(entry.raw) for entry in debt.entries))

        def write(file: OutboxFile) -> None:
            file.put(Lane.EVENTS, debt.stream, debt.entries, now_ms)
            for unit, state in debt.states.items():
                file.put_state(unit, state)
            for also in debt.also:
                also(file)

        self.writer.submit(write).add_done_callback(lambda done: self._committed(done, debt))

    def _committed(self, done: asyncio.Future[None], debt: _Debt) -> None:
        if done.cancelled():
            return
        book, error = self.books[Lane.EVENTS], done.exception()
        if error is None:
            book.saved(debt.stream, debt.entries)
            for unit in debt.states:  # one that is owed is older than this
                self._owed.states.pop(unit, None)
        elif isinstance(error, NotKept):
            book.released(debt.stream, debt.entries)
            self._owe(debt)
        else:
            self.fail(error)
        self.changed()

    def _owe(self, debt: _Debt) -> None:
        """Try again later, together with what comes until then."""
        self._owed = self._take_owed(debt)
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_S, self._pay)

    def _pay(self) -> None:
        self._retry = None
        if self._owed.entries or self._owed.states or self._owed.also:
            self._commit(_Debt(self.books[Lane.EVENTS].stream))

    def _take_owed(self, debt: _Debt) -> _Debt:
        """`debt` behind what is owed already. What was owed in a stream that was left, the change itself has
        written."""
        owed, self._owed = self._owed, _Debt()
        entries = owed.entries if owed.stream == debt.stream else ()
        states = {**owed.states, **debt.states}
        return _Debt(debt.stream, (*entries, *debt.entries), states, (*owed.also, *debt.also))


def _nobody() -> None:
    """Before the uplink listens."""
