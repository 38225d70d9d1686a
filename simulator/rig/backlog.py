"""A backlog as days without a cloud leave it: made with the gateway's own outbox, before the gateway runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from drivers.ups import CATALOGUE, Snapshot
from gateway.records import record
from gateway.report import due
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.store.prepare import prepare
from gateway.store.writer import Writer
from gateway.wire.codec import encode_record
from gateway.wire.messages import EventBody, Kind, Lane, Record, StatusBody

CHUNK = 1000
PAIR = ("on_battery", "mains_restored")


async def fill(data: Path, unit: str, snapshot: Snapshot, *, status: int, events: int) -> dict[Lane, tuple[str, int]]:
    """So many records of each lane in the folder `data`; by lane, its stream and its last number."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    outbox = Outbox(Writer(prepare(data), loop), clock, loop)
    await outbox.open()
    for first in range(0, status, CHUNK):
        await _status(outbox, _report(clock, unit, snapshot), min(CHUNK, status - first))
    for number in range(events):
        outbox.events(unit, [_event(clock, unit, PAIR[number % 2])])
    await outbox.flushed()
    ends = {lane: (book.stream, book.next - 1) for lane, book in outbox.books.items()}
    await outbox.close()
    return ends


async def _status(outbox: Outbox, told: Record, count: int) -> None:
    """As the outbox saves what nobody acknowledges, only without the wait."""
    book, now_s, raw = outbox.books[Lane.STATUS], asyncio.get_running_loop().time(), encode_record(told)
    entries = tuple(book.append(raw, now_s) for _ in range(count))
    await outbox.writer.submit(lambda file: file.put(Lane.STATUS, book.stream, entries, told.stamp.at))
    book.saved(book.stream, entries)


def _report(clock: SystemClock, unit: str, snapshot: Snapshot) -> Record:
    body, _ = due(None, snapshot, clock.utc(), full=True)
    return record(Kind.STATUS, clock.stamp(), unit, body or StatusBody(full=True))


def _event(clock: SystemClock, unit: str, kind: str) -> Record:
    return record(Kind.EVENT, clock.stamp(), unit, EventBody(type=kind, severity=CATALOGUE[kind].severity))
