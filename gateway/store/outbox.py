"""The outbox file: what is read from and written to it. Every method runs inside a transaction of the
writer's."""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections.abc import Iterable

import msgspec

from gateway.entries import Entry, Kept, Loaded, Shift, Want, explained, gap_entry
from gateway.quota import CRASH, DAMAGED, Loss, with_loss
from gateway.wire.messages import Lane, Origin, Stamp

logger = logging.getLogger("gateway.outbox")

LOADED_AT_ONCE = 512
"""Records read from the file for the sender: two batches."""

_RECORD = "rowid, first, last, gap, raw, origin_stream, origin_first, checksum"
_CHECKSUM = "checksum(first, last, gap, raw, origin_stream, origin_first)"
_Row = tuple[int, int, int, int, bytes, str | None, int | None, int | None]


class UnitRow(msgspec.Struct, frozen=True):
    """What the file has of a unit: the pinned serial number (S3), another one that answered, the detection's
    state."""

    serial: str | None = None
    stranger: str | None = None
    state: bytes | None = None
    pace: bytes | None = None


class OutboxFile:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def lanes(self) -> dict[Lane, Kept]:
        """The lanes as they were left, to be gone on with.

        Numbers that a crash took with it are noted as lost. What this process makes is not sent before it
        says so, which is noted too: on a restored card, a number made from now on is not the one the cloud
        knows (S16).
        """
        self.connection.execute("UPDATE lane SET sent = min(sent, next - 1)")
        lanes = self.kept()
        for lane, kept in lanes.items():
            self._note_crash(lane, kept)
        return lanes

    def units(self) -> dict[str, UnitRow]:
        rows = self.connection.execute("SELECT name, serial, stranger, state, pace FROM unit")
        return {name: UnitRow(*columns) for name, *columns in rows}

    def unit(self, name: str) -> UnitRow:
        return self.units().get(name, UnitRow())

    def put(self, lane: Lane, stream: str, entries: Iterable[Entry], now_ms: int) -> int:
        """Records under their numbers, and how many; one that is there already is written again as it is."""
        entries = tuple(entries)
        rows = [_row(lane, stream, entry, now_ms) for entry in entries]
        self.connection.executemany(
            "INSERT OR REPLACE INTO record"
            " (lane, stream, first, last, gap, raw, origin_stream, origin_first, kept_at, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        if entries:
            following = max(entry.end for entry in entries) + 1
            self.connection.execute(
                "UPDATE lane SET next = max(next, ?) WHERE name = ? AND stream = ?", (following, lane, stream)
            )
        return len(entries)

    def put_state(self, unit: str, state: bytes) -> None:
        self.connection.execute(
            "INSERT INTO unit (name, state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            (unit, state),
        )

    def put_pace(self, unit: str, pace: bytes) -> None:
        self.connection.execute(
            "INSERT INTO unit (name, pace) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET pace = excluded.pace",
            (unit, pace),
        )

    def pin(self, unit: str, serial: str) -> None:
        """The serial number that must answer under this name from now on (S3)."""
        self.connection.execute(
            "INSERT INTO unit (name, serial) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET serial = excluded.serial, stranger = NULL",
            (unit, serial),
        )

    def note_stranger(self, unit: str, serial: str | None) -> None:
        """Another serial number answers under this name: what `accept-unit` accepts if it is given none."""
        self.connection.execute(
            "INSERT INTO unit (name, stranger) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET stranger = excluded.stranger",
            (unit, serial),
        )

    def keep(self, lane: Lane, kept: Kept) -> None:
        """How far a lane is; a number once taken stays taken."""
        self.connection.execute(
            "UPDATE lane SET acked = ?, sent = ?, next = max(next, ?) WHERE name = ? AND stream = ?",
            (kept.acked, kept.sent, kept.next, lane, kept.stream),
        )

    def keep_at_stop(self, lane: Lane, kept: Kept) -> None:
        """The same when nothing is numbered any more: numbers only reserved are free again."""
        self.connection.execute(
            "UPDATE lane SET acked = ?, sent = ?, next = ? WHERE name = ? AND stream = ?",
            (kept.acked, kept.sent, kept.next, lane, kept.stream),
        )

    def load(self, want: Want, stamp: Stamp) -> Loaded:
        """The wanted numbers from their beginning, holes explained by gap records which are kept from now
        on."""
        rows = self.connection.execute(
            f"SELECT {_RECORD} FROM record WHERE lane = ? AND stream = ? AND first BETWEEN ? AND ?"
            " ORDER BY first LIMIT ?",
            (want.lane, want.stream, want.first, want.last, LOADED_AT_ONCE),
        ).fetchall()

        def gap(first: int, last: int) -> Entry:
            return gap_entry(first, last, self._why(want, first, last), stamp)

        found = [_entry(row) for row in rows if _is_whole(row)]
        if len(found) < len(rows):
            self._give_up([row for row in rows if not _is_whole(row)], want, found[-1].end if found else want.last)
        entries = tuple(explained(want, found, len(rows) < LOADED_AT_ONCE, gap))
        if gaps := [entry for entry in entries if entry.gap and entry not in found]:
            self.put(want.lane, want.stream, gaps, stamp.at)
        return Loaded(want.lane, want.stream, entries)

    def move(self, entries: Iterable[Entry], shift: Shift, kept: Kept, now_ms: int) -> int:
        """Everything above `shift.acked` into the new stream (S16); how many records that are.

        Gap records are made anew for their new numbers.
        """
        self.put(shift.lane, shift.old, entries, now_ms)
        old = (shift.lane, shift.old, shift.acked)
        self.connection.create_function("checksum", 6, checksum, deterministic=True)
        self.connection.execute(
            f"DELETE FROM record WHERE lane = ? AND stream = ? AND first > ? AND (gap OR checksum <> {_CHECKSUM})", old
        )
        moved = self.connection.execute(
            "UPDATE record SET stream = :new, first = first - :acked, last = last - :acked,"
            " origin_first = CASE WHEN first > :through THEN coalesce(origin_first, first) ELSE first END,"
            " origin_stream = CASE WHEN first > :through THEN coalesce(origin_stream, stream) ELSE stream END"
            " WHERE lane = :lane AND stream = :old AND first > :acked",
            msgspec.structs.asdict(shift),
        )
        self.connection.execute(
            f"UPDATE record SET checksum = {_CHECKSUM} WHERE lane = ? AND stream = ? AND checksum IS NOT NULL",
            (shift.lane, shift.new),
        )
        self.connection.execute(
            "UPDATE loss SET stream = ?, first = max(first - ?, 1), last = last - ?"
            " WHERE lane = ? AND stream = ? AND last > ?",
            (shift.new, shift.acked, shift.acked, *old),
        )
        self.connection.execute(
            "UPDATE lane SET stream = ?, acked = ?, next = ?, sent = ? WHERE name = ? AND stream = ?",
            (kept.stream, kept.acked, kept.next, kept.sent, shift.lane, shift.old),
        )
        return moved.rowcount

    def kept(self) -> dict[Lane, Kept]:
        """The lanes as the file has them."""
        rows = self.connection.execute("SELECT name, stream, acked, next, sent FROM lane")
        return {Lane(name): Kept(*columns) for name, *columns in rows}

    def _note_crash(self, lane: Lane, kept: Kept) -> None:
        (top,) = self.connection.execute(
            "SELECT coalesce(max(last), 0) FROM record WHERE lane = ? AND stream = ?", (lane, kept.stream)
        ).fetchone()
        known = max(top, kept.acked)
        if kept.next - 1 > known:
            self.note_loss(lane, kept.stream, Loss(known + 1, kept.next - 1, CRASH))

    def _give_up(self, spoilt: Iterable[_Row], want: Want, last: int) -> None:
        """A row that is no longer what was written is none; its number, among those up to `last`, may be wrong too."""
        for rowid, *_ in spoilt:
            logger.error("a record of %s is damaged in the outbox file: a gap is told in its place", want.lane)
            self.connection.execute("DELETE FROM record WHERE rowid = ?", (rowid,))
        self.note_loss(want.lane, want.stream, Loss(want.first, last, DAMAGED))

    def note_loss(self, lane: Lane, stream: str, loss: Loss) -> None:
        """Why these numbers bear no record, to be told when they are asked for."""
        touching = (lane, stream, loss.last + 1, loss.first - 1)
        rows = self.connection.execute(
            "SELECT first, last, why FROM loss WHERE lane = ? AND stream = ? AND first <= ? AND last >= ?", touching
        ).fetchall()
        self.connection.execute("DELETE FROM loss WHERE lane = ? AND stream = ? AND first <= ? AND last >= ?", touching)
        self.connection.executemany(
            "INSERT INTO loss (lane, stream, first, last, why) VALUES (?, ?, ?, ?, ?)",
            [(lane, stream, each.first, each.last, each.why) for each in with_loss((Loss(*row) for row in rows), loss)],
        )

    def note(self, name: str) -> bytes | None:
        """A small thing that outlives the process."""
        row = self.connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_note(self, name: str, value: bytes) -> None:
        self.connection.execute(
            "INSERT INTO note (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def _why(self, want: Want, first: int, last: int) -> str:
        """The reason of most of these numbers."""
        row = self.connection.execute(
            "SELECT why FROM loss WHERE lane = ? AND stream = ? AND first <= ? AND last >= ?"
            " ORDER BY min(last, ?) - max(first, ?) DESC LIMIT 1",
            (want.lane, want.stream, last, first, last, first),
        ).fetchone()
        return str(row[0]) if row else "no longer kept"


def _row(lane: Lane, stream: str, entry: Entry, now_ms: int) -> tuple[object, ...]:
    origin = (entry.origin.stream, entry.origin.first) if entry.origin else (None, None)
    numbers = (entry.first, entry.end, int(entry.gap))
    return (lane, stream, *numbers, entry.raw, *origin, now_ms, checksum(*numbers, entry.raw, *origin))


def _entry(row: _Row) -> Entry:
    _, first, last, gap, raw, origin_stream, origin_first, _ = row
    origin = Origin(stream=origin_stream, first=origin_first) if origin_stream and origin_first else None
    return Entry(first, raw, last=last, origin=origin, gap=bool(gap))


def _is_whole(row: _Row) -> bool:
    """Whether it is what was written; of a row of an older version, without checksum, nobody knows."""
    return row[-1] is None or checksum(*row[1:-1]) == row[-1]


def checksum(first: int, last: int, gap: int, raw: bytes, origin_stream: str | None, origin_first: int | None) -> int:
    """CRC-32 of what a row says of its record."""
    return zlib.crc32(raw, zlib.crc32(f"{first} {last} {gap} {origin_stream} {origin_first}".encode()))
