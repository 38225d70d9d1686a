"""Reads one unit over a link: who it is (S3), what it understands, how it is, what is set in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from drivers.errors import BadAnswer, IdentityChanged, NoAnswer
from drivers.runtime.port import Clock
from drivers.ups import Identity, Settings, Snapshot
from drivers.upslink import abilities as able
from drivers.upslink import decode, plan
from drivers.upslink.abilities import Abilities
from drivers.upslink.characters import CAPABILITIES, QUERIES, Query
from drivers.upslink.options import Options
from drivers.upslink.runtime.link import Link

CODES, LIST = "Vb", "a"
"""What tells which unit it is, and the question for what it understands."""
STATUS = QUERIES["Q"]
SERIAL = QUERIES["n"]
REFUSALS_OF_A_KNOWN = 3
"""A value that was answered before only counts as gone when NA was said so often in a row."""
CLEARINGS_THAT_END = 3
"""A line that has to be cleared more often in one reading is not worth reading on."""
LOOKS = 4
"""Most times that one reading asks for the status because alerts keep coming or it does not settle."""


class Unit:
    def __init__(self, link: Link, options: Options, clock: Clock, pinned: str | None) -> None:
        self.pinned = pinned
        self.identity = Identity()
        self.abilities = able.VERY_OLD
        self._link = link
        self._options = options
        self._clock = clock
        self._image: dict[str, str] = {}
        self._full_at: datetime | None = None
        self._refusals: dict[str, int] = {}
        self._given: set[str] = set()
        self._silences = plan.Silences()

    async def meet(self) -> None:
        """On each connection: what it understands, then who it is."""
        self._refusals.clear()
        self._given.clear()
        self._silences.forget()
        if self.pinned is None:
            self._forget()
        for char in (*CODES, LIST, CAPABILITIES):
            self._image.pop(char, None)
        self.abilities = able.VERY_OLD
        await self._learn()
        await self._learn_values()
        await self.identify()

    async def _learn(self) -> None:
        """What it understands. A unit may refuse all of it when it is met, so this goes on until it has told."""
        if self.abilities is able.VERY_OLD:
            self.abilities = await self._understands()
            asked = self.abilities.characters | frozenset(CODES)
            self._image = {char: reply for char, reply in self._image.items() if char in asked}

    async def _understands(self) -> Abilities:
        """Units with a code of the table are never asked `a`, as NUT has it; old ones without are silent or say
        NA.
        """
        for char in CODES:
            code = await self._if_there(char)
            if code and (known := able.known(code)):
                return known
        told = await self._if_there(LIST)
        if told is None:
            return able.VERY_OLD
        try:
            return able.told(told)
        except ValueError as error:
            raise BadAnswer(self._link.name, f"the reply to 'a': {error}") from None

    async def _learn_values(self) -> None:
        if CAPABILITIES in self.abilities.characters and (reply := await self._if_there(CAPABILITIES)):
            self.abilities = able.with_values(self.abilities, reply, decode.locale(self._image))

    async def _if_there(self, char: str) -> str | None:
        """Asked until this connection's unit has answered. None too if it stays silent, which costs a look whether
        it is there at all, and so is asked more and more seldom.
        """
        if char in self._image or self._silences.hold(char, self._clock.monotonic()):
            return self._image.get(char)
        try:
            return await self._ask(QUERIES[char])
        except NoAnswer:
            self._silences.silent(char, self._clock.monotonic())
            return None

    async def known(self) -> Identity:
        return self.identity

    async def identify(self) -> Identity:
        await self.prove_serial()
        await self._read(plan.inventory(self.abilities))
        self.identity = decode.identity(self._image, self.abilities)
        return self.identity

    async def _complete(self) -> None:
        """What was refused when the unit was met is asked for again; nothing is sent where all was answered."""
        await self._learn()
        if SERIAL.char in self.abilities.characters - self._image.keys():
            await self.prove_serial()
        lacking = [query for query in plan.inventory(self.abilities) if query.char not in self._image]
        await self._read(lacking)
        await self._learn_values()
        self.identity = decode.identity(self._image, self.abilities)

    async def prove_serial(self) -> str | None:
        """Read the serial number again and hold it against the pinned one (S3). Raises IdentityChanged.

        Without a checksum one reading proves no stranger and pins nothing: two must agree.
        """
        found = await self._serial()
        if found == self.pinned:
            return found
        if await self._serial() != found:
            raise BadAnswer(self._link.name, "two readings of the serial number differ")
        if self.pinned is not None:
            raise IdentityChanged(self.pinned, found)
        self.pinned = found
        return found

    async def _serial(self) -> str | None:
        if SERIAL.char not in self.abilities.characters:
            return None
        if await self._ask(SERIAL) is None and self.pinned is not None:
            raise BadAnswer(self._link.name, "NA in the place of its serial number proves nothing")
        return decode.text(self._image, SERIAL.char)

    def accept(self, serial: str) -> None:
        """Nothing of one unit may be shown under another's name."""
        if serial != self.pinned:
            self._forget()
        self.pinned = serial

    def _forget(self) -> None:
        self._image.clear()
        self._full_at = None

    async def fast(self) -> Snapshot:
        await self._status()
        return self._snapshot(self._clock.utc())

    async def full(self) -> Snapshot:
        await self._complete()
        await self._read(plan.full(self.abilities, minmax=self._options.minmax))
        self._full_at = self._clock.utc()
        return self._snapshot(self._full_at)

    async def settings(self) -> Settings:
        await self._complete()
        await self._read(plan.settings(self.abilities))
        return decode.settings(self._image)

    async def setting(self, char: str) -> str | None:
        """One setting as the unit says it; the last thing that was asked, as its edit demands (12.1)."""
        return await self._ask(QUERIES[char])

    async def _read(self, queries: Iterable[Query]) -> None:
        """Into the image. An alert on the way is followed by the status at once (S4)."""
        cleared = self._link.clearings
        for query in queries:
            if self._link.clearings - cleared > CLEARINGS_THAT_END:
                raise BadAnswer(self._link.name, "the line is never clean for long")
            if query is STATUS:
                await self._status()
            else:
                await self._ask(query)
                if self._link.alerts:
                    await self._status()

    async def _status(self) -> None:
        """The status, again while alerts come. One that is news has to be said twice, with what belongs to a
        transfer read in between: a reply out of step would not pass there.
        """
        settled = False
        for _ in range(LOOKS):
            before = self._image.get(STATUS.char)
            found = await self._ask(STATUS)
            if found is None:
                raise BadAnswer(self._link.name, "the unit has no status to give")
            if found != before:
                for query in plan.after_a_transfer(self.abilities):
                    await self._ask(query)
            settled = found == before or await self._ask(STATUS) == found
            if settled and not self._link.alerts:
                return
        if not settled:
            raise BadAnswer(self._link.name, "two readings of the status differ, again and again")

    async def _ask(self, query: Query) -> str | None:
        """A question does no harm, so noise costs a second try and not a reading."""
        try:
            reply = await self._link.ask(query)
        except BadAnswer:
            reply = await self._link.ask(query)
        if reply is None:
            self._refused(query)
        else:
            self._image[query.char] = reply
            self._given.add(query.char)
            self._refusals.pop(query.char, None)
        return reply

    def _refused(self, query: Query) -> None:
        """The value is not there. Raises BadAnswer if it was there before, until that is said often enough."""
        count = self._refusals.get(query.char, 0) + 1
        self._refusals[query.char] = count
        if query.char in self._given and count < REFUSALS_OF_A_KNOWN:
            raise BadAnswer(self._link.name, f"NA to {query.char!r}, which was answered before")
        self._image.pop(query.char, None)

    def _snapshot(self, at: datetime) -> Snapshot:
        return decode.snapshot(
            self._image,
            self.abilities,
            at=at,
            full_at=self._full_at,
            answer_ms=self._link.counters.last_answer_ms,
        )
