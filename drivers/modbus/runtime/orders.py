"""Carries out one command: prove who is there, write once, look what it did (S1, S2, S3)."""

from __future__ import annotations

from drivers import verdict
from drivers.driver import Report
from drivers.errors import BadAnswer, LineError, NotAllowed, UnitException
from drivers.modbus import commands
from drivers.modbus.frames import Read, Write
from drivers.modbus.options import Options
from drivers.modbus.runtime.link import Link
from drivers.modbus.runtime.unit import Unit
from drivers.runtime.port import Clock
from drivers.ups import Command, Outcome, Snapshot, Verb

WRITE_GAP_S = 0.5
"""Under 0.2 s between writes can reset a unit's control processor (apc-modbus.md 5.2)."""
SERIAL_AGE_S = 2.0
"""Oldest proof of identity that a command may go out on (S3)."""
SETTLE_S = 0.2
"""A value is readable some 100 ms after its write."""
LOST_ANSWER_S = 1.0
"""Wait after a write without an answer, and before a second look at an effect that did not show at once."""

MAYBE_LATER = 4
NEVER_HERE = frozenset({1, 2, MAYBE_LATER})
"""Exceptions to a command that say this unit does not have it: remembered, never tried in another form (S2).
4 also means "not now", so it counts only where the unit's state does not explain it (apc-modbus.md 5.2, 8.4).
"""


class Orders:
    def __init__(self, link: Link, unit: Unit, options: Options, clock: Clock, also_allowed: frozenset[Verb]) -> None:
        self._link = link
        self._unit = unit
        self._options = options
        self._clock = clock
        self._also_allowed = also_allowed
        self._unsupported: dict[tuple[str | None, str | None, Verb], str] = {}
        self._written_at = float("-inf")
        self._proven_until = float("-inf")

    async def execute(self, command: Command) -> Report:
        """Raises LineError or IdentityChanged only if nothing was written."""
        if command.verb in commands.WITHOUT_REGISTER:
            return Report(outcome=Outcome.UNSUPPORTED, detail=f"{command.verb}: no register does that")
        try:
            write = self._planned(command)
        except NotAllowed as error:
            return Report(outcome=Outcome.REFUSED, detail=str(error))
        if known := self._unsupported.get(self._key(command.verb)):
            return Report(outcome=Outcome.UNSUPPORTED, detail=f"{known}; not tried again on this firmware")
        if command.verb in commands.SETTINGS:
            return await self._set(command, write)
        return await self._command(command, write)

    def _planned(self, command: Command) -> Write:
        if self._options.one_request_per_connection:
            raise NotAllowed(
                "over one_request_per_connection the serial number can't be proven within 2 s of a command"
            )
        groups = tuple(index for index, _ in self._unit.identity.outlet_groups)
        return commands.plan(command, groups, self._options.transport, self._also_allowed)

    def _key(self, verb: Verb) -> tuple[str | None, str | None, Verb]:
        identity = self._unit.identity
        return identity.sku or identity.model, identity.firmware, verb

    async def _command(self, command: Command, write: Write) -> Report:
        before = await self._unit.full()
        if wrong := await self._another_unit(command):
            return wrong
        try:
            await self._write_once(write)
        except UnitException as error:
            return self._refused(command, before, error)
        except LineError:
            if not self._link.sent:
                raise
            return await self._look(command, before, answered=False)
        return await self._look(command, before, answered=True)

    async def _set(self, command: Command, write: Write) -> Report:
        if wrong := await self._another_unit(command):
            return wrong
        wait_s = SETTLE_S
        try:
            await self._write_once(write)
        except UnitException as error:
            return self._refused_setting(command, error)
        except LineError:
            if not self._link.sent:
                raise
            wait_s = LOST_ANSWER_S
        await self._after_write(wait_s)
        return verdict.judge_setting(write.words, await self._read_back(write))

    async def _another_unit(self, command: Command) -> Report | None:
        """Raises IdentityChanged if another unit than the pinned one answers."""
        await self._clock.wait_until(self._written_at + WRITE_GAP_S)
        serial = await self._unit.prove_serial()
        if serial is None or serial != command.serial:
            detail = f"the command is for {command.serial}, this unit is {serial or 'without a serial number'}"
            return Report(outcome=Outcome.REFUSED, detail=detail)
        self._proven_until = self._clock.monotonic() + SERIAL_AGE_S
        return None

    async def _write_once(self, write: Write) -> None:
        if self._clock.monotonic() > self._proven_until:
            raise BadAnswer(self._link.name, "the proof of the serial number is too old; nothing was written")
        self._proven_until = float("-inf")
        try:
            await self._link.transact(write)
        finally:
            self._written_at = self._clock.monotonic()

    async def _after_write(self, wait_s: float) -> None:
        await self._clock.wait_until(self._written_at + wait_s)

    async def _look(self, command: Command, before: Snapshot, *, answered: bool) -> Report:
        """Once after the settling time, and again if the effect does not show yet."""
        report: Report | None = None
        for wait_s in (SETTLE_S, LOST_ANSWER_S) if answered else (LOST_ANSWER_S,):
            await self._after_write(wait_s)
            try:
                report = verdict.judge(command, before, await self._unit.full(), answered=answered)
            except LineError as error:
                report = Report(outcome=Outcome.UNKNOWN, detail=f"sent once; its effect could not be read: {error}")
            if report.outcome in (Outcome.DONE, Outcome.REFUSED):
                break
        assert report is not None
        return report

    async def _read_back(self, write: Write) -> tuple[int, ...] | None:
        try:
            return await self._link.transact(Read(write.address, len(write.words)))
        except LineError:
            return None

    def _refused(self, command: Command, before: Snapshot, error: UnitException) -> Report:
        if error.code == MAYBE_LATER and (why := verdict.hindrance(command, before)):
            return Report(outcome=Outcome.REFUSED, detail=f"{error}: {why}")
        if error.code in NEVER_HERE:
            return self._never_here(command.verb, error)
        return Report(outcome=Outcome.REFUSED, detail=str(error))

    def _refused_setting(self, command: Command, error: UnitException) -> Report:
        """Exception 4 to a setting means a value out of range (apc-modbus.md 5.2)."""
        if error.code in NEVER_HERE - {MAYBE_LATER}:
            return self._never_here(command.verb, error)
        return Report(outcome=Outcome.REFUSED, detail=str(error))

    def _never_here(self, verb: Verb, error: UnitException) -> Report:
        detail = f"{error}; this model does not have it, or its menu allows reading only"
        self._unsupported[self._key(verb)] = detail
        return Report(outcome=Outcome.UNSUPPORTED, detail=detail)
