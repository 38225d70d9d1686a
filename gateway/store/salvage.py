"""What can still be read of a damaged outbox file, put into a new one row by row.

Unacknowledged records go first into the new streams, with their old names as origin (S16), so that the cloud recognises
what it has; what is missing between them is a gap.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drivers.ups import CATALOGUE, clean_text
from gateway.entries import ALWAYS, Entry, Kept, Shift
from gateway.quota import DAMAGED, DISK_RESERVE_BYTES, Loss
from gateway.records import record
from gateway.store.outbox import OutboxFile, checksum
from gateway.store.schema import tables
from gateway.store.shedding import size
from gateway.store.wreck import opened, rows
from gateway.wire.codec import decode_record, encode_record
from gateway.wire.errors import WireError
from gateway.wire.messages import EventBody, Kind, Lane, Origin, Scalar, Sequence, Stamp, StreamName

T = TypeVar("T")

logger = logging.getLogger("gateway.outbox")

COPIED = ("unit", "note", "outage", "audit", "command")
"""Tables that are taken over as they are."""

CHUNK = 2048
"""Records written in one transaction."""

_PAGE = 4096


class Saved(msgspec.Struct, frozen=True):
    """How much was read."""

    events: int
    status: int
    rows: int

    def __str__(self) -> str:
        return f"{self.events} events, {self.status} status records and {self.rows} other rows"


class _Lane(msgspec.Struct, frozen=True):
    name: Lane
    stream: StreamName
    acked: int
    next: Sequence
    sent: int


class _Record(msgspec.Struct, frozen=True):
    lane: Lane
    stream: StreamName
    first: Sequence
    last: Sequence
    gap: bool
    raw: bytes
    origin_stream: StreamName | None
    origin_first: Sequence | None
    checksum: int | None

    @property
    def is_whole(self) -> bool:
        said = (self.first, self.last, int(self.gap), self.raw, self.origin_stream, self.origin_first)
        return self.checksum is None or checksum(*said) == self.checksum

    @property
    def entry(self) -> Entry:
        stream, first = self.origin_stream, self.origin_first
        origin = None if stream is None or first is None else Origin(stream=stream, first=first)
        return Entry(self.first, self.raw, last=self.last, origin=origin, gap=self.gap)


def salvage(damaged: Path, new: Path, aside: str, why: str, stamp: Stamp) -> Saved:
    """Fill the file `new`, which has no record yet. `aside`: the damaged file's name from now on; `why` and it are told
    by an event. Raises sqlite3.Error for the new file only."""
    with closing(sqlite3.connect(new, isolation_level=None)) as target:
        file = OutboxFile(target)
        saved = _filled(file, damaged, stamp) or _filled_under(file, damaged, new, stamp) or Saved(0, 0, 0)
        with _transaction(file):
            _tell(file, saved, aside, why, stamp)
    return saved


def _filled(file: OutboxFile, damaged: Path, stamp: Stamp) -> Saved | None:
    """None if nothing at all can be read."""
    with closing(opened(damaged)) as source:
        lanes = _lanes(source)
        events = _fill(file, source, lanes.get(Lane.EVENTS), stamp)
        with _transaction(file):
            others = sum(_copy(file, table, rows(source, table)) for table in COPIED)
        status = _fill(file, source, lanes.get(Lane.STATUS), stamp)
    return Saved(events, status, others) if lanes or others else None


def _filled_under(file: OutboxFile, damaged: Path, new: Path, stamp: Stamp) -> Saved | None:
    """The same for a file whose first page is lost: its tables lie where those of a new file lie."""
    patched = damaged.with_name("outbox-patched.sqlite3")
    try:
        shutil.copyfile(damaged, patched)
        if (wal := Path(f"{damaged}-wal")).exists():
            shutil.copyfile(wal, f"{patched}-wal")
        with patched.open("r+b") as copy:
            copy.write(_first_page(new, pages=max(1, patched.stat().st_size // _PAGE)))
        return _filled(file, patched, stamp)
    except OSError as error:
        logger.warning("%s can't be copied to be read another way: %s", damaged, error)
        return None
    finally:
        for part in ("", "-wal", "-shm"):
            Path(f"{patched}{part}").unlink(missing_ok=True)


def _first_page(new: Path, pages: int) -> bytes:
    """The new file's, with this number of pages and no free one (https://sqlite.org/fileformat.html, 1.3)."""
    page = bytearray(new.read_bytes()[:_PAGE])
    page[28:32] = pages.to_bytes(4, "big")
    page[32:40] = bytes(8)
    return bytes(page)


def _lanes(source: sqlite3.Connection) -> dict[Lane, _Lane]:
    """Each lane by its row, or by its records: its stream is that of the newest, none is known to be acknowledged."""
    spans: dict[tuple[Lane, str], tuple[int, int]] = {}
    newest: dict[Lane, str] = {}
    for each in _records(source):
        span = spans.get((each.lane, each.stream), (each.first, each.last))
        spans[each.lane, each.stream] = min(span[0], each.first), max(span[1], each.last)
        newest[each.lane] = each.stream
    lanes = {lane: _Lane(lane, stream, spans[lane, stream][0] - 1, 1, ALWAYS) for lane, stream in newest.items()}
    for row in rows(source, "lane"):
        known = _converted(row, _Lane)
        if known and 0 <= known.acked < known.next:
            lanes[known.name] = known
    return {lane: _reaching(known, spans.get((lane, known.stream), (0, 0))[1]) for lane, known in lanes.items()}


def _reaching(lane: _Lane, last: int) -> _Lane:
    """Its row may be older than its records."""
    return msgspec.structs.replace(lane, next=max(lane.next, last + 1, lane.acked + 1))


def _fill(file: OutboxFile, source: sqlite3.Connection, lane: _Lane | None, stamp: Stamp) -> int:
    """The unacknowledged records of one lane, moved as if the card had been restored; how many. Status ends where the
    disk does."""
    if lane is None:
        return 0
    new, count = file.kept()[lane.name].stream, 0
    with _transaction(file):
        file.connection.execute("UPDATE lane SET stream = ? WHERE name = ?", (lane.stream, lane.name))
    for chunk in _chunks(each.entry for each in _records(source) if _waits(each, lane)):
        if lane.name is Lane.STATUS and size(file).disk_free < DISK_RESERVE_BYTES:
            logger.error("the disk is too full for all that could be read of the damaged outbox")
            break
        with _transaction(file):
            count += file.put(lane.name, lane.stream, chunk, stamp.at)
    last = lane.next - 1
    shift = Shift(lane.name, lane.stream, new, lane.acked, last, through=min(lane.sent, last))
    with _transaction(file):
        if last > lane.acked:
            file.note_loss(lane.name, lane.stream, Loss(lane.acked + 1, last, DAMAGED))
        file.move((), shift, Kept(new, 0, lane.next - lane.acked, sent=0), stamp.at)
    return count


def _waits(each: _Record, lane: _Lane) -> bool:
    return each.lane is lane.name and each.stream == lane.stream and each.first > lane.acked and not each.gap


def _chunks(entries: Iterable[Entry]) -> Iterator[tuple[Entry, ...]]:
    entries = iter(entries)
    while chunk := tuple(islice(entries, CHUNK)):
        yield chunk


@contextmanager
def _transaction(file: OutboxFile) -> Iterator[None]:
    file.connection.execute("BEGIN IMMEDIATE")
    yield
    file.connection.execute("COMMIT")


def _copy(file: OutboxFile, table: str, found: Iterable[dict[str, Any]]) -> int:
    """Rows that fit; one that does not is left out."""
    copied = 0
    for row in found:
        names = [name for name in row if name in tables()[table]]
        marks = ", ".join("?" * len(names))
        with suppress(sqlite3.IntegrityError):
            file.connection.execute(
                f"INSERT INTO [{table}] ({', '.join(f'[{name}]' for name in names)}) VALUES ({marks})",
                [row[name] for name in names],
            )
            copied += 1
    return copied


def _tell(file: OutboxFile, saved: Saved, aside: str, why: str, stamp: Stamp) -> None:
    kept = file.kept()[Lane.EVENTS]
    kind = CATALOGUE["outbox_damaged"]
    details: dict[str, Scalar] = {
        "reason": clean_text(why),
        "kept_as": aside,
        "events": saved.events,
        "status": saved.status,
    }
    body = EventBody(type=kind.name, severity=kind.severity, details=details)
    told = Entry(kept.next, encode_record(record(Kind.EVENT, stamp, "", body)))
    file.put(Lane.EVENTS, kept.stream, [told], stamp.at)


def _records(source: sqlite3.Connection) -> Iterator[_Record]:
    return (each for row in rows(source, "record") if (each := _believed(row)))


def _believed(row: dict[str, Any]) -> _Record | None:
    found = _converted({"checksum": None, **row}, _Record)
    if found is None or found.last < found.first or not found.is_whole:
        return None
    try:
        decode_record(found.raw)
    except WireError:
        return None
    return found


def _converted(row: dict[str, Any], kind: type[T]) -> T | None:
    try:
        return msgspec.convert(row, kind, strict=False)
    except msgspec.ValidationError:
        return None
