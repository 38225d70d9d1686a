"""A gateway's uplink, its outbox file, the line and a cloud, all in one process and one thread, with every
fault at hand.

The rules and the SQL are the real ones; the file is SQLite in memory, so that a kill is forgetting what was
not committed. The cloud is a model of the protocol as gateway/wire/messages.py states it.
"""

from __future__ import annotations

import copy
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from sqlite_utils import Database

from gateway.actions import Action, Connect, Keep, Load, Moment, Move, Publish, Save
from gateway.outbox import LaneBook
from gateway.store.outbox import OutboxFile
from gateway.store.schema import migrate
from gateway.store.shedding import prune, shed
from gateway.uplink import Me, Phase, Uplink
from gateway.wire import codec
from gateway.wire.messages import Ack, Batch, Hello, Kind, Lane, LaneAck, Record, Stamp
from gateway.wire.topics import Up

Job = Callable[[OutboxFile], Any]
Then = Callable[[Any], None]


def new_file() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(Path(":memory:"), Database(connection))
    return connection


def copied(file: sqlite3.Connection) -> sqlite3.Connection:
    copy_ = sqlite3.connect(":memory:", isolation_level=None)
    file.backup(copy_)
    return copy_


class Stream(msgspec.Struct):
    through: int = 0
    digests: dict[int, bytes] = {}
    gaps: list[bytes] = []


class Cloud(msgspec.Struct):
    """`stored`: raw records by lane in their order. `contradictions`: numbers that stood for two records (a
    clone)."""

    streams: dict[tuple[Lane, str], Stream] = {}
    names: dict[tuple[Lane, str, int], bytes] = {}
    stored: dict[Lane, list[bytes]] = msgspec.field(default_factory=lambda: {lane: [] for lane in Lane})
    contradictions: list[tuple[Lane, str, int]] = []
    hellos: list[Hello] = []

    def take(self, kind: Up, payload: bytes) -> Ack | None:
        if kind is Up.HELLO:
            hello = codec.decode(payload, Hello)
            self.hellos.append(hello)
            lanes = {
                lane: LaneAck(stream=said.stream, through=self._through(lane, said.stream))
                for lane, said in hello.lanes.items()
            }
            return Ack(lanes=lanes, conn=hello.conn)
        if kind in (Up.EVENTS, Up.STATUS):
            lane = Lane(kind.value)
            return Ack(lanes={lane: self._batch(lane, codec.decode(payload, Batch))})
        return None

    def _through(self, lane: Lane, stream: str) -> int:
        known = self.streams.get((lane, stream))
        return known.through if known else 0

    def _batch(self, lane: Lane, batch: Batch) -> LaneAck:
        stream = self.streams.setdefault((lane, batch.stream), Stream())
        if batch.first > stream.through + 1:
            return LaneAck(stream=batch.stream, through=stream.through, again=True)
        for first, last, raw in codec.numbered(batch):
            self._record(lane, stream, batch, first, last, raw)
        return LaneAck(stream=batch.stream, through=stream.through)

    def _record(self, lane: Lane, stream: Stream, batch: Batch, first: int, last: int, raw: bytes) -> None:
        digest, is_gap = codec.digest(raw), codec.decode_record(raw).kind == Kind.GAP
        if last <= stream.through:
            if stream.digests.get(first) != digest and not is_gap:
                self.contradictions.append((lane, batch.stream, first))
            return
        stream.through = last
        stream.digests[first] = digest
        origin = (lane, batch.origin.stream, batch.origin.first + first - batch.first) if batch.origin else None
        known = origin is not None and self.names.get(origin) == digest
        self.names[(lane, batch.stream, first)] = digest
        if origin is not None:
            self.names[origin] = digest
        if is_gap:
            stream.gaps.append(raw)
        elif not known:
            self.stored[lane].append(raw)


class World:
    """`lineage`: what was committed to the file that is in use now, by the records' raw bytes."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.now_s = 1000.0
        self.ids = itertools.count(1)
        self.names = (f"{n:016x}" for n in itertools.count(1))
        self.file = new_file()
        self.cloud = Cloud()
        self.lineage: list[bytes] = []
        self.up: list[tuple[Up, bytes]] = []
        self.down: list[bytes] = []
        self.jobs: list[tuple[Job, Then, Callable[[], None]]] = []
        self.later: dict[object, Job] = {}
        self.told: list[str] = []
        self.start()

    # the gateway's process

    def start(self) -> None:
        lanes = OutboxFile(self.file).lanes()
        self.books = {lane: LaneBook(lane, lanes[lane], durable=lane is Lane.EVENTS) for lane in Lane}
        me = Me("1", "pi", ("rack-1",))
        self.uplink = Uplink(me, self.books, draw=self.random.random, new_name=lambda: next(self.names))
        self.act(self.uplink.started(self.moment()))

    def kill(self) -> None:
        """kill -9: what was sent may still arrive, what was not committed is gone."""
        self.jobs.clear()
        self.later.clear()
        self.cut()
        self.start()

    def stop(self) -> None:
        """A clean stop, as the agent makes it: what is in memory is written, then nothing runs."""
        self.act(self.uplink.farewell())
        self.commit()
        file = OutboxFile(self.file)
        for lane, book in self.books.items():
            file.put(lane, book.stream, book.unsaved(), 0)
            file.keep_at_stop(lane, book.kept_at_stop())
        self.cut()

    def cut(self) -> None:
        """The connection ends: a part of what was sent arrives, in its order, nothing comes back."""
        for kind, payload in self.up[: self.random.randint(0, len(self.up))]:
            self.cloud.take(kind, payload)
        self.up.clear()
        self.down.clear()

    def moment(self) -> Moment:
        return Moment(self.now_s, Stamp(at=int(self.now_s * 1000), boot="b", mono=int(self.now_s * 1000)))

    def record(self, kind: Kind) -> bytes:
        body = msgspec.Raw(msgspec.json.encode({"id": next(self.ids)}))
        return codec.encode_record(Record(kind=kind.value, stamp=self.moment().stamp, unit="rack-1", body=body))

    def event(self) -> bytes:
        """As Outbox.events does: numbered now, written by the next commit, sendable afterwards."""
        raw, book = self.record(Kind.EVENT), self.books[Lane.EVENTS]
        entry = book.append(raw, self.now_s)
        self.write_event(entry.raw, book.stream)
        return raw

    def write_event(self, raw: bytes, stream: str) -> None:
        book = self.books[Lane.EVENTS]

        def current() -> tuple[Any, ...]:
            return tuple(each for each in book.unsaved() if each.raw == raw)

        entries = current()

        def job(file: OutboxFile) -> None:
            file.put(Lane.EVENTS, stream, entries, 0)

        def then(_: Any) -> None:
            self.lineage.append(raw)
            book.saved(stream, entries)
            self.act(self.uplink.appended(self.moment()))

        self.jobs.append((job, then, lambda: book.released(stream, entries)))

    def status(self) -> bytes:
        raw = self.record(Kind.STATUS)
        self.books[Lane.STATUS].append(raw, self.now_s)
        self.act(self.uplink.appended(self.moment()))
        return raw

    def act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        at = self.moment().stamp
        match action:
            case Publish(kind, message, _):
                self.up.append((kind, codec.encode(message)))
            case Connect(_):
                pass
            case Keep(lane, kept, _):
                self.later[("lane", lane)] = lambda file: file.keep(lane, kept)
            case Save(lane, stream, entries):
                self.write(
                    lambda file: file.put(lane, stream, entries, at.at),
                    lambda _: self.books[lane].saved(stream, entries),
                )
            case Load(want):
                self.write(
                    lambda file: file.load(want, at),
                    lambda loaded: self.act(self.uplink.loaded(loaded, self.moment())),
                )
            case Move(entries, shift, kept):
                self.later.pop(("lane", shift.lane), None)
                moving = [each.raw for each in entries] if shift.lane is Lane.EVENTS else []
                self.write(
                    lambda file: file.move(entries, shift, kept, at.at),
                    lambda _: self._moved(shift, moving),
                )
            case _:
                self.told.append(action.text)

    def _moved(self, shift: Any, moving: list[bytes]) -> None:
        self.lineage += [raw for raw in moving if raw not in self.lineage]
        self.act(self.uplink.moved(shift, self.moment()))

    # the disk

    def commit(self) -> None:
        """One transaction of everything that waits."""
        jobs, self.jobs = self.jobs, []
        later, self.later = self.later, {}
        file = OutboxFile(self.file)
        self.file.execute("BEGIN")
        results = [(then, job(file)) for job, then, _ in jobs]
        for job in later.values():
            job(file)
        self.file.execute("COMMIT")
        for then, result in results:
            then(result)

    def write(self, job: Job, then: Then) -> None:
        self.jobs.append((job, then, lambda: None))

    def fail_to_commit(self) -> None:
        """The disk is full: nothing is written, events go out from memory, and all of it is tried again
        later."""
        for _, _, failed in self.jobs:
            failed()
        self.act(self.uplink.appended(self.moment()))

    def prune(self) -> None:
        while prune(OutboxFile(self.file), int(self.now_s * 1000)):
            pass

    def squeeze(self) -> None:
        """Others fill the disk: what may go for that goes. Of the events, those that the cloud has acknowledged (S16:
        they stay as far as there is room), so that a cloud put back to before them does not get them again."""
        lane = "FROM lane WHERE name = 'events'"
        acknowledged = self._events(f"(stream <> (SELECT stream {lane}) OR last <= (SELECT acked {lane}))")
        before = self._events("TRUE")
        self.file.execute("BEGIN")
        while shed(OutboxFile(self.file), 2**30, begun=True):
            pass
        self.file.execute("COMMIT")
        gone = before - self._events("TRUE")
        assert gone <= acknowledged
        self.lineage = [raw for raw in self.lineage if raw not in gone or raw in self.cloud.stored[Lane.EVENTS]]

    def _events(self, which: str) -> set[bytes]:
        rows = self.file.execute(f"SELECT raw FROM record WHERE lane = 'events' AND gap = 0 AND {which}")
        return {bytes(raw) for (raw,) in rows}

    # the line

    def connect(self) -> None:
        self.act(self.uplink.connected(self.moment()))

    def lose(self) -> None:
        self.cut()
        self.act(self.uplink.lost(self.moment(), "cut"))

    def deliver_up(self, index: int = 0, *, keep: bool = False) -> None:
        kind, payload = self.up[index] if keep else self.up.pop(index)
        answer = self.cloud.take(kind, payload)
        if answer is not None:
            self.down.append(codec.encode(answer))

    def deliver_down(self, index: int = 0, *, keep: bool = False) -> None:
        payload = self.down[index] if keep else self.down.pop(index)
        self.act(self.uplink.received(payload, self.moment()))

    def tick(self) -> None:
        """Time goes on to the next thing that is due."""
        at = self.uplink.next_at()
        self.now_s = max(self.now_s, at) if at is not None else self.now_s + 1.0
        self.act(self.uplink.tick(self.moment()))

    def settle(self) -> None:
        """Let everything come to rest on a good line with a working disk."""
        for _ in range(5000):
            self.commit()
            if self.uplink.phase is Phase.CONNECTING:
                self.connect()
            while self.up:
                self.deliver_up()
            while self.down:
                self.deliver_down()
            if not self.jobs and not self.up and self.uplink.ready and not any(b.waiting for b in self.books.values()):
                return
            self.tick()
        raise AssertionError("does not come to rest")

    # copies

    def snapshot(self) -> tuple[sqlite3.Connection, list[bytes]]:
        return copied(self.file), list(self.lineage)

    def restore(self, snapshot: tuple[sqlite3.Connection, list[bytes]]) -> None:
        """The card is put back as it was: the process begins anew on the old file."""
        self.jobs.clear()
        self.later.clear()
        self.cut()
        self.file, self.lineage = copied(snapshot[0]), list(snapshot[1])
        self.start()

    def cloud_snapshot(self) -> Cloud:
        return copy.deepcopy(self.cloud)

    def restore_cloud(self, snapshot: Cloud) -> None:
        self.cloud = copy.deepcopy(snapshot)
        self.down.clear()
