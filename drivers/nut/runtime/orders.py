"""Carries out one command: prove who is there, tell upsd once, look what it did (S1, S2, S3)."""

from __future__ import annotations

import msgspec

from drivers import verdict
from drivers.driver import Report
from drivers.errors import LineError, NotAllowed, PeerError, Stale
from drivers.nut import allowed, commands
from drivers.nut.options import Options
from drivers.nut.protocol import Request, bare, saying
from drivers.nut.runtime.link import Link
from drivers.nut.runtime.unit import Unit
from drivers.runtime.port import Clock
from drivers.ups import Command, Outcome, Snapshot, State, Verb

WRITE_GAP_S = 0.5
"""Least time between two writes (S1)."""
SERIAL_AGE_S = 2.0
"""Oldest proof of identity that a command may go out on (S3)."""
TRACKING_S = (0.2, 0.5, 1.0, 2.0, 4.0)
"""When upsd is asked what became of a request, in seconds after it."""
LOOKS_S = (1.0, 2.5, 5.0)
"""When the status is looked at after a command: drivers ask a unit every 1 to 5 s, and some values far less often."""

NEVER_HERE = frozenset({"CMD-NOT-SUPPORTED", "VAR-NOT-SUPPORTED", "READONLY", "UNKNOWN-INSTCMD", "VAR-UNKNOWN"})
"""Answers that say this unit does not have it: remembered, never tried in another form (S2)."""
NOT_DONE = frozenset({"UNKNOWN", "INVALID-ARGUMENT"})
"""What GET TRACKING says of a request that the driver did not pass to the unit."""


class Told(msgspec.Struct, frozen=True):
    """What upsd said of a request. `taken`: the driver has done it, or it can't be known better."""

    taken: bool
    detail: str


class Orders:
    def __init__(self, link: Link, unit: Unit, options: Options, clock: Clock, also_allowed: frozenset[Verb]) -> None:
        self._link = link
        self._unit = unit
        self._options = options
        self._clock = clock
        self._also_allowed = also_allowed
        self._unsupported: dict[tuple[str | None, str | None, str], str] = {}
        self._written_at = float("-inf")
        self._proven_until = float("-inf")

    async def execute(self, command: Command) -> Report:
        """Raises LineError or IdentityChanged only if nothing was told to the unit."""
        try:
            plan = self._planned(command)
        except NotAllowed as error:
            return Report(outcome=Outcome.REFUSED, detail=str(error))
        if plan is None:
            return Report(outcome=Outcome.UNSUPPORTED, detail=f"{command.verb}: NUT has no command for it")
        if self._options.user is None:
            detail = "upsd takes commands from its users only: the URL needs user= and password_file="
            return Report(outcome=Outcome.REFUSED, detail=detail)
        known = {row[0] for row in await self._unit.rows("RW" if plan.is_setting else "CMD")}
        name = next((name for name in plan.names if name in known), None)
        if name is None:
            detail = f"{command.verb}: upsd lists no {' or '.join(plan.names)} for this unit"
            return Report(outcome=Outcome.UNSUPPORTED, detail=detail)
        if told := self._unsupported.get(self._key(name)):
            return Report(outcome=Outcome.UNSUPPORTED, detail=f"{told}; not tried again on this firmware")
        try:
            return await (self._set(command, name) if plan.is_setting else self._command(command, name))
        except NotAllowed as error:
            return Report(outcome=Outcome.REFUSED, detail=str(error))

    def _planned(self, command: Command) -> commands.Plan | None:
        identity = self._unit.identity
        groups = tuple(index for index, _ in identity.outlet_groups) if identity else ()
        return commands.plan(command, groups, self._also_allowed)

    def _key(self, name: str) -> tuple[str | None, str | None, str]:
        identity = self._unit.identity
        return (identity.model, identity.firmware, name) if identity else (None, None, name)

    async def _command(self, command: Command, name: str) -> Report:
        request = allowed.command_request(self._options.name, name, self._also_allowed)
        before = await self._unit.full()
        if wrong := await self._another_unit(command):
            return wrong
        told = await self._tell_once(name, request)
        return told if isinstance(told, Report) else await self._look(command, before, told)

    async def _set(self, command: Command, variable: str) -> Report:
        choices = [row[0] for row in await self._unit.rows("ENUM", variable)]
        value = commands.value(command, await self._unit.value(variable), choices)
        request = allowed.setting_request(self._options.name, variable, value)
        if wrong := await self._another_unit(command):
            return wrong
        told = await self._tell_once(variable, request)
        return told if isinstance(told, Report) else await self._read_back(variable, value, told)

    async def _another_unit(self, command: Command) -> Report | None:
        """A unit without a serial number is told nothing: no proof is possible that it is the one that is meant.
        Raises IdentityChanged.
        """
        await self._clock.wait_until(self._written_at + WRITE_GAP_S)
        asked_s = self._clock.monotonic()
        serial = await self._unit.prove_serial()
        if serial is None or serial != command.serial:
            detail = f"the command is for {command.serial}, this unit is {serial or 'without a serial number'}"
            return Report(outcome=Outcome.REFUSED, detail=detail)
        self._proven_until = asked_s + SERIAL_AGE_S
        return None

    async def _tell_once(self, name: str, request: Request) -> Told | Report:
        """Send it, once; a Report if upsd or the driver says no."""
        if self._clock.monotonic() > self._proven_until:
            return Report(outcome=Outcome.REFUSED, detail="the proof of the serial number is too old; nothing was sent")
        self._proven_until = float("-inf")
        try:
            (row,) = (await self._link.ask(request)).rows
        except Stale:
            raise
        except PeerError as error:
            return self._refusal(name, error)
        except LineError as error:
            if not self._link.sent:
                raise
            return Told(taken=False, detail=f"no answer: {error}")
        finally:
            self._written_at = self._clock.monotonic()
        return await self._tracked(name, row)

    def _refusal(self, name: str, error: PeerError) -> Report:
        if error.token not in NEVER_HERE:
            return Report(outcome=Outcome.REFUSED, detail=str(error))
        self._unsupported[self._key(name)] = str(error)
        return Report(outcome=Outcome.UNSUPPORTED, detail=str(error))

    async def _tracked(self, name: str, row: tuple[str, ...]) -> Told | Report:
        """`OK TRACKING id`: upsd knows later what the driver made of it; a mere OK says that the driver was told."""
        if row[:2] != ("OK", "TRACKING") or len(row) != 3:
            return Told(taken=row[0] == "OK", detail="its driver was told")
        for wait_s in TRACKING_S:
            await self._clock.wait_until(self._written_at + wait_s)
            try:
                ((said, *_),) = (await self._link.ask(saying("GET", "TRACKING", bare(row[2])))).rows
            except PeerError as error:
                return self._not_done(name, error)
            except (LineError, ValueError) as error:
                return Told(taken=False, detail=f"what became of it could not be read: {error}")
            if said == "SUCCESS":
                return Told(taken=True, detail="its driver reports success")
        return Told(taken=False, detail=f"its driver has reported nothing within {TRACKING_S[-1]:g} s")

    def _not_done(self, name: str, error: PeerError) -> Told | Report:
        if error.token not in NOT_DONE:
            return Told(taken=False, detail=f"its driver reports {error.token}")
        detail = f"its driver does not know {name} ({error.token})"
        self._unsupported[self._key(name)] = detail
        return Report(outcome=Outcome.UNSUPPORTED, detail=detail)

    async def _look(self, command: Command, before: Snapshot, told: Told) -> Report:
        """Until the effect shows, or the looks are used up."""
        report = Report(outcome=Outcome.UNKNOWN, detail=told.detail)
        for wait_s in LOOKS_S:
            await self._clock.wait_until(self._written_at + wait_s)
            try:
                after = await self._unit.full()
            except LineError as error:
                return Report(outcome=Outcome.UNKNOWN, detail=f"{told.detail}; its effect could not be read: {error}")
            if _went_to_battery(command, before, after):
                return Report(outcome=Outcome.DONE, detail=f"{told.detail}; the unit is {after.state}")
            found = verdict.judge(command, before, after, answered=told.taken)
            report = Report(outcome=found.outcome, detail=f"{told.detail}; {found.detail}")
            if found.outcome in (Outcome.DONE, Outcome.REFUSED):
                break
        return report

    async def _read_back(self, variable: str, value: str, told: Told) -> Report:
        found = ""
        for wait_s in LOOKS_S:
            await self._clock.wait_until(self._written_at + wait_s)
            try:
                found = await self._unit.value(variable)
            except LineError as error:
                return Report(outcome=Outcome.UNKNOWN, detail=f"{told.detail}; it could not be read back: {error}")
            if commands.reads_as(value, found):
                return Report(outcome=Outcome.DONE, detail=f"{told.detail}; read back as {found}")
        outcome = Outcome.NOT_TAKEN if told.taken else Outcome.UNKNOWN
        return Report(outcome=outcome, detail=f"{told.detail}; it still reads {found!r}")


def _went_to_battery(command: Command, before: Snapshot, after: Snapshot) -> bool:
    """What a test looks like where a driver reads the unit's result too seldom."""
    tests = (Verb.SELF_TEST, Verb.CALIBRATION, Verb.SIMULATE_POWER_FAILURE)
    return command.verb in tests and before.state is State.ONLINE and after.state is State.ON_BATTERY
