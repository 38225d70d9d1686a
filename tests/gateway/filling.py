"""A gateway's outbox at work, as a program that faults are put to: `python -m tests.gateway.filling FAULT NUMBER FILE`.

It prints each event's number once `Outbox` has had it written, and ends by itself if the fault lets it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.actions import Move
from gateway.errors import NotKept
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.store.outbox import OutboxFile
from gateway.store.writer import Writer
from gateway.wire.messages import Kind, Lane, Record

EVENTS = 12
MOVES_AFTER = 6
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def event(number: int, clock: SystemClock) -> Record:
    body = msgspec.Raw(msgspec.json.encode({"id": number, "padding": "x" * 500}))
    return Record(kind=Kind.EVENT.value, stamp=clock.stamp(), unit="rack-1", body=body)


async def work(path: Path, prepare: Callable[[OutboxFile], None], lift: Callable[[], None]) -> None:
    """Events with their unit's state, each in a commit; in between the stream changes (S16)."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    outbox = Outbox(Writer(path, loop), clock, loop)
    await outbox.open()
    await outbox.writer.submit(prepare, reads=True)
    late: Move | None = None
    for number in range(1, EVENTS + 1):
        outbox.events("rack-1", [event(number, clock)], b"%d" % number)
        await outbox.flushed()
        if outbox.books[Lane.EVENTS].unsaved() == ():
            say(str(number))
        if number == MOVES_AFTER:
            late = await change_stream(outbox)
    lift()
    if late is not None:
        await moved(outbox, late)
    outbox.events("rack-1", [event(EVENTS + 1, clock)], b"%d" % (EVENTS + 1))
    await outbox.flushed()
    await outbox.close()
    say("done")


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def change_stream(outbox: Outbox) -> Move | None:
    """What is still to be done of it, if the disk did not take it."""
    book = outbox.books[Lane.EVENTS]
    entries = book.unsaved()
    move = Move(entries, book.renew("f" * 16, 99), book.kept(online=True))
    try:
        await moved(outbox, move)
    except NotKept:
        return move
    return None


async def moved(outbox: Outbox, move: Move) -> None:
    await outbox.writer.submit(lambda file: file.move(move.entries, move.shift, move.kept, 0))
    outbox.books[Lane.EVENTS].moved(move.shift)
    outbox.moved()


class Kill:
    """kill -9 before the commit of this number, or between it and whatever comes next."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.number, self.after, self.commits = number, after, 0

    def watch(self, file: OutboxFile) -> None:
        file.connection.set_trace_callback(self.statement)

    def statement(self, sql: str) -> None:
        if self.commits == self.number and self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        if sql == "COMMIT":
            self.commits += 1
            if self.commits == self.number and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)


def limit_files_to(path: Path, more_bytes: int) -> None:
    """No file grows beyond what the journal is now and so many bytes."""
    wal = Path(f"{path}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal + more_bytes, resource.RLIM_INFINITY))


def nothing() -> None:
    """No fault that could be lifted."""


def main(fault: str, number: int, path: Path) -> None:
    logging.basicConfig(level=logging.INFO)
    match fault:
        case "before" | "after":
            asyncio.run(work(path, Kill(number, after=fault == "after").watch, nothing))
        case "killed-in-write":
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            asyncio.run(work(path, lambda _: limit_files_to(path, number), nothing))
        case "full":
            asyncio.run(
                work(
                    path,
                    lambda _: limit_files_to(path, number),
                    lambda: resource.setrlimit(resource.RLIMIT_FSIZE, UNLIMITED),
                )
            )
        case "full-disk":
            filler = path.with_name("filler")
            asyncio.run(work(path, lambda _: fill_disk(filler, number), filler.unlink))


def fill_disk(filler: Path, leave_bytes: int) -> None:
    """Whatever is free but so much is taken; for a small file system of the test's own only."""
    room = os.statvfs(filler.parent)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - leave_bytes))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
