"""One link that owns the line: a question goes out, its reply or a declared error comes back, within a time limit.

Calls must not overlap; the driver sees to that. Rules: ups-link.md sections 4 and 19.
"""

from __future__ import annotations

import asyncio

from drivers.driver import LineCounters
from drivers.errors import BadAnswer, NoAnswer
from drivers.runtime.port import Clock, ListeningPort
from drivers.upslink.allowed import permit, permit_question
from drivers.upslink.characters import ENTER, NOT_AVAILABLE, SMART, Query
from drivers.upslink.dialogue import Dialogue
from drivers.upslink.options import Options
from drivers.upslink.writes import TEXT_LENGTH, Answer, Hush, Rotate, Send, Text, Write, steps

HELLO_S = 1.5
"""Patience for SM when the line is opened (NUT 1.5 s, apcupsd 1 s)."""
HELLOS = 5
"""Tries to enter smart mode when the line is opened, as both programs have it."""
TYPING_S = 0.3
"""Patience for SM while the unit may still take each `Y` for a letter of a text that was broken off (12.2)."""
SETTLE_S = 1.0
"""After a fault, and after a repeated `Y`, what comes for so long is thrown away: a late second SM is no answer."""
NOT_READY_LIMIT = 5
"""Times a status that is "not ready" is asked for again."""
STRAY_READS = 16
"""Most portions of unasked bytes taken in a row; a line that brings more is left for the next look."""
HINT = (
    "cable (940-0024C), device, or a unit that speaks no UPS-Link: SMT, SMX and newer speak Modbus, "
    "or UPS-Link by a legacy communications card only"
)


class Link:
    def __init__(self, port: ListeningPort, options: Options, clock: Clock) -> None:
        self.counters = LineCounters()
        self.is_open = False
        self.sent = self.complete = False
        self.clearings = 0
        self._port = port
        self._options = options
        self._clock = clock
        self._dialogue = Dialogue()
        self._doubtful = False
        self._last_asked = ""
        self._typing = False

    @property
    def name(self) -> str:
        return self._port.name

    @property
    def alerts(self) -> str:
        """Alert characters that no question for the status has followed yet."""
        return self._dialogue.alerts

    async def open(self) -> None:
        """Raises NoAnswer if nothing at the other end enters smart mode."""
        await self._port.open()
        self.is_open = True
        self._dialogue = Dialogue()
        await self._enter(HELLOS, HELLO_S)

    async def close(self) -> None:
        self.is_open = False
        await self._port.close()

    async def heard(self) -> None:
        """Come back once something has come in, or the line is lost."""
        await self._port.wait()

    async def listen(self) -> None:
        """Between two questions: note alerts; anything else puts the line in doubt."""
        await asyncio.sleep(0)  # one turn of the loop, so that what the kernel holds already is seen
        self._dialogue.rest()
        for _ in range(STRAY_READS):
            if not (data := await self._port.read(self._clock.monotonic())):
                return
            if self._dialogue.feed(data):
                self.counters.discarded += 1
                self._doubtful = True

    async def ask(self, query: Query) -> str | None:
        """The reply, of the query's form; None if the unit has none to give. Raises NoAnswer, BadAnswer, PortLost."""
        permit_question(query.char)
        for _ in range(NOT_READY_LIMIT):
            await self._clear()
            if query.char == "Q":
                self._dialogue.seen()
            reply = await self._question(query)
            if reply != SMART:
                return reply
            self._doubtful = True  # not ready, or a late answer to `Y`
        raise NoAnswer(self.name, SETTLE_S * NOT_READY_LIMIT, "the unit says SM to Q: not ready")

    async def perform(self, write: Write) -> str | None:
        """What the unit says to a command, None for silence. Sent once, whatever happens (S1): `sent` tells
        afterwards if any of it left us, `complete` if all did.

        Raises BadAnswer with nothing sent if the line is in doubt, or if the unit spoke where it has to be
        silent: what was begun is then stopped by `Y`, so nothing is carried out (7.3).
        """
        permit(write, self._last_asked)
        self.sent = self.complete = False
        await self.listen()
        if self._doubtful:
            raise BadAnswer(self.name, "the line is not clean; nothing was written")
        self._doubtful, self._typing = True, isinstance(write, Text)
        self._dialogue.ask(lone="" if isinstance(write, Rotate | Text) else "*")
        for step in steps(write):
            match step:
                case Send(char):
                    await self._send(char)
                    self.sent = True
                case Hush(seconds, strict):
                    await self._hush(seconds, strict)
                case Answer():
                    self.complete = True
                    return await self._word()
        raise AssertionError("every command ends with an answer")

    async def _clear(self) -> None:
        await self.listen()
        if self._doubtful:
            await self._recover()

    async def _recover(self) -> None:
        """Nothing counts until the unit has said SM, which it says after all it was asked before (19.3)."""
        self.clearings += 1
        await self._enter(1, self._options.timeout_s)
        await self._settle()
        self._doubtful = False

    async def _enter(self, tries: int, patience_s: float) -> None:
        """A text that was broken off is ended by `Y`, as many as its letters: of all that could be typed there, it
        alone does nothing to a unit that waits for no letter any more.
        """
        letters = TEXT_LENGTH if self._typing else 0
        for hello, wait_s in enumerate([TYPING_S] * letters + [patience_s] * tries):
            await self.listen()
            if await self._said_smart(wait_s):
                if hello:
                    await self._settle()
                self._doubtful = self._typing = False
                return
        self.counters.timeouts += 1
        raise NoAnswer(self.name, patience_s * tries, "" if self.counters.answers else HINT)

    async def _said_smart(self, patience_s: float) -> bool:
        """`Y`; lines before SM are what is left of something else."""
        self._doubtful = True
        self._dialogue.ask()
        await self._send(ENTER)
        deadline = self._clock.monotonic() + patience_s
        while data := await self._port.read(deadline):
            for octet in data:
                self._dialogue.feed(bytes([octet]))
                if self._dialogue.reply == SMART:
                    return True
                if self._dialogue.reply is not None or self._dialogue.odd:
                    self.counters.discarded += 1
                    self._dialogue.ask()
        return False

    async def _settle(self) -> None:
        self._dialogue.rest()
        deadline = self._clock.monotonic() + SETTLE_S
        while data := await self._port.read(deadline):
            self._dialogue.feed(data)

    async def _question(self, query: Query) -> str | None:
        started = self._clock.monotonic()
        self._doubtful = True
        self._dialogue.ask(query.keeps)
        await self._send(query.char)
        self._last_asked = query.char
        reply = await self._line(started + query.patience * self._options.timeout_s)
        if reply is None:
            self.counters.timeouts += 1
            hint = "the answer broke off" if self._dialogue.begun else f"no answer to {query.char!r}"
            raise NoAnswer(self.name, self._clock.monotonic() - started, hint)
        if reply == NOT_AVAILABLE:
            self.counters.exceptions += 1
        elif not query.fits(reply):
            self._misfit(f"{reply[:32]!r} is no {query.meaning} ({query.char!r})")
        self._doubtful = False
        self._answered(started)
        return None if reply == NOT_AVAILABLE else reply

    def _misfit(self, why: str) -> None:
        self.counters.discarded += 1
        raise BadAnswer(self.name, why)

    def _answered(self, started: float) -> None:
        self.counters.answers += 1
        self.counters.last_answer_at = self._clock.utc()
        self.counters.last_answer_ms = 1000 * (self._clock.monotonic() - started)

    async def _send(self, char: str) -> None:
        self.counters.requests += 1
        self._last_asked = ""
        await self._port.write(char.encode("latin-1"))

    async def _line(self, deadline: float) -> str | None:
        """The one line that is due. Raises BadAnswer if more than that comes with it."""
        while self._dialogue.reply is None:
            data = await self._port.read(deadline)
            if not data:
                return None
            self._dialogue.feed(data)
            if self._dialogue.odd:
                self._misfit(self._dialogue.odd)
        return self._dialogue.reply

    async def _hush(self, seconds: float, strict: bool) -> None:
        deadline = self._clock.monotonic() + seconds
        while data := await self._port.read(deadline):
            if self._dialogue.feed(data) or self._dialogue.begun or self._dialogue.reply or strict:
                said = data[:16].decode("latin-1")
                raise BadAnswer(self.name, f"the unit says {said!r} where it has to be silent; broken off")

    async def _word(self) -> str | None:
        """A command's answer: any line counts as what it says."""
        started = self._clock.monotonic()
        word = await self._line(started + self._options.timeout_s)
        if word is not None:
            self._doubtful = self._typing = False
            self._answered(started)
        return word
