"""Reads one unit over a link: who it is (S3), how it is, what is set in it."""

from __future__ import annotations

import itertools
from datetime import datetime

from drivers.driver import Transport
from drivers.errors import BadAnswer, IdentityChanged, NoAnswer, UnitException
from drivers.modbus import decode
from drivers.modbus.frames import Read
from drivers.modbus.options import Options
from drivers.modbus.plan import ALL_SETTINGS, Refusals, halves
from drivers.modbus.runtime.link import Link
from drivers.runtime.port import Clock
from drivers.smartups.registers import (
    DYNAMIC,
    FAST_STATUS,
    INVENTORY,
    PRODUCT_ID,
    SERIAL,
    STATUS,
    Block,
    register,
    rows_in,
)
from drivers.ups import Identity, Settings, Snapshot

LONGER_FAST_STATUS = Block(0, 5)
"""Takes turns with registers 0 to 2 on a serial line: a repeated or late answer to the last fast reading
never fits the next one.
"""
INVENTORY_ROWS = (*rows_in(PRODUCT_ID), *rows_in(INVENTORY))
INVENTORY_ADDRESSES = frozenset(at for row in INVENTORY_ROWS for at in range(row.address, row.end))
REASK_S = 60.0
"""How long a block is read in parts: a unit may have refused everything when it was met."""


class Unit:
    def __init__(self, link: Link, options: Options, clock: Clock, pinned: str | None) -> None:
        self.pinned = pinned
        self.identity = Identity()
        self._link = link
        self._options = options
        self._clock = clock
        self._image: dict[int, int] = {}
        self._full_at: datetime | None = None
        self._refusals = Refusals()
        self._granted: set[int] = set()
        self._reask_at = 0.0
        serial_line = options.transport is Transport.SERIAL
        self._fast_blocks = itertools.cycle((FAST_STATUS, LONGER_FAST_STATUS) if serial_line else (STATUS,))

    @property
    def image(self) -> decode.Image:
        """What was read so far, address to word."""
        return self._image

    async def meet(self) -> None:
        """On each connection: word order by the constants, then who it is."""
        self._refusals.forget()
        await self._proof()
        await self.identify()

    async def _proof(self) -> None:
        """A second try, since the first exchange on a line often meets what was there before."""
        try:
            await self._link.verify()
        except (NoAnswer, BadAnswer):
            await self._link.verify()

    async def known(self) -> Identity:
        return self.identity

    async def identify(self) -> Identity:
        try:
            await self._read(INVENTORY)
        except UnitException:
            await self.prove_serial()  # a stranger may lack what the pinned unit has, and is to be told as one
            raise
        if SERIAL.address not in self._image:  # refused, which is not the same as blank
            await self._read(SERIAL)
        await self._read_if_there(PRODUCT_ID)
        if not self._image.get(register("relay_config").address):
            await self._read(STATUS)
        identity = decode.identity(self._image)
        await self._check_serial(identity.serial)
        if (identity.serial, identity.firmware) != (self.identity.serial, self.identity.firmware):
            self._granted &= INVENTORY_ADDRESSES  # of others it is not known yet what this one has
        self.identity = identity
        return identity

    async def _complete(self) -> None:
        """The rows of the inventory that were refused when the unit was met, until they are answered."""
        lacking = [row for row in INVENTORY_ROWS if row.address not in self._image]
        if not lacking or self._options.one_request_per_connection:
            return
        for row in lacking:
            await self._read_if_there(Block(row.address, row.words))
        self.identity = decode.identity(self._image)

    async def prove_serial(self) -> str | None:
        """Read the serial number again and hold it against the pinned one (S3). Raises IdentityChanged."""
        serial = await self._serial()
        await self._check_serial(serial)
        return serial

    async def _serial(self) -> str | None:
        words = await self._link.transact(Read(SERIAL.address, SERIAL.count))
        return decode.text(register("serial"), self._mapped(SERIAL, words))

    async def _check_serial(self, found: str | None) -> None:
        """TCP has no check sum, so one reading proves no stranger and pins nothing: two must agree."""
        if found == self.pinned:
            return
        if await self._serial() != found:
            raise BadAnswer(self._link.name, "two readings of the serial number differ")
        if self.pinned is not None:
            raise IdentityChanged(self.pinned, found)
        self.pinned = found

    def accept(self, serial: str) -> None:
        if serial != self.pinned:
            self._forget()
        self.pinned = serial

    def _forget(self) -> None:
        """Nothing of one unit may be shown under another's name."""
        self._image.clear()
        self._granted.clear()
        self._full_at = None

    async def fast(self) -> Snapshot:
        await self._read(next(self._fast_blocks))
        return self._snapshot(self._clock.utc())

    async def full(self) -> Snapshot:
        if self._options.one_request_per_connection:
            await self.prove_serial()
        if self._clock.monotonic() >= self._reask_at:
            self._refusals.forget()
            self._reask_at = self._clock.monotonic() + REASK_S
        await self._read(STATUS)
        await self._read(DYNAMIC)
        await self._complete()
        self._full_at = self._clock.utc()
        return self._snapshot(self._full_at)

    async def settings(self) -> Settings:
        await self._read(ALL_SETTINGS)
        await self._complete()
        return decode.settings(self._image)

    def _snapshot(self, at: datetime) -> Snapshot:
        """Raises BadAnswer for a status word that can't be one: its states exclude each other (7.1)."""
        if decode.state(self._image) is None:
            raise BadAnswer(self._link.name, "the status shows no state, or more than one")
        return decode.snapshot(
            self._image,
            at=at,
            full_at=self._full_at,
            answer_ms=self._link.counters.last_answer_ms,
            nmc=self._options.nmc,
        )

    async def _read(self, block: Block) -> None:
        """Into the image: in one request, or in parts where the unit refuses the whole. Raises UnitException
        if it refuses the first row too, which every unit has, or a row that it has answered before: then it
        refuses for now, and nothing is learnt from that.
        """
        learnt = self._refusals.copy()
        try:
            await self._read_parts(block, needed=True)
        except UnitException:
            self._refusals = learnt
            raise

    async def _read_if_there(self, block: Block) -> None:
        """Where each request has its price, a row that was refused for good is not asked for again."""
        if not self._options.one_request_per_connection or halves(block) or not self._refusals.believed(block):
            await self._read_parts(block, needed=False)

    async def _read_parts(self, block: Block, *, needed: bool) -> None:
        parts = halves(block)
        if not (parts and self._refusals.believed(block)):
            try:
                self._image.update(self._mapped(block, await self._ask(block)))
            except UnitException:
                self._refusals.refused(block)
                if not parts:
                    self._drop(block)
                    if needed or block.address in self._granted:
                        raise
                    return
            else:
                self._refusals.answered(block)
                self._granted.update(range(block.address, block.end))
                return
        await self._read_parts(parts[0], needed=needed)
        for part in parts[1:]:
            await self._read_if_there(part)

    async def _ask(self, block: Block) -> tuple[int, ...]:
        """A read does no harm, so noise costs a second try and not a reading."""
        try:
            return await self._link.transact(Read(block.address, block.count))
        except BadAnswer:
            return await self._link.transact(Read(block.address, block.count))

    def _drop(self, block: Block) -> None:
        for address in range(block.address, block.end):
            self._image.pop(address, None)

    @staticmethod
    def _mapped(block: Block, words: tuple[int, ...]) -> dict[int, int]:
        return dict(zip(range(block.address, block.end), words, strict=True))
