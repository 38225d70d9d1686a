"""The serial line of a simulated UPS-Link unit: a pty at the pace of real ones (ups-link.md section 4)."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

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
    """Serves one pty; `address` is the path of the symbolic link to it."""

    def __init__(self, dialogue: Speaks, wire: UpsLinkSettings, link: str) -> None:
        self._wire = wire
        self._dialogue = dialogue
        self._waiting: asyncio.Queue[tuple[int, float]] = asyncio.Queue(MAX_WAITING)
        self._loop = asyncio.get_running_loop()
        self._pty = Pty(link, self._receive, wire.faults.reopened)
        self.address = link
        self._tasks = [
            self._loop.create_task(self._answer_all(), name=f"upslink {link}"),
            self._loop.create_task(self._alert(), name=f"upslink {link}, alerts"),
        ]

    def _receive(self, data: bytes) -> None:
        now = self._loop.time()
        for byte in data:
            if self._waiting.full():
                log.debug("%s: a character was lost, %d wait", self.address, MAX_WAITING)
            else:
                self._waiting.put_nowait((byte, now))

    async def _answer_all(self) -> None:
        while True:
            byte, came_at = await self._waiting.get()
            await self._until(came_at + self._character_s(paced=False))
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
            if alerts := self._dialogue.alerts():
                self._pty.write(alerts)
            await asyncio.sleep(LOOK_S)

    async def _put(self, data: bytes) -> None:
        """So that each character is over no sooner than the unit would have sent it."""
        began_at, each_s = self._loop.time(), self._character_s(paced=True)
        if not each_s:
            self._pty.write(data)
            return
        for number, byte in enumerate(data, 1):
            await self._until(began_at + number * each_s)
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
        self._pty.close()


async def serve_upslink(engine: Engine, link: str, wire: UpsLinkSettings, profile: Profile) -> UpsLinkListener:
    """Serve `engine` on a new pty with a symbolic link to it at `link`; OSError if that cannot be made."""
    return UpsLinkListener(Dialogue(engine, profile, wire), wire, link)
