"""Records under their numbers, and what is asked and told of them between memory, file and sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from gateway.wire import limits
from gateway.wire.codec import encode_record
from gateway.wire.messages import GapBody, Kind, Lane, Origin, Record, Stamp

ALWAYS = limits.SEQUENCE_MAX
"""`Kept.sent` while connected: any number may have been sent."""


class Kept(msgspec.Struct, frozen=True):
    """A lane as the file has it. No number from `next` on was given to a record that is kept.

    `sent`: no number above it can have been sent, and so none can be stored in the cloud, by whoever used
    this file.
    """

    stream: str
    acked: int = 0
    next: int = 1
    sent: int = ALWAYS


class Entry(msgspec.Struct, frozen=True):
    """A record under its number, its bytes frozen. A gap has a `last` of its own. `origin`: its name in an
    older stream."""

    first: int
    raw: bytes
    last: int = 0
    origin: Origin | None = None
    gap: bool = False

    @property
    def end(self) -> int:
        return max(self.first, self.last)


class Want(msgspec.Struct, frozen=True):
    """The numbers `first` to `last` have to come from the file; what is not there is lost."""

    lane: Lane
    stream: str
    first: int
    last: int


class Loaded(msgspec.Struct, frozen=True):
    """The answer to a Want: its entries without a hole, though perhaps not to its end."""

    lane: Lane
    stream: str
    entries: tuple[Entry, ...]


class Outgoing(msgspec.Struct, frozen=True):
    """Entries for one batch."""

    stream: str
    entries: tuple[Entry, ...]

    @property
    def origin(self) -> Origin | None:
        return self.entries[0].origin


class Shift(msgspec.Struct, frozen=True):
    """A lane's change to a new stream: what was above `acked` moves down by `acked` (S16).

    `through`: what the cloud has of the old stream. A record above it that moved before is known there, if at all, by
    the name it bore before that move.
    """

    lane: Lane
    old: str
    new: str
    acked: int
    last: int
    through: int


def explained(want: Want, rows: Iterable[Entry], whole: bool, gap: Callable[[int, int], Entry]) -> Iterator[Entry]:
    """The rows of the file in their order with a gap made for each hole; `whole`: no further row lies in the
    wanted range."""
    expected = want.first
    for row in rows:
        if row.first > expected:
            yield gap(expected, row.first - 1)
        yield row
        expected = row.end + 1
    if whole and expected <= want.last:
        yield gap(expected, want.last)


def gap_entry(first: int, last: int, why: str, stamp: Stamp) -> Entry:
    """The record that explains the numbers `first` to `last`."""
    body = msgspec.Raw(msgspec.json.encode(GapBody(first=first, last=last, why=why)))
    return Entry(first, encode_record(Record(kind=Kind.GAP, stamp=stamp, body=body)), last=last, gap=True)


def one_origin(before: Entry, entry: Entry) -> bool:
    """Whether two neighbours can stand in one batch: both without an origin, or neighbours in their old
    stream too."""
    if before.origin is None or entry.origin is None:
        return before.origin is entry.origin
    return entry.origin == Origin(stream=before.origin.stream, first=before.origin.first + 1)


def moved(entry: Entry, shift: Shift) -> Entry:
    """The record in the new stream, with the one former name that the cloud can have stored it under."""
    former = entry.origin if entry.first > shift.through else None
    origin = former or Origin(stream=shift.old, first=entry.first)
    return Entry(entry.first - shift.acked, entry.raw, origin=origin)
