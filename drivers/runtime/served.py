"""A driver of three parts: the link it owns, the unit at its end, and the orders it gives (drivers.driver.Driver)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from drivers.driver import LineCounters, Pace, Report, Transport
from drivers.line import Line
from drivers.runtime.lifeline import Lifeline
from drivers.runtime.port import Clock
from drivers.ups import Command, Identity, Settings, Snapshot


class Link(Protocol):
    """Owns the port."""

    counters: LineCounters

    @property
    def is_open(self) -> bool: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Unit(Protocol):
    """Reads the unit over the link."""

    pinned: str | None

    async def meet(self) -> None:
        """On each connection: prove the line, learn who answers. Raises LineError, IdentityChanged."""
        ...

    async def known(self) -> Identity:
        """Who was met; asks only if it has to."""
        ...

    async def identify(self) -> Identity: ...

    async def fast(self) -> Snapshot: ...

    async def full(self) -> Snapshot: ...

    async def settings(self) -> Settings: ...

    def accept(self, serial: str) -> None: ...


class Orders(Protocol):
    """Tells the unit what to do."""

    async def execute(self, command: Command) -> Report: ...


class _Met:
    """The link with the unit at its end, as drivers.runtime.lifeline.Connection."""

    def __init__(self, link: Link, unit: Unit) -> None:
        self._link = link
        self._unit = unit

    @property
    def is_open(self) -> bool:
        return self._link.is_open

    async def meet(self) -> None:
        await self._link.open()
        await self._unit.meet()

    async def close(self) -> None:
        await self._link.close()


class Served:
    """See drivers.driver.Driver. `chance` gives numbers from 0 to 1; `each_alone`: see Lifeline."""

    def __init__(
        self,
        url: str,
        transport: Transport,
        pace: Pace,
        parts: tuple[Link, Unit, Orders],
        *,
        clock: Clock,
        chance: Callable[[], float],
        each_alone: bool = False,
    ) -> None:
        self.url = url
        self.transport = transport
        self.pace = pace
        link, self._unit, self._orders = parts
        self.counters = link.counters
        line = Line(pace.reconnect_s, chance)
        self.lifeline = Lifeline(url, _Met(link, self._unit), line, clock, link.counters, each_alone=each_alone)

    @property
    def pinned(self) -> str | None:
        return self._unit.pinned

    async def connect(self) -> Identity:
        return await self.lifeline.serve(self._unit.known)

    async def fast(self) -> Snapshot:
        return await self.lifeline.serve(self._unit.fast)

    async def full(self) -> Snapshot:
        return await self.lifeline.serve(self._unit.full)

    async def identify(self) -> Identity:
        return await self.lifeline.serve(self._unit.identify)

    async def settings(self) -> Settings:
        return await self.lifeline.serve(self._unit.settings)

    async def execute(self, command: Command) -> Report:
        return await self.lifeline.serve(lambda: self._orders.execute(command))

    def accept(self, serial: str) -> None:
        self._unit.accept(serial)
        self.lifeline.accepted()

    async def close(self) -> None:
        await self.lifeline.close()
