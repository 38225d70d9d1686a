"""Reads one unit through upsd: who it is (S3), how it is, what is set in it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime

from drivers.errors import BadAnswer, IdentityChanged, Stale
from drivers.nut import decode, identity
from drivers.nut.protocol import Request, getting, listing
from drivers.nut.runtime.link import Link
from drivers.runtime.port import Clock
from drivers.ups import Identity, Settings, Snapshot

STATUS = "ups.status"


class Unit:
    """`name` is the unit's in upsd."""

    def __init__(self, link: Link, name: str, clock: Clock, pinned: str | None) -> None:
        self.pinned = pinned
        self.identity: Identity | None = None
        self._link = link
        self._name = name
        self._clock = clock
        self._variables: dict[str, str] = {}
        self._full_at: datetime | None = None

    @property
    def variables(self) -> Mapping[str, str]:
        """What upsd said last."""
        return self._variables

    async def meet(self) -> None:
        """On each connection. A unit whose data are stale is met with its first reading: upsd does answer."""
        self._forget()
        with contextlib.suppress(Stale):
            await self._read()

    async def known(self) -> Identity:
        return self.identity or await self.identify()

    async def identify(self) -> Identity:
        await self._read()
        assert self.identity is not None
        return self.identity

    async def fast(self) -> Snapshot:
        """The status alone, once everything was read."""
        if self._full_at is None:
            return await self.full()
        try:
            (row,) = (await self._link.ask(getting(self._name, STATUS))).rows
        except Stale:
            self._forget()
            raise
        self._variables[STATUS] = row[0]
        self._check_live()
        return self._snapshot(self._clock.utc())

    async def full(self) -> Snapshot:
        await self._read()
        self._full_at = self._clock.utc()
        return self._snapshot(self._full_at)

    async def settings(self) -> Settings:
        await self._read()
        return identity.settings(self._variables)

    async def prove_serial(self) -> str | None:
        """Read the serial number again and hold it against the pinned one (S3). Raises IdentityChanged."""
        await self._read()
        return identity.serial(self._variables)

    async def rows(self, kind: str, *more: str) -> tuple[tuple[str, ...], ...]:
        """LIST RW, CMD or ENUM of this unit."""
        return (await self._link.ask(listing(kind, self._name, *more))).rows

    async def value(self, variable: str) -> str:
        (row,) = (await self._link.ask(getting(self._name, variable))).rows
        return row[0]

    async def _read(self) -> None:
        """Every variable, and with them the serial number."""
        request = listing("VAR", self._name)
        try:
            rows = (await self._link.ask(request)).rows
        except Stale:
            self._forget()
            raise
        self._variables = _paired(self._link.name, request, rows)
        self._check_live()
        found = identity.serial(self._variables)
        if self.pinned is None:
            self.pinned = found
        elif found != self.pinned:
            self._forget()
            raise IdentityChanged(self.pinned, found)
        self.identity = identity.identity(self._variables)

    def _check_live(self) -> None:
        if why := decode.not_live(self._variables):
            self._forget()
            raise Stale(self._link.name, why)

    def accept(self, serial: str) -> None:
        if serial != self.pinned:
            self._forget()
        self.pinned = serial

    def _forget(self) -> None:
        """Nothing of one unit may be shown under another's name, and nothing old as new."""
        self.identity = None
        self._variables = {}
        self._full_at = None

    def _snapshot(self, at: datetime) -> Snapshot:
        return decode.snapshot(
            self._variables, at=at, full_at=self._full_at, answer_ms=self._link.counters.last_answer_ms
        )


def _paired(port: str, request: Request, rows: tuple[tuple[str, ...], ...]) -> dict[str, str]:
    """Variable to value. Raises BadAnswer."""
    if any(len(row) != 2 for row in rows):
        raise BadAnswer(port, f"a row of {request.shown} is no variable with its value")
    return {row[0]: row[1] for row in rows}
