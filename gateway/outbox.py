"""One lane of the outbox: which number a record gets, what is sent next, what an acknowledgement does.

A record is numbered once (`append`), becomes sendable (an event when the disk has it, a status at once) and
is kept in memory or in the file until the cloud has stored it. The sender walks along the numbers with a
cursor, keeps a few batches in flight and goes back when they are not acknowledged. A number nothing is kept
under is explained by a gap record. S16 (a restored card) is `Verdict.NEW_STREAM`. Times are monotonic
seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum, auto

import msgspec

from gateway.entries import ALWAYS, Entry, Kept, Loaded, Outgoing, Shift, Want, moved, one_origin
from gateway.wire import limits
from gateway.wire.messages import Lane, LaneAck, LaneRange

NOT_ACKNOWLEDGED_S = 10.0
"""A status that is not acknowledged for so long goes to disk; an SD card pays 16 KiB a commit
(libraries.md)."""

SAVE_EVERY_S = 300.0
"""While nothing is acknowledged, status goes to disk so often. With eight units each minute would cost twice as much
(`make bench`, part disk): a commit dirties pages of the journal and of its index, however little is in it."""

SAVE_FROM = 1024
"""So many unsaved records go sooner: memory is for UNSAVED_AT_MOST."""

WINDOW = {Lane.EVENTS: 8, Lane.STATUS: 2}
"""Batches in flight. A backlog of status is paced by two, so that a live event finds an almost empty line."""

BLOCK = 4096
"""Numbers of the status lane reserved by one write: an hour of eight units' status."""

KEPT_IN_MEMORY = 512
"""Records of a lane held in memory ahead of the cursor though the file has them."""

UNSAVED_AT_MOST = 4096
"""Status records in memory that the disk does not take; beyond them the oldest is lost (and told as a
gap)."""

_BATCH_BYTES = limits.BATCH_BYTES - 512
"""What records may use of a batch: the rest is its frame."""


class Verdict(Enum):
    """What an acknowledgement did."""

    TAKEN = auto()
    REWOUND = auto()
    FOREIGN = auto()
    """For another stream: nothing."""
    BEYOND = auto()
    """For what was not sent: refused."""
    NEW_STREAM = auto()
    """The cloud has numbers that this file never sent: it is an old copy (S16). The caller calls `renew`."""


class _Flight(msgspec.Struct):
    first: int
    last: int
    sent_at: float


class LaneBook:
    """The bookkeeping of one lane. `durable`: nothing is sent before the disk has it."""

    def __init__(self, lane: Lane, kept: Kept, *, durable: bool) -> None:
        self.lane = lane
        self.stream = kept.stream
        self.acked = kept.acked
        self.next = kept.next
        self.durable = durable
        self.sent = min(kept.sent, kept.next - 1)
        self.sendable = kept.next - 1
        self.cursor = kept.acked + 1
        self.loading = False
        self.moving = False
        self.reserved = kept.next - 1
        self._held: dict[int, Entry] = {}
        self._unsaved: dict[int, float] = {}
        self._flights: deque[_Flight] = deque()
        self._window = WINDOW[lane]
        self._save_at = 0.0

    @property
    def waiting(self) -> int:
        """Records not yet acknowledged."""
        return self.next - 1 - self.acked

    @property
    def in_memory(self) -> int:
        return len(self._held)

    def oldest(self) -> Entry | None:
        """The first record not yet acknowledged, if it is in memory."""
        return self._held.get(self.acked + 1)

    @property
    def range(self) -> LaneRange:
        return LaneRange(stream=self.stream, oldest=self.acked + 1, next=self.next)

    def kept(self, *, online: bool) -> Kept:
        """What the file should hold of it while we run."""
        taken = self.next if self.durable else max(self.next, self.reserved + 1)
        return Kept(self.stream, self.acked, taken, ALWAYS if online else self.sent)

    def kept_at_stop(self) -> Kept:
        """What the file should hold once nothing is numbered any more."""
        return Kept(self.stream, self.acked, self.next, self.sent)

    def reserve(self) -> bool:
        """Whether a new block of numbers has been taken, which the file should know soon."""
        if self.durable or self.reserved >= self.next + BLOCK // 4:
            return False
        self.reserved = self.next + BLOCK
        return True

    # records in

    def append(self, raw: bytes, now_s: float) -> Entry:
        """Number a record. A durable lane sends it after `saved` or `released`."""
        entry = Entry(self.next, raw)
        self.next += 1
        self._held[entry.first] = entry
        self._unsaved[entry.first] = now_s
        if not self.durable:
            self.sendable = entry.first
        if len(self._unsaved) > UNSAVED_AT_MOST and not self.durable:
            self._forget(next(iter(self._unsaved)))
        return entry

    def saved(self, stream: str, entries: Iterable[Entry]) -> None:
        """The file has them."""
        if stream != self.stream:
            return
        self.released(stream, entries)
        for entry in entries:
            if self._unsaved.pop(entry.first, None) is not None and entry.first >= self.cursor + KEPT_IN_MEMORY:
                self._held.pop(entry.first, None)

    def released(self, stream: str, entries: Iterable[Entry]) -> None:
        """The disk does not take them; they are sent all the same, from memory."""
        if stream == self.stream:
            self.sendable = max([self.sendable, *(entry.end for entry in entries)])

    def overdue(self, now_s: float) -> tuple[Entry, ...]:
        """Everything unsaved, once the oldest of it has waited long enough. A durable lane's owner saves by
        himself."""
        at = self.overdue_at()
        return () if at is None or now_s < at else self.unsaved()

    def overdue_at(self) -> float | None:
        oldest = None if self.durable or self.moving else next(iter(self._unsaved.values()), None)
        if oldest is None:
            return None
        due_at = oldest + NOT_ACKNOWLEDGED_S
        return due_at if len(self._unsaved) >= SAVE_FROM else max(due_at, self._save_at)

    def saving(self, now_s: float) -> None:
        """What is unsaved is on its way to the disk: no earlier second try than after the same wait, and no next one
        before SAVE_EVERY_S while nothing is acknowledged, unless there is much."""
        self._unsaved = dict.fromkeys(self._unsaved, now_s)
        self._save_at = now_s + SAVE_EVERY_S

    def is_unheard(self, now_s: float) -> bool:
        """Whether the disk was needed, since nothing was acknowledged, and nothing has been since."""
        return now_s < self._save_at

    def unsaved(self) -> tuple[Entry, ...]:
        return tuple(self._held[number] for number in self._unsaved)

    # batches out

    def outgoing(self, now_s: float) -> Outgoing | None:
        """The next batch, counted as sent; None if the window is full or nothing is at hand."""
        if self.moving or len(self._flights) >= self._window:
            return None
        entries = tuple(self._run())
        if not entries:
            return None
        self._flights.append(_Flight(entries[0].first, entries[-1].end, now_s))
        self.cursor = entries[-1].end + 1
        self.sent = max(self.sent, entries[-1].end)
        return Outgoing(self.stream, entries)

    def want(self) -> Want | None:
        """What has to be loaded before the next batch can be made; asked for once."""
        if self.loading or self.moving or len(self._flights) >= self._window:
            return None
        if self.cursor > self.sendable or self.cursor in self._held:
            return None
        self.loading = True
        above = [number for number in self._held if number > self.cursor]
        return Want(self.lane, self.stream, self.cursor, min([*above, self.sendable + 1]) - 1)

    def loaded(self, loaded: Loaded) -> None:
        self.loading = False
        if loaded.stream == self.stream:
            for entry in loaded.entries:
                if entry.end > self.acked:
                    self._held.setdefault(entry.first, entry)

    def resend_at(self) -> float | None:
        return self._flights[0].sent_at + limits.RESEND_AFTER_S if self._flights else None

    def resend_overdue(self, now_s: float) -> bool:
        """Go back to what is unacknowledged for too long; one batch at a time until the cloud answers
        again."""
        at = self.resend_at()
        if at is None or now_s < at:
            return False
        self._restart(max(self._flights[0].first, self.acked + 1))
        self._window = 1
        return True

    def disconnected(self) -> None:
        """Nothing is in flight any more; the next connection begins at the oldest unacknowledged."""
        self._restart(self.acked + 1)
        self._window = WINDOW[self.lane]

    # acknowledgements in

    def greeted(self, ack: LaneAck) -> Verdict:
        """The answer to a hello: the cloud's own state, whatever was acknowledged before."""
        if ack.stream != self.stream:
            return Verdict.FOREIGN
        if ack.through > self.sent:
            return Verdict.NEW_STREAM
        if ack.through < self.acked:
            return self._rewound(ack.through)
        self._taken(ack.through)
        self._restart(self.acked + 1)
        return Verdict.TAKEN

    def acknowledged(self, ack: LaneAck) -> Verdict:
        """The answer to a batch."""
        if ack.stream != self.stream:
            return Verdict.FOREIGN
        if ack.through > self.sent:
            return Verdict.BEYOND
        if ack.again:
            return self._rewound(ack.through)
        self._taken(ack.through)
        return Verdict.TAKEN

    def renew(self, stream: str, through: int) -> Shift:
        """Leave the stream (S16), of which the cloud has `through`: what is not acknowledged gets new numbers and
        carries its old name as origin.

        Nothing is sent before `moved`: the file has to say so too, or a crash would give a third name.
        """
        shift = Shift(self.lane, self.stream, stream, self.acked, self.next - 1, through)
        held = [moved(entry, shift) for entry in self._held.values() if not entry.gap]
        self._unsaved = {number - shift.acked: at for number, at in self._unsaved.items() if number > shift.acked}
        self._held = {entry.first: entry for entry in held if entry.first > 0}
        self.stream, self.acked, self.sent = stream, 0, 0
        self.next -= shift.acked
        self.sendable -= shift.acked
        self.reserved = max(self.reserved - shift.acked, 0)
        self.loading, self.moving = False, True
        self._restart(1)
        return shift

    def moved(self, shift: Shift) -> None:
        """The file has made the change, with everything that was unsaved."""
        self.moving = False
        self.sendable = max(self.sendable, shift.last - shift.acked)
        self._unsaved = {number: at for number, at in self._unsaved.items() if number > shift.last - shift.acked}

    def _run(self) -> Iterator[Entry]:
        size, count, before = 0, 0, None
        while count < limits.BATCH_RECORDS and self.cursor <= self.sendable:
            entry = self._held.get(before.end + 1 if before else self.cursor)
            if entry is None or entry.end > self.sendable:
                return
            size += len(entry.raw) + 1
            if before and (size > _BATCH_BYTES or not one_origin(before, entry)):
                return
            yield entry
            before, count = entry, count + 1

    def _taken(self, through: int) -> None:
        if through <= self.acked:
            return
        self.acked = through
        self._save_at = 0.0
        self.cursor = max(self.cursor, through + 1)
        self._window = WINDOW[self.lane]
        while self._flights and self._flights[0].last <= through:
            self._flights.popleft()
        for number in [number for number, entry in self._held.items() if entry.end <= through]:
            self._forget(number)

    def _rewound(self, through: int) -> Verdict:
        self._taken(through)
        self.acked = through
        self._restart(through + 1)
        return Verdict.REWOUND

    def _restart(self, cursor: int) -> None:
        self.cursor = cursor
        self._flights.clear()

    def _forget(self, number: int) -> None:
        self._held.pop(number, None)
        self._unsaved.pop(number, None)
