"""The emergency route at work: looks at the outbox now and then, and has a process of its own send what is due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec

from drivers.ups import clean_text
from gateway import emergency, emergency_text
from gateway.emergency import Heard, Memory
from gateway.emergency_text import Errand, Message, Outcome, Sender
from gateway.errors import NotKept
from gateway.outbox import LaneBook
from gateway.runtime.child import ask, program
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.settings import EmergencySettings, GatewaySettings
from gateway.store.emergency import READ_AT_ONCE, events_after, moved_by
from gateway.store.outbox import OutboxFile
from gateway.wire.messages import Lane

logger = logging.getLogger("gateway.emergency")

T = TypeVar("T")

LOOK_S = 2.0
PROCESS = "gateway.runtime.send"
PROCESS_S = 90.0
"""A process that takes longer hangs: a route has 75 s (gateway.runtime.send), and both are taken at once."""
TROUBLE_CHARS = 200
NOTE = "emergency"
"""The note of what was told, in the outbox file."""


class Emergency:
    """`trouble`: says why the cloud is not reached, as far as that is known. The outbox has to be open."""

    def __init__(
        self, settings: GatewaySettings, outbox: Outbox, clock: SystemClock, trouble: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._trouble = trouble
        self._memory: Memory | None = None
        self._failures = 0
        self._retry_at_s = 0.0
        self._told = ""

    def use(self, settings: GatewaySettings) -> None:
        """Go on by these settings, and try again at once what could not be sent by the old ones."""
        if settings.emergency != self._settings.emergency:
            self._failures, self._retry_at_s, self._told = 0, 0.0, ""
        self._settings = settings

    async def run(self) -> None:
        """For ever; does nothing as long as the settings name no route."""
        while True:
            if (settings := self._settings.emergency) is not None:
                await self.look(settings)
            await asyncio.sleep(LOOK_S)

    async def look(self, settings: EmergencySettings) -> None:
        """Once: read what is new, send what is due."""
        book = self._outbox.books[Lane.EVENTS]
        if book.moving:
            return
        memory = await self._read(book, settings, await self._remembered(book))
        if book.stream != memory.stream:
            return  # numbers have changed meanwhile: what was read is read again
        self._memory = memory = emergency.acknowledged(memory, book.acked)
        now_s = self._now_s()
        if now_s >= self._retry_at_s and (due := emergency.due(memory, settings, now_s, self._clock.stamp())):
            await self._tell(due, memory, settings)

    async def _remembered(self, book: LaneBook) -> Memory:
        """What is known of the stream that the events are in now."""
        stream, last, memory = book.stream, book.next - 1, self._memory
        if memory is None:
            memory = emergency.resumed(await self._asked(_kept), self._now_s())
        if memory.stream != stream:
            by = await self._asked(partial(moved_by, new=stream, old=memory.stream))
            memory = emergency.renumbered(memory, stream, by)
        return memory if self._memory is not None else emergency.within(memory, last)

    async def _read(self, book: LaneBook, settings: EmergencySettings, memory: Memory) -> Memory:
        """With every event up to the newest: from the disk and, while that takes nothing, from memory."""
        stream, last, unsaved = book.stream, book.next - 1, book.unsaved()
        memory = msgspec.structs.replace(memory, through=max(memory.through, book.acked))
        while (after := memory.through) < last:
            rows = await self._asked(partial(events_after, stream=stream, number=after)) or ()
            upto = min(rows[-1].end, last) if len(rows) == READ_AT_ONCE else last
            found = {entry.first: entry for entry in (*unsaved, *rows) if entry.first <= upto}
            entries = (found[number] for number in sorted(found))
            memory = emergency.took(memory, entries, settings, self._now_s())
            memory = msgspec.structs.replace(memory, through=max(memory.through, upto))
        return memory

    async def _asked(self, job: Callable[[OutboxFile], T]) -> T | None:
        """None while the disk fails: a card that has become read-only keeps no alarm back."""
        try:
            return await self._outbox.writer.submit(job, reads=True)
        except NotKept as error:
            logger.debug("the outbox can't be read now: %s", error)
            return None

    async def _tell(self, due: tuple[Heard, ...], memory: Memory, settings: EmergencySettings) -> None:
        stamp = self._clock.stamp()
        sender = Sender(
            gateway=self._settings.gateway, stream=memory.stream, trouble=clean_text(self._trouble(), TROUBLE_CHARS)
        )
        message = emergency_text.message(due, sender, settings, stamp, memory.overlooked)
        outcome = await performed(errand(settings, message, self._clock.is_right()))
        if outcome.taken:
            self._succeeded(len(due), outcome)
            self._remember(emergency.told(memory, due, stamp))
        else:
            self._failed(outcome)
            if outcome.unclear:
                self._remember(emergency.tried(memory, stamp))

    def _remember(self, memory: Memory) -> None:
        """Soon on the disk; when that takes nothing now, the writer tries again."""
        self._memory = memory
        self._outbox.writer.later(NOTE, lambda file: file.put_note(NOTE, emergency.encode(memory)), within_s=0.0)

    def _succeeded(self, count: int, outcome: Outcome) -> None:
        self._failures, self._retry_at_s, self._told = 0, 0.0, outcome.trouble
        logger.warning("told by the emergency route, since the cloud has not confirmed it; events: %d", count)
        if outcome.trouble:
            logger.warning("a part of the emergency route fails: %s", outcome.trouble)

    def _failed(self, outcome: Outcome) -> None:
        self._failures += 1
        wait_s = emergency.retry_s(self._failures)
        self._retry_at_s = self._now_s() + wait_s
        level = logging.DEBUG if outcome.trouble == self._told else logging.ERROR
        self._told = outcome.trouble
        logger.log(level, "the emergency route fails: %s; tried again in %g s", outcome.trouble, wait_s)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def errand(settings: EmergencySettings, message: Message, clock_is_right: bool) -> Errand:
    return Errand(message=message, mail=settings.mail, ntfy=settings.ntfy, clock_is_right=clock_is_right)


async def performed(what: Errand) -> Outcome:
    """What the process says; one that fails or hangs is a trouble like another."""
    try:
        said = await ask(program(PROCESS), msgspec.json.encode(what, enc_hook=str), PROCESS_S)
        return msgspec.json.decode(said.output, type=Outcome)
    except TimeoutError:
        return Outcome(taken=False, trouble=f"its process had not ended after {PROCESS_S:g} s", unclear=True)
    except msgspec.MsgspecError:
        return Outcome(taken=False, trouble="its process failed", unclear=True)
    except OSError as error:
        return Outcome(taken=False, trouble=f"its process can't be started: {error.strerror}")


def _kept(file: OutboxFile) -> bytes | None:
    return file.note(NOTE)
