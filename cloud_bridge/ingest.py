"""What becomes of a message from a gateway. Pure: what the database holds is handed in.

A record's name is (gateway, lane, stream, number). The numbers of a stream begin at 1 and are taken without
a hole, so that one number, `through`, says what is stored. What can't be taken is a dead letter; its number
counts as handled.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cloud_bridge.entries import Entry, Stored, read_record
from gateway.wire import codec, limits
from gateway.wire.errors import Malformed, WireError
from gateway.wire.messages import Batch, Kind, Lane, LaneAck, Origin

CONTRADICTION = "another record is stored under this number"
DECLARED_LOST = "this number was explained by a gap before"
_QUEUED = frozenset({Stored.EVENT, Stored.OUTAGE})


class Item(msgspec.Struct, frozen=True):
    """One record of a batch as it came; `last` differs from `first` for a gap only."""

    first: int
    last: int
    raw: bytes


class Parcel(msgspec.Struct, frozen=True):
    """A batch whose numbers are known."""

    lane: Lane
    stream: str
    sent_at: int
    origin: Origin | None
    items: tuple[Item, ...]

    @property
    def first(self) -> int:
        return self.items[0].first

    @property
    def last(self) -> int:
        return self.items[-1].last

    def former(self, number: int) -> tuple[str, int] | None:
        """Stream and number under which a record stood before its stream had to be left."""
        return (self.origin.stream, self.origin.first + number - self.first) if self.origin else None


class Held(msgspec.Struct, frozen=True):
    """What the database holds under the numbers `first` to `last`."""

    first: int
    last: int
    kind: Stored
    digest: bytes


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the database knows about a batch.

    `held`: what stands under its numbers; `origins`: digests by number under its origin's name;
    `live_from`: by stream, the number from which the connection's records are live (S17).
    """

    through: int
    held: tuple[Held, ...] = ()
    origins: Mapping[int, bytes] = {}
    live_from: Mapping[str, int] = {}

    def is_history(self, parcel: Parcel, number: int) -> bool:
        """By the record's name or, in a renumbered batch, by the one it bore before."""
        names = [(parcel.stream, number), parcel.former(number)]
        return any(name[1] < self.live_from.get(name[0], 0) for name in names if name)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be taken, and why. `number` 0: a message as a whole."""

    reason: str
    raw: bytes
    lane: str = ""
    stream: str = ""
    number: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch comes to. `contradicted`: first number that stands for another record already (S16)."""

    ack: LaneAck
    entries: tuple[Entry, ...] = ()
    letters: tuple[Letter, ...] = ()
    contradicted: int | None = None

    @property
    def alarming(self) -> bool:
        """Whether anything of it goes into the alert queue."""
        return self.contradicted is not None or any(entry.kind in _QUEUED for entry in self.entries)


def unpack(lane: Lane, payload: bytes) -> Parcel:
    """A batch from its payload. Raises WireError."""
    batch = codec.decode(payload, Batch)
    items = tuple(Item(*numbered) for numbered in codec.numbered(batch))
    if items[-1].last > limits.SEQUENCE_MAX:
        raise Malformed(f"record number {items[-1].last} is above {limits.SEQUENCE_MAX}")
    parcel = Parcel(lane, batch.stream, batch.sent_at, batch.origin, items)
    if (former := parcel.former(parcel.last)) and former[1] > limits.SEQUENCE_MAX:
        raise Malformed(f"the origin's number {former[1]} is above {limits.SEQUENCE_MAX}")
    return parcel


def judge(parcel: Parcel, known: Known) -> Verdict:
    """What is new of a batch, what is no good, and the acknowledgement that becomes true once this is stored."""
    if parcel.first > known.through + 1:
        return Verdict(ack=LaneAck(stream=parcel.stream, through=known.through, again=True))
    entries: list[Entry] = []
    letters: list[Letter] = []
    for item in parcel.items:
        if item.last > known.through:
            entry, letter = _enter(parcel, item, known)
            entries.append(entry)
        else:
            letter = _repeated(parcel, item, known)
        letters += [letter] if letter else []
    contradicted = [letter.number for letter in letters if letter.reason == CONTRADICTION]
    return Verdict(
        ack=LaneAck(stream=parcel.stream, through=max(known.through, parcel.last)),
        entries=tuple(entries),
        letters=tuple(letters),
        contradicted=contradicted[0] if contradicted else None,
    )


def _repeated(parcel: Parcel, item: Item, known: Known) -> Letter | None:
    """A number that is stored. A gap adds nothing: its sender lost what it had sent, the cloud did not."""
    there = next((row for row in known.held if row.first <= item.first <= row.last), None)
    if there is None or there.digest == codec.digest(item.raw) or _is_gap(item):
        return None
    return _letter(parcel, item, DECLARED_LOST if there.kind is Stored.GAP else CONTRADICTION)


def _is_gap(item: Item) -> bool:
    try:
        return codec.decode_record(item.raw).kind == Kind.GAP
    except WireError:
        return False


def _letter(parcel: Parcel, item: Item, reason: str) -> Letter:
    return Letter(reason=reason, raw=item.raw, lane=parcel.lane, stream=parcel.stream, number=item.first)


def _enter(parcel: Parcel, item: Item, known: Known) -> tuple[Entry, Letter | None]:
    """A number that is new. Of a gap, only the part that is."""
    first = max(item.first, known.through + 1)
    digest = codec.digest(item.raw)
    former = parcel.former(item.first)
    if former and known.origins.get(former[1]) == digest:
        return Entry(first=first, last=item.last, kind=Stored.REPEAT, digest=digest), None
    try:
        entry = read_record(item.raw, first, item.last)
    except WireError as error:
        dead = Entry(first=first, last=item.last, kind=Stored.DEAD_LETTER, digest=digest)
        return dead, _letter(parcel, item, error.what)
    return msgspec.structs.replace(entry, history=known.is_history(parcel, item.first)), None
