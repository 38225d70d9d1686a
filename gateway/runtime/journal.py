"""Every step of a command, written down: its row, its audit line and its record for the cloud, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import msgspec

from drivers.ups import Outcome, Verb
from gateway import audit
from gateway.audit import Act, Head, Line
from gateway.errors import NotKept
from gateway.records import record
from gateway.runtime.outbox import Outbox
from gateway.store.commands import CommandsFile, Kept
from gateway.store.outbox import OutboxFile
from gateway.wire.messages import Kind, Stamp
from gateway.wire.orders import CommandBody, Order, Stage

logger = logging.getLogger("gateway.commands")

PINS, POLICY = "audit-pins", "audit-policy"
"""Notes of what the audit log said last of the units' serial numbers and of the policy."""


class Stamps(Protocol):
    """The clock, as far as commands need it."""

    def stamp(self) -> Stamp: ...


class _Found(msgspec.Struct, frozen=True):
    """What the file has when the gateway starts."""

    head: Head
    unfinished: tuple[Order, ...]
    calibrations: dict[str, int]
    pins: bytes | None
    policy: bytes | None


class Journal:
    """The only writer of the audit log while the gateway runs. Lines are written in the order they are made in, since
    the outbox keeps the order of what it owes the disk. `calibrations`: when each serial number's last one began."""

    def __init__(self, outbox: Outbox, stamps: Stamps) -> None:
        self.head = Head()
        self.calibrations: dict[str, int] = {}
        self._outbox = outbox
        self._stamps = stamps
        self._pins: dict[str, str] = {}
        self._policy = ""

    async def open(self) -> tuple[Order, ...]:
        """Go on where the file ends; the orders that were accepted and never finished. Raises NotKept."""
        found = await self._outbox.writer.submit(_read)
        self.head, self.calibrations = found.head, found.calibrations
        self._pins = msgspec.json.decode(found.pins or b"{}", type=dict[str, str])
        self._policy = (found.policy or b"").decode()
        return found.unfinished

    async def stage(self, order: str) -> Stage | None:
        """How far an order came, as the disk has it. Raises NotKept."""
        return await self._outbox.writer.submit(lambda file: CommandsFile(file.connection).stage(order), reads=True)

    async def is_kept(self, order: str) -> bool:
        """Whether the last step of this order is on the disk; asked behind it, this is answered after its commit."""
        try:
            return await self.stage(order) is not None
        except NotKept:
            return False

    def step(self, order: Order, unit: str, body: CommandBody) -> None:
        """Write down what became of an order. `unit`: as this gateway knows it, empty if it does not."""
        stamp = self._stamps.stamp()
        line = self._line(audit.of_command(stamp, unit, body))
        kept = Kept(order=order, stage=body.stage, at=stamp.at, outcome=body.outcome)
        if order.verb is Verb.CALIBRATION and body.outcome in (Outcome.DONE, Outcome.UNKNOWN):
            self.calibrations[order.serial] = stamp.at

        def write(file: OutboxFile) -> None:
            CommandsFile(file.connection).put(kept)
            CommandsFile(file.connection).append(line)

        told = msgspec.structs.replace(body, audit=line.digest)
        # Not under the unit's name: that would withdraw what its poller wants remembered.
        self._outbox.events("", [record(Kind.COMMAND, stamp, unit, told)], also=write)
        level = logging.WARNING if body.stage is Stage.REFUSED else logging.INFO
        said = ": ".join(filter(None, (body.stage.value, body.reason, body.detail)))
        logger.log(level, "%s: %s %s", unit or "no unit", body.verb, said.removeprefix("accepted: "))

    def act(self, what: str, *, unit: str = "", serial: str = "", reason: str = "", detail: str = "") -> None:
        """A line about something that was done here, or that was not an order."""
        self._write(self._act(what, unit, serial, reason, detail), {})

    def pinned(self, unit: str, serial: str) -> None:
        """A line when another serial number than the last one answers under a unit's name."""
        before = self._pins.get(unit)
        if before == serial:
            return
        self._pins[unit] = serial
        detail = f"instead of {before}" if before else "first contact"
        line = self._act("unit", unit, serial, "accepted" if before else "pinned", detail)
        self._write(line, {PINS: msgspec.json.encode(self._pins)})

    def policy(self, digest: str) -> None:
        """A line when the policy is another than the last one."""
        if digest != self._policy:
            self._policy = digest
            self._write(self._act("policy", "", "", "changed", digest), {POLICY: digest.encode()})

    def _act(self, what: str, unit: str, serial: str, reason: str, detail: str) -> Line:
        stamp = self._stamps.stamp()
        act = Act(at=stamp.at, clock=stamp.clock, what=what, unit=unit, serial=serial, reason=reason, detail=detail)
        return self._line(act)

    def _line(self, act: Act) -> Line:
        line = audit.appended(self.head, act)
        self.head = audit.after(line)
        return line

    def _write(self, line: Line, notes: Mapping[str, bytes]) -> None:
        def write(file: OutboxFile) -> None:
            CommandsFile(file.connection).append(line)
            for name, value in notes.items():
                CommandsFile(file.connection).put_note(name, value)

        self._outbox.events("", (), also=write)


def _read(file: OutboxFile) -> _Found:
    kept = CommandsFile(file.connection)
    return _Found(kept.head(), kept.unfinished(), kept.calibrations(), kept.note(PINS), kept.note(POLICY))
