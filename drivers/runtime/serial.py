"""A serial line as a port: pyserial opens and sets it, the event loop reads it.

Exclusive; HUPCL off; DTR and RTS not asserted (S5): on a plain, not a smart cable they can switch the load
off.
"""

from __future__ import annotations

import asyncio
import errno
import os
import termios
from pathlib import Path

import serial

from drivers.errors import PortBusy, PortLost
from drivers.runtime.inbox import BUFFER_LIMIT, Inbox

PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
LOCK_DIRECTORIES = (Path("/var/lock"), Path("/run/lock"))
"""Where apcupsd and others leave LCK..NAME with their process id (filesystem hierarchy standard 5.9)."""
LOCK_BYTES = 32


def lock_holder(device: str, directories: tuple[Path, ...] = LOCK_DIRECTORIES) -> int | None:
    """The living process that holds a UUCP lock on this device."""
    for directory in directories:
        try:
            text = (directory / f"LCK..{Path(device).resolve().name}").read_bytes()[:LOCK_BYTES]
            holder = int(text.split()[0])
        except (OSError, ValueError, IndexError):
            continue
        if holder > 0 and holder != os.getpid() and Path(f"/proc/{holder}").exists():
            return holder
    return None


class SerialPort:
    def __init__(self, device: str, baud: int, parity: str) -> None:
        self.name = device
        self.line = serial.Serial(baudrate=baud, parity=PARITIES[parity], timeout=0, write_timeout=0, exclusive=True)
        self.line.port = device
        self.line.dtr = self.line.rts = False
        self._inbox = Inbox(device)

    async def open(self) -> None:
        await self.close()
        if (holder := lock_holder(self.name)) is not None:
            raise PortBusy(self.name, f"process {holder}, by its lock file")
        try:
            self.line.open()
            _keep_lines_on_close(self.line.fileno())
        except (OSError, termios.error) as error:
            self.line.close()
            raise _explained(self.name, error) from None
        self._inbox = Inbox(self.name)
        asyncio.get_running_loop().add_reader(self.line.fileno(), self._receive)

    def _receive(self) -> None:
        try:
            data = os.read(self.line.fileno(), BUFFER_LIMIT)
        except BlockingIOError:
            return
        except OSError as error:
            data = b""
            self._inbox.lose(f"the line is gone: {error.strerror}")
        if data:
            self._inbox.feed(data)
            return
        self._inbox.lose("the line was hung up")
        asyncio.get_running_loop().remove_reader(self.line.fileno())

    async def write(self, data: bytes) -> None:
        """A frame is far shorter than the kernel's buffer; a line that does not take it at once is stuck."""
        self._inbox.check()
        try:
            written = os.write(self.line.fileno(), data) if self.line.is_open else 0
        except OSError as error:
            raise PortLost(self.name, f"cannot write: {error.strerror}") from None
        if written != len(data):
            raise PortLost(self.name, "the line takes no bytes")

    async def read(self, deadline: float) -> bytes:
        return await self._inbox.take(deadline)

    async def wait(self) -> None:
        await self._inbox.wait()

    async def drain(self) -> int:
        return await self._inbox.drain()

    async def close(self) -> None:
        if self.line.is_open:
            asyncio.get_running_loop().remove_reader(self.line.fileno())
            self.line.close()


def _keep_lines_on_close(descriptor: int) -> None:
    """HUPCL off: closing the port, or our death, must not move DTR and RTS."""
    attributes = termios.tcgetattr(descriptor)
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _explained(device: str, error: OSError | termios.error) -> PortBusy | PortLost:
    code = (error.errno if isinstance(error, OSError) else error.args[0]) or 0
    if code in (errno.EAGAIN, errno.EBUSY):
        return PortBusy(device, "another process, which locked it")
    reasons = {
        errno.ENOENT: "no such device",
        errno.EACCES: "permission denied; add this user to the device's group (dialout on Debian)",
        errno.ENOTTY: "not a serial device",
        errno.EISDIR: "a folder, not a serial device",
    }
    return PortLost(device, reasons.get(code, f"cannot open: {error}"))
