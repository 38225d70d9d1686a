"""The outbox file: what is read from and written to it. Every method runs inside a transaction of the
writer's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from gateway.entries import Entry, Kept, Loaded, Shift, Want, explained, gap_entry
from gateway.wire.messages import Lane, Origin, Stamp

LOADED_AT_ONCE = 512
"""Records read from the file for the sender: two batches."""

ACKED_KEPT_MS = 7 * 24 * 3600 * 1000
"""Acknowledged events stay so long, so that a cloud restored from backup can ask again (S16)."""

ACKED_AT_MOST = 100_000
"""Acknowledged events that are kept at most: at half a KiB each, 50 MB."""

STATUS_AT_MOST = 100_000
"""Status records that wait at most; beyond them the oldest are dropped, and a gap record says so."""

_RECORD = "first, raw, last, origin_stream, origin_first, gap"


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
        lanes = self._kept()
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
            "INSERT OR REPLACE INTO record (lane, stream, first, last, gap, raw, origin_stream, origin_first, kept_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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

        found = [_entry(row) for row in rows]
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
        self.connection.execute("DELETE FROM record WHERE lane = ? AND stream = ? AND first > ? AND gap", old)
        moved = self.connection.execute(
            "UPDATE record SET stream = ?, origin_stream = stream, origin_first = first,"
            " first = first - ?, last = last - ? WHERE lane = ? AND stream = ? AND first > ?",
            (shift.new, shift.acked, shift.acked, *old),
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

    def prune(self, now_ms: int) -> int:
        """Drop what need not be kept any longer; the number of rows dropped."""
        before = self.connection.total_changes
        for lane, kept in self._kept().items():
            self._prune_acked(lane, kept, now_ms)
        self._drop_oldest_status(self._kept()[Lane.STATUS])
        return self.connection.total_changes - before

    def _kept(self) -> dict[Lane, Kept]:
        rows = self.connection.execute("SELECT name, stream, acked, next, sent FROM lane")
        return {Lane(name): Kept(*columns) for name, *columns in rows}

    def _prune_acked(self, lane: Lane, kept: Kept, now_ms: int) -> None:
        done = "lane = ? AND (stream <> ? OR last <= ?)"
        old_ms = now_ms - ACKED_KEPT_MS if lane is Lane.EVENTS else now_ms + 1
        at_most = ACKED_AT_MOST if lane is Lane.EVENTS else 0
        self.connection.execute(
            f"DELETE FROM record WHERE {done} AND kept_at < ?", (lane, kept.stream, kept.acked, old_ms)
        )
        self.connection.execute(
            f"DELETE FROM record WHERE {done} AND rowid NOT IN"
            f" (SELECT rowid FROM record WHERE {done} ORDER BY kept_at DESC, first DESC LIMIT ?)",
            (lane, kept.stream, kept.acked, lane, kept.stream, kept.acked, at_most),
        )
        self.connection.execute(f"DELETE FROM loss WHERE {done}", (lane, kept.stream, kept.acked))

    def _drop_oldest_status(self, kept: Kept) -> None:
        mine = (Lane.STATUS, kept.stream, kept.acked)
        row = self.connection.execute(
            "SELECT first FROM record WHERE lane = ? AND stream = ? AND first > ? ORDER BY first DESC LIMIT 1 OFFSET ?",
            (*mine, STATUS_AT_MOST),
        ).fetchone()
        if row is None:
            return
        self.connection.execute(
            "DELETE FROM record WHERE lane = ? AND stream = ? AND first BETWEEN ? AND ?", (*mine, row[0])
        )
        self._note_loss(Lane.STATUS, kept.stream, kept.acked + 1, row[0], "quota")

    def _note_crash(self, lane: Lane, kept: Kept) -> None:
        (top,) = self.connection.execute(
            "SELECT coalesce(max(last), 0) FROM record WHERE lane = ? AND stream = ?", (lane, kept.stream)
        ).fetchone()
        known = max(top, kept.acked)
        if kept.next - 1 > known:
            self._note_loss(lane, kept.stream, known + 1, kept.next - 1, "crash")

    def _note_loss(self, lane: Lane, stream: str, first: int, last: int, why: str) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO loss (lane, stream, first, last, why) VALUES (?, ?, ?, ?, ?)",
            (lane, stream, first, last, why),
        )

    def _why(self, want: Want, first: int, last: int) -> str:
        row = self.connection.execute(
            "SELECT why FROM loss WHERE lane = ? AND stream = ? AND first <= ? AND last >= ? ORDER BY first LIMIT 1",
            (want.lane, want.stream, last, first),
        ).fetchone()
        return str(row[0]) if row else "no longer kept"


def _row(lane: Lane, stream: str, entry: Entry, now_ms: int) -> tuple[object, ...]:
    origin = (entry.origin.stream, entry.origin.first) if entry.origin else (None, None)
    return (lane, stream, entry.first, entry.end, int(entry.gap), entry.raw, *origin, now_ms)


def _entry(row: tuple[int, bytes, int, str | None, int | None, int]) -> Entry:
    first, raw, last, origin_stream, origin_first, gap = row
    origin = Origin(stream=origin_stream, first=origin_first) if origin_stream and origin_first else None
    return Entry(first, raw, last=last, origin=origin, gap=bool(gap))
