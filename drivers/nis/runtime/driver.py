"""The driver of a unit that apcupsd holds, and what the URL scheme nis opens. apcupsd lets its clients read only."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

from drivers import url as urls
from drivers.driver import LineCounters, Pace, Report, Transport
from drivers.errors import BadAnswer, IdentityChanged, NoAnswer, Refused, Stale
from drivers.line import Line
from drivers.nis import decode, frames
from drivers.nis.options import Options, read_options
from drivers.runtime.lifeline import Lifeline
from drivers.runtime.port import Clock, Port, SystemClock
from drivers.runtime.tcp import TcpPort
from drivers.ups import Command, Identity, Outcome, Settings, Snapshot, Verb

REFUSED = "refused: apcupsd is not running, or its NETSERVER and NISIP (apcupsd.conf) do not serve this address"


class _Link:
    """One connection to apcupsd with the unit at its end, as drivers.runtime.lifeline.Connection."""

    def __init__(self, port: Port, options: Options, clock: Clock, pinned: str | None) -> None:
        self.counters = LineCounters()
        self.is_open = False
        self.pinned = pinned
        self._port = port
        self._options = options
        self._clock = clock
        self._keys: decode.Keys | None = None

    async def meet(self) -> None:
        """apcupsd answers, also where it has lost its UPS: that one is met with its first reading."""
        try:
            await self._port.open()
        except Refused as error:
            raise Refused(self._port.name, REFUSED) from error
        self.is_open = True
        self._keys = None
        with contextlib.suppress(Stale):
            await self.read()

    async def close(self) -> None:
        self.is_open = False
        await self._port.close()

    async def read(self) -> decode.Keys:
        """Everything that apcupsd tells of the pinned unit. Raises LineError, IdentityChanged."""
        keys = frames.keys(await self._ask())
        if why := decode.not_live(keys, self._options.max_age_s):
            raise Stale(self._port.name, why)
        found = decode.serial(keys)
        if self.pinned is None:
            self.pinned = found
        elif found != self.pinned:
            raise IdentityChanged(self.pinned, found)
        self._keys = keys
        return keys

    async def known(self) -> decode.Keys:
        """What was told last; asks only where nothing was told on this connection yet."""
        return self._keys or await self.read()

    def accept(self, serial: str) -> None:
        """Nothing of one unit may be shown under another's name."""
        if serial != self.pinned:
            self._keys = None
        self.pinned = serial

    async def _ask(self) -> tuple[str, ...]:
        if await self._port.drain():
            self.counters.discarded += 1
            raise BadAnswer(self._port.name, "bytes that nobody asked for")
        started = self._clock.monotonic()
        self.counters.requests += 1
        await self._port.write(frames.STATUS_REQUEST)
        lines = await self._lines(started)
        self.counters.answers += 1
        self.counters.last_answer_at = self._clock.utc()
        self.counters.last_answer_ms = 1000 * (self._clock.monotonic() - started)
        return lines

    async def _lines(self, started: float) -> tuple[str, ...]:
        reader = frames.Reader()
        while True:
            data = await self._port.read(started + self._options.timeout_s)
            if not data:
                self.counters.timeouts += 1
                raise NoAnswer(self._port.name, self._clock.monotonic() - started, "is this apcupsd?")
            try:
                lines = reader.feed(data)
            except frames.Malformed as error:
                self.counters.discarded += 1
                raise BadAnswer(self._port.name, str(error)) from None
            if lines is not None:
                return lines


class NisDriver:
    """See drivers.driver.Driver. `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        url: str,
        port: Port,
        options: Options,
        *,
        pinned: str | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url = url
        self.transport = Transport.TCP
        self.pace: Pace = options.pace
        self._clock = clock or SystemClock()
        self._link = _Link(port, options, self._clock, pinned)
        line = Line(options.pace.reconnect_s, chance)
        self._lifeline = Lifeline(url, self._link, line, self._clock, self._link.counters, each_alone=True)

    @property
    def counters(self) -> LineCounters:
        return self._link.counters

    @property
    def pinned(self) -> str | None:
        return self._link.pinned

    async def connect(self) -> Identity:
        return decode.identity(await self._lifeline.serve(self._link.known))

    async def identify(self) -> Identity:
        return decode.identity(await self._lifeline.serve(self._link.read))

    async def fast(self) -> Snapshot:
        """There is one request, and it tells all."""
        return await self.full()

    async def full(self) -> Snapshot:
        keys = await self._lifeline.serve(self._link.read)
        return decode.snapshot(keys, at=self._clock.utc(), answer_ms=self._link.counters.last_answer_ms)

    async def settings(self) -> Settings:
        return decode.settings(await self._lifeline.serve(self._link.read))

    async def execute(self, command: Command) -> Report:
        return Report(outcome=Outcome.UNSUPPORTED, detail=f"{command.verb}: apcupsd lets its clients read only")

    def accept(self, serial: str) -> None:
        self._link.accept(serial)
        self._lifeline.accepted()

    async def close(self) -> None:
        await self._lifeline.close()


def open_nis(url: urls.Url, *, pinned: str | None, also_allowed: frozenset[Verb]) -> NisDriver:
    """nis://HOST[:PORT]. Raises BadUrl. No command goes this way, whatever is `also_allowed`."""
    del also_allowed
    options = read_options(url)
    port = TcpPort(options.address, buffer_bytes=2 * frames.ANSWER_LIMIT)
    return NisDriver(url.text, port, options, pinned=pinned)
