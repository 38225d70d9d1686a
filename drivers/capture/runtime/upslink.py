"""Records an UPS-Link unit: every character that only asks and that it understands, then its status."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.capture.model import Alert, Reply, Said
from drivers.capture.runtime.tap import Tap
from drivers.driver import Pace
from drivers.errors import BadAnswer, NoAnswer
from drivers.runtime.port import Clock, ListeningPort
from drivers.upslink import abilities, plan
from drivers.upslink.characters import ENTER, NOT_AVAILABLE, QUERIES, SMART, Query
from drivers.upslink.options import Options
from drivers.upslink.runtime.link import Link

CODES = "Vb"
PROTOCOL = "a"


class UpsLinkRecorder:
    """See drivers.capture.runtime.record.Recorder."""

    unit: int | None = None

    def __init__(self, port: ListeningPort, options: Options, clock: Clock) -> None:
        self.pace: Pace = options.pace
        self._tap = Tap(port)
        self._link = Link(self._tap, options, clock)
        self._abilities = abilities.VERY_OLD

    async def open(self) -> None:
        await self._link.open()

    async def everything(self) -> list[Said]:
        """Not the highest and lowest input voltage: the unit forgets them once they are read (ups-link.md 5.1)."""
        said: list[Said] = [Reply(ENTER, SMART), *await self._ask_all(CODES)]
        known = [code for each in said if isinstance(each, Reply) and (code := self._known(each))]
        if known:
            self._abilities = known[0]
        else:
            said += await self._ask_all(PROTOCOL)
            self._abilities = self._told(said)
        rest = set(QUERIES) - set(plan.EXTREMES) - set(CODES + PROTOCOL)
        return said + await self._ask_all(char for char in QUERIES if char in self._abilities.characters & rest)

    async def full(self) -> list[Said]:
        return await self._ask_all(query.char for query in plan.full(self._abilities, minmax=False))

    async def state(self) -> list[Said]:
        return await self._ask_all("Q")

    async def close(self) -> None:
        await self._link.close()

    @staticmethod
    def _known(reply: Reply) -> abilities.Abilities | None:
        return abilities.known(reply.said) if reply.said and reply.asked in CODES else None

    @staticmethod
    def _told(said: list[Said]) -> abilities.Abilities:
        """By the reply to `a`; one that can't be read leaves what every unit understands."""
        for each in said:
            if isinstance(each, Reply) and each.asked == PROTOCOL and each.said:
                try:
                    return abilities.told(each.said)
                except ValueError:
                    break
        return abilities.VERY_OLD

    async def _ask_all(self, characters: Iterable[str]) -> list[Said]:
        said: list[Said] = []
        for char in characters:
            query = QUERIES[char]
            reply = Reply(char, await self._answer(query))
            said += [*map(Alert, self._tap.alerts(keeps=query.keeps)), reply]
        return said

    async def _answer(self, query: Query) -> str | None:
        """What does not have the form of a reply is kept as it came: that is what a bug report is for."""
        self._tap.heard.clear()
        try:
            reply = await self._link.ask(query)
        except NoAnswer:
            return None
        except BadAnswer:
            return self._tap.text()
        return NOT_AVAILABLE if reply is None else reply
