"""The serial line of a simulated UPS-Link unit: a pty at the pace of real ones (ups-link.md section 4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from simulator.runtime.bootloader import Boot
from simulator.runtime.engine import Engine
from simulator.runtime.pty import Pty
from simulator.upslink.dialogue import Dialogue
from simulator.upslink.profile import Profile
from simulator.upslink.settings import UpsLinkSettings

log = logging.getLogger(__name__)

LOOK_S = 0.05
"""How often the unit looks whether it has something to say."""
BITS_A_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""
NOT_AVAILABLE = b"NA\r\n"
"""What the unit says to a character that it does not take (4.2)."""
MAX_WAITING = 16
"""Characters that came while one was being answered; what is beyond is lost, as in a receive buffer."""


class Speaks(Protocol):
    """The unit's side of the line: one that lives, or a recording."""

    def alerts(self) -> bytes: ...
    def hear(self, byte: int, now: float) -> bytes: ...


class UpsLinkListener:
    """Serves one pty; `address` is the path of the symbolic link to it.

    `begin` gives the unit's side as it is after a reset. Without `boot` there is no boot loader.
    """

    def __init__(self, begin: Callable[[], Speaks], wire: UpsLinkSettings, link: str, boot: Boot | None = None) -> None:
        self._wire, self._begin, self._boot = wire, begin, boot
        self._dialogue = begin()
        self._waiting: asyncio.Queue[tuple[int, float]] = asyncio.Queue(MAX_WAITING)
        self._loop = asyncio.get_running_loop()
        self._pty = Pty(link, self._receive, wire.faults.reopened)
        self.address = link
        self._boot_line = boot.line(self._pty.write) if boot is not None else None
        self._tasks = [
            self._loop.create_task(self._answer_all(), name=f"upslink {link}"),
            self._loop.create_task(self._alert(), name=f"upslink {link}, alerts"),
        ]

    def _receive(self, data: bytes) -> None:
        now = self._loop.time()
        self._take(data if self._boot_line is None else self._boot_line.receive(data, now), now)

    def _take(self, data: bytes, now: float) -> None:
        for byte in data:
            if self._waiting.full():
                log.debug("%s: a character was lost, %d wait", self.address, MAX_WAITING)
            else:
                self._waiting.put_nowait((byte, now))

    async def _answer_all(self) -> None:
        while True:
            byte, came_at = await self._waiting.get()
            await self._until(came_at + self._character_s(paced=False))
            if self._booting:
                continue
            reply = self._dialogue.hear(byte, came_at)
            if not reply:
                continue
            await self._until(self._loop.time() + self._wire.answer_ms / 1000)
            for piece in self._wire.faults.pieces(reply, self._loop.time(), refusal=NOT_AVAILABLE):
                await self._until(self._loop.time() + piece.after_s)
                await self._put(piece.data)

    async def _alert(self) -> None:
        """Alerts go out at once, between two characters of an answer if it must be."""
        while True:
            if self._booting:
                self._dialogue = self._begin()
            else:
                self._look()
            await asyncio.sleep(LOOK_S)

    @property
    def _booting(self) -> bool:
        return self._boot is not None and self._boot.silent

    def _look(self) -> None:
        if alerts := self._dialogue.alerts():
            self._pty.write(alerts)
        if self._boot_line is not None:
            now = self._loop.time()
            self._take(self._boot_line.release(now), now)

    async def _put(self, data: bytes) -> None:
        """So that each character is over no sooner than the unit would have sent it."""
        began_at, each_s = self._loop.time(), self._character_s(paced=True)
        if not each_s:
            self._pty.write(data)
            return
        for number, byte in enumerate(data, 1):
            await self._until(began_at + number * each_s)
            if self._booting:
                return
            self._pty.write(bytes([byte]))

    def _character_s(self, *, paced: bool) -> float:
        """What one character takes on the line, at the unit's own pace if it sends it."""
        if not self._wire.baud:
            return 0.0
        line_s = BITS_A_BYTE / self._wire.baud
        return max(line_s, self._wire.character_ms / 1000) if paced else line_s

    async def _until(self, deadline: float) -> None:
        if (wait_s := deadline - self._loop.time()) > 0:
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """End the line and remove the link, if it is still ours."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._boot_line is not None:
            self._boot_line.close()
        self._pty.close()


async def serve_upslink(
    engine: Engine, link: str, wire: UpsLinkSettings, profile: Profile, boot: Boot | None = None
) -> UpsLinkListener:
    """Serve `engine` on a new pty with a symbolic link to it at `link`; OSError if that cannot be made."""
    return UpsLinkListener(lambda: Dialogue(engine, profile, wire), wire, link, boot)
