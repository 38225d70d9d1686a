"""An outbox file with a history, the ways it can be spoilt, and what a start makes of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from gateway.entries import Entry, Kept, Want
from gateway.store.marker import mark
from gateway.store.outbox import OutboxFile, UnitRow
from gateway.store.prepare import prepare
from gateway.store.schema import FILE
from gateway.wire.codec import decode_body, decode_record, encode_record
from gateway.wire.messages import EventBody, GapBody, Kind, Lane, Record, Stamp

STAMP = Stamp(at=9, boot="z", mono=9)
PAGE = 4096
RECORDS = 200
ACKED = {Lane.EVENTS: 50, Lane.STATUS: 20}


def raw(lane: Lane, number: int) -> bytes:
    kind = Kind.EVENT if lane is Lane.EVENTS else Kind.STATUS
    body = msgspec.Raw(msgspec.json.encode({"id": number, "padding": "x" * (number * 37 % 600)}))
    stamp = Stamp(at=number, boot="b", mono=number)
    return encode_record(Record(kind=kind.value, stamp=stamp, unit="rack-1", body=body))


def history(folder: Path) -> Path:
    """A file with RECORDS in each lane, ACKED of them acknowledged, a pinned unit, a note and an audit line."""
    path = prepare(folder)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        file = OutboxFile(connection)
        connection.execute("BEGIN")
        lanes = file.lanes()
        for number in range(1, RECORDS + 1):
            for lane, kept in lanes.items():
                file.put(lane, kept.stream, [Entry(number, raw(lane, number))], number)
        for lane, kept in lanes.items():
            file.keep(lane, Kept(kept.stream, ACKED[lane], RECORDS + 1, RECORDS))
        file.pin("rack-1", "AS1")
        file.put_note("word", b"value")
        connection.execute("INSERT INTO audit (number, line, digest) VALUES (1, 'line', 'digest')")
        connection.execute("COMMIT")
    return path


class Found(msgspec.Struct):
    """What a start finds: each lane's records from the first unacknowledged number to the last, gaps among them."""

    streams: dict[Lane, str]
    entries: dict[Lane, list[Entry]]
    unit: UnitRow
    note: bytes | None
    audit: int
    aside: list[Path]

    def raws(self, lane: Lane) -> list[bytes]:
        """The records as they were written, without gaps and without word of the damage itself."""
        return [entry.raw for entry in self.entries[lane] if not entry.gap and not damage(entry.raw)]

    @property
    def damage_told(self) -> list[EventBody]:
        return [body for entry in self.entries[Lane.EVENTS] if (body := damage(entry.raw))]


def damage(record: bytes) -> EventBody | None:
    decoded = decode_record(record)
    if decoded.kind != Kind.EVENT or b'"outbox_damaged"' not in record:
        return None
    return decode_body(decoded, EventBody)


def started(folder: Path) -> Found:
    """As a start and, if that ends with damage found in its work, the next one find it."""
    path = prepare(folder)
    try:
        return _found(path)
    except sqlite3.DatabaseError as error:
        mark(path, str(error))  # what the writer leaves behind
        return _found(prepare(folder))


def _found(path: Path) -> Found:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        file = OutboxFile(connection)
        lanes = file.lanes()
        return Found(
            streams={lane: kept.stream for lane, kept in lanes.items()},
            entries={lane: _all(file, lane, kept) for lane, kept in lanes.items()},
            unit=file.unit("rack-1"),
            note=file.note("word"),
            audit=connection.execute("SELECT count(*) FROM audit").fetchone()[0],
            aside=sorted(path.parent.glob("outbox-damaged-*.sqlite3")),
        )


def _all(file: OutboxFile, lane: Lane, kept: Kept) -> list[Entry]:
    entries: list[Entry] = []
    following = kept.acked + 1
    while following < kept.next:
        entries += file.load(Want(lane, kept.stream, following, kept.next - 1), STAMP).entries
        following = entries[-1].end + 1
    return entries


def started_on(content: bytes, folder: Path) -> Found:
    folder.mkdir()
    (folder / FILE).write_bytes(content)
    return started(folder)


def assert_true(found: Found, stream: dict[Lane, str]) -> None:
    """Whatever the damage: what is sent is what was written, once, in its order and by its name, the rest explained."""
    for lane in Lane:
        following = found.entries[lane][0].first if found.entries[lane] else 1
        for entry in found.entries[lane]:
            assert entry.first == following
            following = entry.end + 1
            if entry.gap:
                assert decode_body(decode_record(entry.raw), GapBody).why in ("damaged", "crash", "no longer kept")
        written = [raw(lane, number) for number in range(1, RECORDS + 1)]
        positions = [written.index(each) + 1 for each in found.raws(lane)]
        assert positions == sorted(set(positions))
        if found.aside:
            origins = [each.origin for each in found.entries[lane] if not each.gap and not damage(each.raw)]
            assert [each and (each.stream, each.first) for each in origins] == [
                (stream[lane], number) for number in positions
            ]
            assert found.streams[lane] != stream[lane]
    assert len(found.damage_told) == len(found.aside)
