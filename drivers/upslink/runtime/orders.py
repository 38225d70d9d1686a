"""Carries out one command: prove who is there, send it once, look what it did (S1, S2, S3)."""

from __future__ import annotations

from drivers.driver import Report
from drivers.errors import BadAnswer, LineError, NotAllowed
from drivers.runtime.port import Clock
from drivers.ups import Command, Outcome
from drivers.upslink import commands, verdict
from drivers.upslink.allowed import TEXTS
from drivers.upslink.commands import Change
from drivers.upslink.runtime.link import Link
from drivers.upslink.runtime.unit import Unit
from drivers.upslink.writes import Write

WRITE_GAP_S = 0.5
SERIAL_AGE_S = 2.0
"""Oldest proof of identity that a command may go out on (S3)."""
SETTLE_S = 0.3
LOST_ANSWER_S = 1.0
"""Wait after a command without an answer, and before a second look at an effect that did not show at once."""
LOOKS_S = (SETTLE_S, LOST_ANSWER_S, 3.0)
"""After the command: a relay or a test takes its time."""


class Orders:
    def __init__(self, link: Link, unit: Unit, clock: Clock) -> None:
        self._link = link
        self._unit = unit
        self._clock = clock
        self._written_at = float("-inf")
        self._proven_until = float("-inf")

    async def execute(self, command: Command) -> Report:
        """Raises LineError or IdentityChanged only if nothing was sent."""
        abilities = self._unit.abilities
        try:
            commands.check(command)
            if why := commands.lacking(command, abilities):
                return Report(outcome=Outcome.UNSUPPORTED, detail=why)
            if command.verb in commands.SETTINGS:
                return await self._set(command, commands.change(command, abilities))
            return await self._command(command)
        except NotAllowed as error:
            return Report(outcome=Outcome.REFUSED, detail=str(error))

    async def _command(self, command: Command) -> Report:
        before = await self._unit.full()
        testing, calibrating = verdict.is_testing(before), verdict.is_calibrating(before)
        if why := commands.hindrance(command, before.state, testing=testing, calibrating=calibrating):
            return Report(outcome=Outcome.REFUSED, detail=why)
        write = commands.write(command, before.state, self._unit.abilities)
        if wrong := await self._another_unit(command):
            return wrong
        said = None
        try:
            said = await self._send_once(write)
        except LineError as error:
            if not self._link.sent:
                raise
            if isinstance(error, BadAnswer) and not self._link.complete:
                return Report(outcome=Outcome.NOT_TAKEN, detail=f"{error}; {await self._seen()}")
        report = Report(outcome=Outcome.UNKNOWN, detail="")
        for wait_s in LOOKS_S if said in verdict.TAKEN else LOOKS_S[1:]:
            await self._clock.wait_until(self._written_at + wait_s)
            try:
                report = verdict.judge(command, before, await self._unit.full(), said)
            except LineError as error:
                report = verdict.unread(command, said, str(error))
            if report.outcome in (Outcome.DONE, Outcome.REFUSED):
                break
        return report

    async def _seen(self) -> str:
        try:
            return f"the unit is {(await self._unit.fast()).state or 'in no known state'}"
        except LineError as error:
            return f"the status could not be read: {error}"

    async def _set(self, command: Command, change: Change) -> Report:
        """Towards the value, a step at a time and never further than once round; written only where it differs."""
        rounds = 1 if change.setting in TEXTS else len(self._unit.abilities.values[change.setting])
        seen: list[str] = []
        said: str | None = None
        for _ in range(rounds):
            if wrong := await self._another_unit(command):
                return wrong
            found = await self._unit.setting(change.setting)
            if found is None:
                return Report(outcome=Outcome.REFUSED, detail="the unit does not say what it is now")
            if found.strip() == change.wanted.strip():
                detail = "read back as written" if seen else "it is so already; nothing was written"
                return Report(outcome=Outcome.DONE, detail=detail)
            if found in seen[:1] and found != seen[-1]:
                break  # once round
            seen.append(found)
            said = await self._edit(change)
            if said not in verdict.TAKEN:
                break
        return verdict.judge_setting(change.wanted, await self._read_back(change), said)

    async def _edit(self, change: Change) -> str | None:
        """None for silence, and for a step whose answer was lost: what it reads then decides."""
        try:
            return await self._send_once(commands.edit(change.setting, change.wanted))
        except LineError:
            if not self._link.sent:
                raise
            return None

    async def _read_back(self, change: Change) -> str | None:
        await self._clock.wait_until(self._written_at + LOST_ANSWER_S)
        try:
            return await self._unit.setting(change.setting)
        except LineError:
            return None

    async def _another_unit(self, command: Command) -> Report | None:
        """Raises IdentityChanged if another unit than the pinned one answers."""
        await self._clock.wait_until(self._written_at + WRITE_GAP_S)
        serial = await self._unit.prove_serial()
        if serial is None or serial != command.serial:
            detail = f"the command is for {command.serial}, this unit is {serial or 'without a serial number'}"
            return Report(outcome=Outcome.REFUSED, detail=detail)
        self._proven_until = self._clock.monotonic() + SERIAL_AGE_S
        return None

    async def _send_once(self, write: Write) -> str | None:
        if self._clock.monotonic() > self._proven_until:
            raise BadAnswer(self._link.name, "the proof of the serial number is too old; nothing was written")
        self._proven_until = float("-inf")
        try:
            return await self._link.perform(write)
        finally:
            self._written_at = self._clock.monotonic()
