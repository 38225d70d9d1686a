"""The uplink's rules: when to connect, what to say, what an answer means (design.md, "The uplink").

Each method takes what happened and gives the Actions to carry out, in their order. Nothing is sent in a lane
before the cloud has answered hello; nothing depends on a broker's PUBACK, session or will.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto

import msgspec

from gateway.actions import Action, Connect, Keep, Level, Load, Moment, Move, Publish, Save, Tell
from gateway.entries import Loaded, Outgoing, Shift
from gateway.outbox import LaneBook, Verdict
from gateway.wire import limits
from gateway.wire.codec import decode
from gateway.wire.errors import WireError
from gateway.wire.messages import Ack, Batch, Heartbeat, Hello, Lane, LaneAck, Offline
from gateway.wire.topics import Up

LONGEST_WAIT_S = 60.0
"""Between two tries to connect; a refused certificate waits so long from the first time on."""

QUIET_CLOUD_S = 30.0
"""A hello unanswered for so long is told."""

HELLO_EVERY_S = 600.0
"""On a standing connection: the answer shows a cloud that was put back to a backup, which nobody else
tells."""

AGAIN_AT_MOST_EVERY_S = 1.0
"""Several batches in flight may each be answered `again`; going back once is enough."""

TOLD_AT_MOST_EVERY_S = 60.0
"""A wrong message of one kind; those in between are told at level debug."""

TROUBLES = 32
"""Reasons remembered as told until the cloud answers; a broker that finds new ones for ever is told each time."""

Draw = Callable[[], float]
"""A random number from 0 to 1."""


class Phase(Enum):
    WAITING = auto()
    CONNECTING = auto()
    GREETING = auto()
    READY = auto()


class Counters(msgspec.Struct):
    """Since the start."""

    connections: int = 0
    resends: int = 0
    refused_acks: int = 0
    bad_messages: int = 0
    new_streams: int = 0


def delays(draw: Draw) -> Iterator[float]:
    """Seconds to wait before each try; the first is random, so that a fleet does not return all at once."""
    yield draw()
    ceiling = 2.0
    while True:
        yield ceiling * (0.5 + draw() / 2)
        ceiling = min(ceiling * 2, LONGEST_WAIT_S)


class Me(msgspec.Struct, frozen=True):
    """What a hello says of this gateway."""

    version: str
    host: str
    units: tuple[str, ...]


class Uplink:
    """`new_name` gives a fresh name of 16 hexadecimal digits, for a connection or a stream."""

    def __init__(self, me: Me, books: Mapping[Lane, LaneBook], *, draw: Draw, new_name: Callable[[], str]) -> None:
        self.me = me
        self.books = books
        self.phase = Phase.WAITING
        self.conn = ""
        self.counters = Counters()
        self._draw = draw
        self._new_name = new_name
        self._delays = delays(draw)
        self._connect_at: float | None = None
        self._hello_at = 0.0
        self._heartbeat_at = 0.0
        self._greeting_since = 0.0
        self._quiet_told = False
        self._troubles: set[str] = set()
        self._told_at: dict[str, float] = {}
        self._again_at: dict[Lane, float] = {}

    @property
    def ready(self) -> bool:
        return self.phase is Phase.READY

    def started(self, now: Moment) -> list[Action]:
        self._connect_at = now.mono_s
        return [*self._due(now)]

    def connected(self, now: Moment) -> list[Action]:
        """The broker has taken connection and subscription."""
        self._greet(now)
        self.counters.connections += 1
        self._heartbeat_at = now.mono_s + limits.HEARTBEAT_S
        return [self._hello(now), *self._keep(soon=True)]

    def lost(self, now: Moment, why: str, *, hopeless: bool = False) -> list[Action]:
        """No connection, or no longer one. `hopeless`: trying again soon can't help (certificate, not
        authorised)."""
        if self.phase is Phase.READY:
            self._delays = delays(self._draw)
        self.phase = Phase.WAITING
        wait_s = LONGEST_WAIT_S if hopeless else next(self._delays)
        self._connect_at = now.mono_s + wait_s
        for book in self.books.values():
            book.disconnected()
        level = Level.DEBUG if why in self._troubles else Level.ERROR if hopeless else Level.WARNING
        if len(self._troubles) < TROUBLES:
            self._troubles.add(why)
        return [Tell(level, f"no connection to the cloud: {why}; next try in {wait_s:.0f} s"), *self._keep()]

    def hurried(self, now: Moment) -> list[Action]:
        """There is a reason to try again now, and quickly from now on."""
        self._delays = delays(self._draw)
        if self._connect_at is not None:
            self._connect_at = now.mono_s
        return [*self._due(now)]

    def introduced(self, me: Me, now: Moment) -> list[Action]:
        """Hello is said again if it has been said, since this gateway is another `me` now."""
        self.me = me
        self._hello_at = now.mono_s
        return [*self._due(now)]

    def appended(self, now: Moment) -> list[Action]:
        """A lane has a new record, or one of its records is on the disk now."""
        return [*self._reservations(), *self._pump(now)]

    def loaded(self, loaded: Loaded, now: Moment) -> list[Action]:
        self.books[loaded.lane].loaded(loaded)
        return [*self._pump(now)]

    def moved(self, shift: Shift, now: Moment) -> list[Action]:
        self.books[shift.lane].moved(shift)
        return [*self._pump(now)]

    def tick(self, now: Moment) -> list[Action]:
        return [*self._due(now)]

    def next_at(self) -> float | None:
        """When `tick` is due, by the monotonic clock."""
        times = [book.overdue_at() for book in self.books.values()]
        if self.phase is Phase.WAITING:
            times.append(self._connect_at)
        if self._online:
            times += [self._hello_at, self._heartbeat_at]
            times += [book.resend_at() for book in self.books.values()]
        return min((at for at in times if at is not None), default=None)

    def received(self, payload: bytes, now: Moment) -> list[Action]:
        """An acknowledgement, as it came."""
        try:
            ack = decode(payload, Ack)
        except WireError as error:
            self.counters.bad_messages += 1
            return [self._seldom("unreadable", f"an acknowledgement that can't be read: {error.what}", now)]
        if self.phase is Phase.GREETING:
            return [*self._greeted(ack, now)]
        if self.phase is not Phase.READY:
            return []
        if ack.conn == self.conn and self._has_less(ack):
            self._greet(now)
            return [self._hello(now)]
        actions: list[Action] = []
        for lane, lane_ack in ack.lanes.items():
            actions += self._acknowledged(self.books[lane], lane_ack, now)
        return [*actions, *self._keep(), *self._pump(now)]

    def farewell(self) -> list[Action]:
        """The last words of a clean stop; the lanes are to be kept by `kept_at_stop` afterwards."""
        if not self._online:
            return []
        self.phase = Phase.WAITING
        self._connect_at = None
        return [Publish(Up.OFFLINE, Offline(conn=self.conn, why="stopped"))]

    def _due(self, now: Moment) -> Iterator[Action]:
        yield from self._reservations()
        yield from self._saves(now)
        if self.phase is Phase.WAITING and self._connect_at is not None and now.mono_s >= self._connect_at:
            self.phase, self.conn = Phase.CONNECTING, self._new_name()
            yield Connect(self.conn)
        elif self._online and now.mono_s >= self._hello_at:
            yield self._hello(now)
            yield from self._quiet(now)
        if self._online and now.mono_s >= self._heartbeat_at:
            self._heartbeat_at = now.mono_s + limits.HEARTBEAT_S
            yield self._heartbeat(now)
        if self.phase is Phase.READY:
            for book in self.books.values():
                self.counters.resends += book.resend_overdue(now.mono_s)
            yield from self._pump(now)

    def _greet(self, now: Moment) -> None:
        self.phase = Phase.GREETING
        self._greeting_since, self._quiet_told = now.mono_s, False

    def _hello(self, now: Moment) -> Publish:
        self._hello_at = now.mono_s + (HELLO_EVERY_S if self.ready else limits.RESEND_AFTER_S)
        me = self.me
        lanes = {lane: book.range for lane, book in self.books.items()}
        hello = Hello(
            conn=self.conn,
            version=me.version,
            stamp=now.stamp,
            host=me.host,
            lanes=lanes,
            units=list(me.units),
        )
        return Publish(Up.HELLO, hello)

    def _heartbeat(self, now: Moment) -> Publish:
        waiting = {lane: book.waiting for lane, book in self.books.items()}
        return Publish(Up.HEARTBEAT, Heartbeat(conn=self.conn, at=now.stamp.at, waiting=waiting), qos=0)

    def _quiet(self, now: Moment) -> Iterator[Action]:
        if not self.ready and not self._quiet_told and now.mono_s - self._greeting_since >= QUIET_CLOUD_S:
            self._quiet_told = True
            yield Tell(
                Level.WARNING,
                "the broker is there but nobody behind it answers; records are kept until somebody does",
            )

    def _greeted(self, ack: Ack, now: Moment) -> Iterator[Action]:
        if ack.conn != self.conn or ack.lanes.keys() != self.books.keys():
            return
        verdicts = {lane: self.books[lane].greeted(lane_ack) for lane, lane_ack in ack.lanes.items()}
        for lane, verdict in verdicts.items():
            if verdict is Verdict.REWOUND:
                yield _rewound(self.books[lane])
            if verdict is Verdict.NEW_STREAM:
                yield from self._renew(self.books[lane], ack.lanes[lane])
        yield from self._keep(soon=Verdict.REWOUND in verdicts.values())
        if Verdict.NEW_STREAM in verdicts.values():
            yield self._hello(now)
        elif Verdict.FOREIGN not in verdicts.values():
            self.phase = Phase.READY
            self._troubles.clear()
            self._hello_at = now.mono_s + HELLO_EVERY_S
            yield Tell(Level.INFO, "connected to the cloud")
            yield from self._pump(now)

    def _has_less(self, ack: Ack) -> bool:
        """Whether the cloud lost what it had acknowledged."""
        books = ((self.books[lane], lane_ack) for lane, lane_ack in ack.lanes.items())
        return any(book.stream == lane_ack.stream and lane_ack.through < book.acked for book, lane_ack in books)

    def _renew(self, book: LaneBook, ack: LaneAck) -> Iterator[Action]:
        self.counters.new_streams += 1
        text = (
            f"the cloud has records of the {book.lane} lane up to {ack.through}, this outbox sent only {book.sent}: "
            "it is an old copy (a restored card?); a new stream begins"
        )
        entries = book.unsaved()
        shift = book.renew(self._new_name(), ack.through)
        yield Tell(Level.WARNING, text)
        book.reserve()
        yield Move(entries, shift, book.kept(online=True))

    def _acknowledged(self, book: LaneBook, ack: LaneAck, now: Moment) -> Iterator[Action]:
        if ack.again and now.mono_s - self._again_at.get(book.lane, -AGAIN_AT_MOST_EVERY_S) < AGAIN_AT_MOST_EVERY_S:
            return
        acked, sent = book.acked, book.sent
        verdict = book.acknowledged(ack)
        if verdict is Verdict.REWOUND:
            self._again_at[book.lane] = now.mono_s
            if book.acked < acked:
                yield _rewound(book)
        if verdict is Verdict.BEYOND:
            self.counters.refused_acks += 1
            text = f"refused an acknowledgement of {book.lane} up to {ack.through}: only {sent} were sent"
            yield self._seldom("beyond", text, now)

    def _seldom(self, what: str, text: str, now: Moment) -> Tell:
        """Whoever owns the broker can say wrong things for ever; the counters have them all."""
        told_at = self._told_at.get(what)
        if told_at is not None and now.mono_s - told_at < TOLD_AT_MOST_EVERY_S:
            return Tell(Level.DEBUG, text)
        self._told_at[what] = now.mono_s
        return Tell(Level.WARNING, text)

    def _pump(self, now: Moment) -> Iterator[Action]:
        if self.phase is not Phase.READY:
            return
        for book in self.books.values():
            while out := book.outgoing(now.mono_s):
                yield Publish(Up(book.lane.value), _batch(out, now))
            if want := book.want():
                yield Load(want)

    def _saves(self, now: Moment) -> Iterator[Action]:
        for book in self.books.values():
            if not book.moving and (entries := book.overdue(now.mono_s)):
                book.saving(now.mono_s)
                yield Save(book.lane, book.stream, entries)

    def _reservations(self) -> Iterator[Action]:
        for book in self.books.values():
            if not book.moving and book.reserve():
                yield Keep(book.lane, book.kept(online=self._online), soon=True)

    def _keep(self, *, soon: bool = False) -> Iterator[Action]:
        for book in self.books.values():
            if not book.moving:
                yield Keep(book.lane, book.kept(online=self._online), soon)

    @property
    def _online(self) -> bool:
        return self.phase in (Phase.GREETING, Phase.READY)


def _batch(out: Outgoing, now: Moment) -> Batch:
    records: Sequence[msgspec.Raw] = [msgspec.Raw(entry.raw) for entry in out.entries]
    return Batch(
        stream=out.stream,
        first=out.entries[0].first,
        records=list(records),
        sent_at=now.stamp.at,
        origin=out.origin,
    )


def _rewound(book: LaneBook) -> Tell:
    return Tell(Level.INFO, f"the cloud asks for the {book.lane} lane again from {book.acked + 1} on")
