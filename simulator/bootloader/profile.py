"""How the simulated unit's boot loader is entered: a profile of the simulator's own.

How APC's is entered is not public (apc-modbus.md section 16): no real Smart-UPS obeys this. On either serial line:

    host  !RIDETHROUGH-BOOT <hardware id> <off|on> <version that runs>\\r     e.g. !RIDETHROUGH-BOOT 18 off 04.1\\r
    unit  BOOT <baud>\\r\\n   or   REFUSED <reason>\\r\\n

It counts only as the first bytes after a silence of 35 ms, without a byte wrong. On Modbus RTU that place is the
unit id and the function code (AN176 4.2.2), and there is no function 0x52. On UPS-Link `!` is no command but an alert
of the unit's; what might be the command is kept from the dialogue until it is seen not to be, for its D and U start
tests there.
"""

from __future__ import annotations

import re

import msgspec

from simulator.bootloader.image import HARDWARE_ID, VERSION
from simulator.bootloader.reasons import Reason
from simulator.model import UpgradeOutput

WORD = b"!RIDETHROUGH-BOOT "
END = 0x0D
MAX_COMMAND_BYTES = 64
QUIET_S = 0.035
"""Silence before the command."""
GAP_S = 1.0
"""Longest pause within it."""

_COMMAND = re.compile(
    rf"{WORD.decode()}(?P<hardware>{HARDWARE_ID.pattern}) (?P<output>off|on) (?P<version>{VERSION.pattern})", re.ASCII
)


class Enter(msgspec.Struct, frozen=True):
    """One well-formed command."""

    hardware_id: str
    output: UpgradeOutput
    version: str


class Heard(msgspec.Struct, frozen=True):
    """`passed` is for whoever serves the line else; `command` is one without its end, well formed or not."""

    passed: bytes
    command: bytes | None = None


class Ear:
    """Listens for the command on one line. It keeps at most MAX_COMMAND_BYTES."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._last_at = float("-inf")

    def hear(self, data: bytes, now: float) -> Heard:
        """These bytes came at monotonic second `now`. What follows a command in one piece with it is lost."""
        passed = bytearray(self.release(now))
        quiet = now - self._last_at >= QUIET_S
        self._last_at = now
        for number, byte in enumerate(data):
            if not self._held and not (quiet and number == 0 and byte == WORD[0]):
                passed.append(byte)
                continue
            if byte == END and self._held.startswith(WORD):
                command = bytes(self._held)
                self._held.clear()
                return Heard(bytes(passed), command)
            self._held.append(byte)
            if not self._may_be():
                passed += self._held
                self._held.clear()
        return Heard(bytes(passed))

    def release(self, now: float) -> bytes:
        """What was kept and is no command, since it did not go on in time; call it now and then."""
        if not self._held or now - self._last_at < GAP_S:
            return b""
        released = bytes(self._held)
        self._held.clear()
        return released

    def _may_be(self) -> bool:
        if len(self._held) <= len(WORD):
            return WORD.startswith(self._held)
        return self._held.startswith(WORD) and len(self._held) <= MAX_COMMAND_BYTES and 0x20 <= self._held[-1] < 0x7F


def command_of(text: bytes) -> Enter | None:
    """The command that these bytes are; None if they are none."""
    found = _COMMAND.fullmatch(text.decode("latin-1"))
    if found is None:
        return None
    return Enter(found["hardware"], UpgradeOutput(found["output"]), found["version"])


def entered(baud: int) -> bytes:
    """The unit is in its boot loader, which speaks XMODEM-CRC and -1K at that speed, 8N1."""
    return b"BOOT %d\r\n" % baud


def refused(reason: Reason) -> bytes:
    return b"REFUSED %s\r\n" % reason.encode()
