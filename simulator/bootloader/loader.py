"""The boot loader of one unit: bytes of its serial line and the time in, bytes for the line out. No port, no clock.

While it has the unit nothing else of it answers on any line. It is entered by the profile's command; it erases the
application when it has taken the header of an image that fits, and from then on has to have the whole image: an upload
that broke off begins again at block 1, whatever happened between, power cuts too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from simulator.bootloader import upgrading
from simulator.bootloader.faults import Faults, Kind
from simulator.bootloader.hardware import firmware_text, running, sayable
from simulator.bootloader.profile import command_of, entered, refused
from simulator.bootloader.reasons import Reason
from simulator.bootloader.receiver import Receiver, Verdict
from simulator.bootloader.settings import LoaderSettings
from simulator.bootloader.upload import Running, Upload
from simulator.history import Kind as Change
from simulator.unit import Unit


class Phase(StrEnum):
    """APPLICATION: not in the boot loader. WAITING: says C. ERASING: from the header to its ACK. RECEIVING.

    REBOOTING: on the way to the application. UNPOWERED: neither mains nor battery.
    """

    APPLICATION = "application"
    WAITING = "waiting"
    ERASING = "erasing"
    RECEIVING = "receiving"
    REBOOTING = "rebooting"
    UNPOWERED = "unpowered"


_LISTENING = frozenset({Phase.WAITING, Phase.ERASING, Phase.RECEIVING})


class Loader:
    """`now` is monotonic seconds; the unit's physics have to have been brought up to the instant by the caller.

    `line` names the serial line on which it was entered; `intact` says whether the application could be booted.
    `refused` is why the last command to enter was not obeyed, `reason` how the last transfer ended, None if well.
    """

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.settings = LoaderSettings()
        self.faults = Faults()
        self.phase = Phase.APPLICATION
        self.line: str | None = None
        self.intact = True
        self.refused: Reason | None = None
        self.reason: Reason | None = None
        self._next = unit.owner.firmware
        self._due_at = self._idle_at = 0.0
        self._begin(0.0)

    @property
    def silent(self) -> bool:
        """Whether the application answers nobody."""
        return self.phase is not Phase.APPLICATION

    def enter(self, line: str, text: bytes, now: float) -> bytes:
        """Obey a command that came on that line, if nothing speaks against it."""
        command = command_of(text)
        self.refused = Reason.GRAMMAR if command is None else upgrading.refusal(self._unit, command)
        if self.refused is not None or command is None:
            return refused(self.refused or Reason.GRAMMAR)
        self._unit.begin_upgrade(command.output)
        self.line, self.reason = line, None
        self._next = self._unit.owner.firmware
        self._wait(now + self.settings.start_ms / 1000)
        return entered(self.settings.baud)

    def receive(self, line: str, data: bytes, now: float) -> bytes:
        """The answer to these bytes."""
        self._follow_power(now)
        if line != self.line or self.phase not in _LISTENING:
            return b""
        return self._after(self._receiver.receive(data, now), now)

    def tick(self, now: float) -> bytes:
        """What is to be said and done by now; to be called often."""
        self._follow_power(now)
        match self.phase:
            case Phase.APPLICATION | Phase.UNPOWERED:
                return b""
            case Phase.REBOOTING:
                if now >= self._due_at:
                    self._boot()
                return b""
            case Phase.ERASING:
                if now < self._due_at:
                    return b""
                self._go(Phase.RECEIVING)
                return self._receiver.acknowledge(now)
            case Phase.WAITING if self.intact and now >= self._idle_at:
                self._reboot(now)
                return b""
        return self._after(self._receiver.tick(now), now)

    def state(self) -> dict[str, Any]:  # Any: JSON
        """What the control port shows."""
        runs = self._running()
        header = self._upload.header
        return {
            "phase": self.phase.value,
            "line": self.line,
            "output": self._unit.upgrade,
            "hardware_id": runs.hardware_id,
            "version": runs.version,
            "intact": self.intact,
            "refused": self.refused,
            "reason": self.reason,
            "image": None if header is None else header.version,
            "blocks": self._receiver.blocks,
            "received_bytes": self._upload.received,
            "faults": self.faults.values(),
        }

    # the image

    def take(self, data: bytes, now: float) -> Verdict | Reason:
        """A block that came whole."""
        if self._upload.header is not None:
            return self._upload.go_on(data) or Verdict.TAKEN
        header = self._upload.begin(data)
        if isinstance(header, Reason):
            return header
        if not sayable(self._unit.model, header.version):
            return Reason.NOT_AN_IMAGE
        self.intact = False
        self._due_at = now + self.settings.erase_ms / 1000
        self._go(Phase.ERASING)
        return Verdict.LATER

    def finish(self) -> Reason | None:
        """The sender says that this was all."""
        return self._upload.finish()

    # from phase to phase

    def _after(self, answer: bytes, now: float) -> bytes:
        """Act on a transfer that has ended; what goes on the line stays as it is."""
        header = self._upload.header
        if self._receiver.done and header is not None:
            if self.faults.strikes(Kind.STAYS):
                self._wait(now + self.settings.start_ms / 1000, Reason.STAYED)
            else:
                self.intact, self.reason = True, None
                if not self.faults.strikes(Kind.BOOTS_OLD):
                    self._next = firmware_text(self._unit.model, header.hardware_id, header.version)
                self._reboot(now)
        elif (failed := self._receiver.failed) is not None:
            # A sender that was cancelled may cancel too: why it was stays on record.
            echo = failed is Reason.CANCELLED and not self._receiver.blocks
            self._wait(now + self.settings.poll_ms / 1000, (self.reason or failed) if echo else failed)
        return answer

    def _follow_power(self, now: float) -> None:
        """Without power it forgets the transfer; with it, it starts as after any reset."""
        if not self.silent:
            return
        if not self._unit.powered:
            if self.phase is not Phase.UNPOWERED:
                self.reason = self.reason if self.phase is Phase.REBOOTING else Reason.POWER_LOST
            self._go(Phase.UNPOWERED)
        elif self.phase is Phase.UNPOWERED:
            if self.intact:
                self._reboot(now)
            else:
                self._wait(now + self.settings.start_ms / 1000, Reason.POWER_LOST)

    def _begin(self, start_at: float) -> None:
        self._upload = Upload(self._running())
        self._receiver = Receiver(self, self.faults, self.settings, start_at)

    def _wait(self, start_at: float, reason: Reason | None = None) -> None:
        """Say C from then on."""
        self.reason = reason
        self._begin(start_at)
        self._idle_at = start_at + self.settings.idle_ms / 1000
        self._go(Phase.WAITING)

    def _reboot(self, now: float) -> None:
        self._due_at = now + self.settings.boot_ms / 1000
        self._go(Phase.REBOOTING)

    def _boot(self) -> None:
        self._unit.end_upgrade(self._next)
        self.line = None
        self._go(Phase.APPLICATION)

    def _go(self, phase: Phase) -> None:
        if phase is not self.phase:
            self._unit.record(Change.FIRMWARE, "phase", self.phase.value, phase.value)
            self.phase = phase

    def _running(self) -> Running:
        """Of a unit without boot loader the text that it shows."""
        firmware = self._unit.owner.firmware
        return running(self._unit.model, firmware) or Running("", firmware)
