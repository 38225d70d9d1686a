"""The outbox file kept within its room: what gateway.quota decides, done one slice a transaction.

Pages that become empty are used again by the next records and not given back to the disk: giving them back would write
each of them once more, and the quota is the room that the file may have. `prepare` shrinks a file that is mostly empty.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gateway import quota
from gateway.entries import Kept
from gateway.quota import Holds, Loss, Report, Size, Step, Thinning
from gateway.store.outbox import OutboxFile
from gateway.wire.codec import decode_body, decode_record
from gateway.wire.errors import WireError
from gateway.wire.messages import Kind, Lane, StatusBody

ACKED_KEPT_MS = 7 * 24 * 3600 * 1000
"""Acknowledged events stay so long, room permitting, so that a cloud restored from backup can ask again (S16)."""

ACKED_KEPT_AT_LEAST = 1000
"""Of them, so many stay whatever the clock says: one that is set forward makes everything look old."""

_THINNING = "outbox.thinning"


class Shed(msgspec.Struct, frozen=True):
    """What one slice did: how many records of `first` to `last` went. `size`: afterwards."""

    step: Step
    records: int
    first: int
    last: int
    size: Size


class Standing(msgspec.Struct, frozen=True):
    """How the file is: its size, and when the oldest record of each lane was made that is not acknowledged, as
    (number, UTC milliseconds)."""

    size: Size
    oldest: dict[Lane, tuple[int, int]]


def size(file: OutboxFile) -> Size:
    pages, free, page_bytes = (
        int(file.connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    name = file.connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    disk = os.statvfs(Path(name).parent) if name else None
    disk_free = disk.f_bavail * disk.f_frsize if disk else quota.DISK_RESERVE_BYTES
    return Size((pages - free) * page_bytes, free * page_bytes, disk_free)


def standing(file: OutboxFile) -> Standing:
    oldest = {}
    for lane, kept in file.kept().items():
        row = file.connection.execute(
            "SELECT first, raw FROM record WHERE lane = ? AND stream = ? AND first > ? AND NOT gap"
            " ORDER BY first LIMIT 1",
            (lane, kept.stream, kept.acked),
        ).fetchone()
        if row and (report := _report(lane, *row)):
            oldest[lane] = (report.number, report.at)
    return Standing(size(file), oldest)


def prune(file: OutboxFile, now_ms: int) -> int:
    """Drop what need not be kept any longer, room or not, at most a slice of each lane; the number of rows dropped."""
    before = file.connection.total_changes
    for lane, kept in file.kept().items():
        done = (lane, kept.stream, kept.acked)
        file.connection.execute("DELETE FROM loss WHERE lane = ? AND (stream <> ? OR last <= ?)", done)
        if lane is Lane.STATUS:
            _delete_some(file, "lane = ? AND (stream <> ? OR last <= ?)", done)
        else:
            oldest = (lane, kept.stream, kept.acked - ACKED_KEPT_AT_LEAST, now_ms - ACKED_KEPT_MS)
            _delete_some(file, "lane = ? AND (stream <> ? OR last <= ?) AND kept_at < ?", oldest)
    return file.connection.total_changes - before


def _delete_some(file: OutboxFile, where: str, values: tuple[object, ...]) -> None:
    file.connection.execute(
        f"DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE {where} LIMIT ?)",
        (*values, quota.SLICE_RECORDS),
    )


def shed(file: OutboxFile, quota_bytes: int, *, begun: bool) -> Shed | None:
    """Give up one slice if there is too much; None once there is not, or nothing is left that may go."""
    before = size(file)
    if not quota.too_much(before, quota_bytes, begun=begun):
        return None
    kept, thinning = file.kept(), _thinning(file)
    step = quota.next_step(before, quota_bytes, _holds(file, kept, thinning))
    if step is None:
        return None
    gone = _give_up(file, step, kept, thinning)
    return Shed(step, len(gone), min(gone, default=0), max(gone, default=0), size(file))


def _give_up(file: OutboxFile, step: Step, kept: dict[Lane, Kept], thinning: Thinning) -> list[int]:
    match step:
        case Step.FORGET_ACKNOWLEDGED:
            return _forget_acknowledged(file, kept[Lane.EVENTS])
        case Step.THIN_STATUS:
            return _thin(file, kept[Lane.STATUS], thinning)
        case Step.DROP_STATUS:
            return _drop_status(file, kept[Lane.STATUS])
        case Step.DROP_EVENTS:
            return _drop_events(file, kept[Lane.EVENTS])


def _holds(file: OutboxFile, kept: dict[Lane, Kept], thinning: Thinning) -> Holds:
    events, status = kept[Lane.EVENTS], kept[Lane.STATUS]
    newest = _newest(file, status)
    return Holds(
        acknowledged=_any(file, "lane = ? AND (stream <> ? OR last <= ?)", (Lane.EVENTS, events.stream, events.acked)),
        thinnable=_own(thinning, status).level(newest) is not None,
        status=newest > 0,
        events=_any(
            file, "lane = ? AND stream = ? AND first > ? AND NOT gap", (Lane.EVENTS, events.stream, events.acked)
        ),
    )


def _any(file: OutboxFile, where: str, values: tuple[object, ...]) -> bool:
    return bool(file.connection.execute(f"SELECT EXISTS (SELECT 1 FROM record WHERE {where})", values).fetchone()[0])


def _newest(file: OutboxFile, status: Kept) -> int:
    """The highest number of an unacknowledged status in the file; 0 if there is none."""
    row = file.connection.execute(
        "SELECT coalesce(max(first), 0) FROM record WHERE lane = ? AND stream = ? AND first > ? AND NOT gap",
        (Lane.STATUS, status.stream, status.acked),
    ).fetchone()
    return int(row[0])


def _forget_acknowledged(file: OutboxFile, events: Kept) -> list[int]:
    rows = file.connection.execute(
        "SELECT rowid FROM record WHERE lane = ? AND (stream <> ? OR last <= ?) ORDER BY rowid LIMIT ?",
        (Lane.EVENTS, events.stream, events.acked, quota.SLICE_RECORDS),
    ).fetchall()
    file.connection.executemany("DELETE FROM record WHERE rowid = ?", rows)
    return [row[0] for row in rows]


def _thin(file: OutboxFile, status: Kept, thinning: Thinning) -> list[int]:
    own = _own(thinning, status)
    level = own.level(_newest(file, status))
    if level is None:
        return []
    reports = _reports(file, status, own.through[level])
    gone = quota.thinned(reports, quota.COARSER_MS[level])
    _delete(file, status, gone, quota.THINNED)
    full_slice = len(reports) >= quota.SLICE_RECORDS
    through = quota.goes_on_behind(reports) if full_slice else reports[-1].number
    file.put_note(_THINNING, msgspec.json.encode(own.gone_on(level, through)))
    return gone


def _drop_status(file: OutboxFile, status: Kept) -> list[int]:
    gone = quota.dropped(_reports(file, status, 0))
    _delete(file, status, gone, quota.QUOTA)
    return gone


def _drop_events(file: OutboxFile, events: Kept) -> list[int]:
    rows = file.connection.execute(
        "SELECT first FROM record WHERE lane = ? AND stream = ? AND first > ? AND NOT gap ORDER BY first LIMIT ?",
        (Lane.EVENTS, events.stream, events.acked, quota.SLICE_RECORDS // 16),
    ).fetchall()
    gone = [row[0] for row in rows]
    file.connection.executemany(
        "DELETE FROM record WHERE lane = ? AND stream = ? AND first = ?",
        [(Lane.EVENTS, events.stream, number) for number in gone],
    )
    file.note_loss(Lane.EVENTS, events.stream, Loss(gone[0], gone[-1], quota.QUOTA))
    return gone


def _delete(file: OutboxFile, status: Kept, gone: list[int], why: str) -> None:
    if not gone:
        return
    file.connection.executemany(
        "DELETE FROM record WHERE lane = ? AND stream = ? AND first = ?",
        [(Lane.STATUS, status.stream, number) for number in gone],
    )
    file.note_loss(Lane.STATUS, status.stream, Loss(min(gone), max(gone), why))


def _reports(file: OutboxFile, status: Kept, behind: int) -> list[Report]:
    """A slice of the unacknowledged status; gap records stay, since they may have been sent."""
    rows = file.connection.execute(
        "SELECT first, raw FROM record WHERE lane = ? AND stream = ? AND first > ? AND NOT gap ORDER BY first LIMIT ?",
        (Lane.STATUS, status.stream, max(status.acked, behind), quota.SLICE_RECORDS),
    )
    return [_report(Lane.STATUS, number, raw) or Report(number, 0, None, False) for number, raw in rows]


def _report(lane: Lane, number: int, raw: bytes) -> Report | None:
    try:
        record = decode_record(raw)
        full = record.kind == Kind.STATUS and decode_body(record, StatusBody).full
    except WireError:
        return None
    chain = record.unit if lane is Lane.STATUS and record.kind == Kind.STATUS else None
    return Report(number, record.stamp.at, chain, full)


def _thinning(file: OutboxFile) -> Thinning:
    raw = file.note(_THINNING)
    try:
        return msgspec.json.decode(raw or b"", type=Thinning)
    except msgspec.MsgspecError:
        return Thinning()


def _own(thinning: Thinning, status: Kept) -> Thinning:
    """What was noted, if it was of this stream."""
    same = thinning.stream == status.stream and len(thinning.through) == len(quota.COARSER_MS)
    return thinning if same else Thinning(stream=status.stream)
