"""The serial line of a simulated unit: Modbus RTU on a pty, at the pace of a real line."""

from __future__ import annotations

import asyncio
import logging

from pymodbus.pdu import ModbusPDU

from simulator.modbus.faults import Reply, on_the_wire
from simulator.modbus.replay import Source, responder_of
from simulator.modbus.settings import WireSettings
from simulator.modbus.wire import Request, RtuReceiver, rtu_frame, wire_s
from simulator.runtime.bootloader import Boot
from simulator.runtime.pty import Pty

log = logging.getLogger(__name__)

SLICE_S = 0.005
"""A reply is written in pieces this long on the wire: apcupsd takes 25 ms without a byte for its end (11)."""

MAX_WAITING = 4
"""Requests that came while one was being answered; what is beyond is lost, as in a receive buffer."""


class RtuListener:
    """Serves one pty; `address` is the path of the symbolic link to it. Without `boot` there is no boot loader."""

    def __init__(self, source: Source, wire: WireSettings, link: str, boot: Boot | None) -> None:
        self._wire = wire
        self._responder = responder_of(source, wire)
        self._receiver = RtuReceiver(wire)
        self._waiting: asyncio.Queue[Request] = asyncio.Queue(MAX_WAITING)
        self._silence: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._pty = Pty(link, self._receive, wire.faults.reopened)
        self.address = link
        self._boot = boot
        self._boot_line = boot.line(self._pty.write) if boot is not None else None
        self._answering = self._loop.create_task(self._answer_all(), name=f"modbus-rtu {link}")

    def _receive(self, data: bytes) -> None:
        """The command to enter the boot loader is no frame, so the receiver may have its bytes too."""
        now = self._loop.time()
        if self._boot_line is not None:
            self._boot_line.receive(data, now)
        if not self._booting:
            self._take(self._receiver.receive(data, now))

    @property
    def _booting(self) -> bool:
        return self._boot is not None and self._boot.silent

    def _silent(self) -> None:
        self._take(self._receiver.silence(self._loop.time()))

    def _take(self, requests: list[Request]) -> None:
        for request in requests:
            if self._waiting.full():
                log.debug("%s: a request was lost, %d wait", self.address, MAX_WAITING)
            else:
                self._waiting.put_nowait(request)
        if self._silence is not None:
            self._silence.cancel()
        closes_at = self._receiver.closes_at
        self._silence = None if closes_at is None else self._loop.call_at(closes_at, self._silent)

    async def _answer_all(self) -> None:
        while True:
            request = await self._waiting.get()
            await self._until(request.ended_at)
            if self._booting:
                continue
            reply = self._responder.answer(request.pdu, self._loop.time())
            await self._until(self._loop.time() + self._wire.answer_ms / 1000)
            await self._send(reply)

    async def _send(self, reply: Reply) -> None:
        """Put the reply on the line, as its faults leave it; hanging up is nothing that this side can do."""

        def frame(pdu: ModbusPDU) -> bytes:
            return rtu_frame(pdu, self._wire.unit_id, damaged=reply.damaged)

        for piece in on_the_wire(reply, frame, self._wire, self._loop.time()):
            await self._until(self._loop.time() + piece.after_s)
            await self._put(piece.data)

    async def _put(self, frame: bytes) -> None:
        """So that each byte is over no sooner than a UART would have it."""
        began_at, baud = self._loop.time(), self._wire.baud
        step = max(1, int(SLICE_S / wire_s(1, baud))) if baud else max(1, len(frame))
        for start in range(0, len(frame), step):
            piece = frame[start : start + step]
            await self._until(began_at + wire_s(start + len(piece), baud))
            if self._booting:
                return
            self._pty.write(piece)
        self._receiver.replied(self._loop.time())

    async def _until(self, deadline: float) -> None:
        if (wait_s := deadline - self._loop.time()) > 0:
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """End the line and remove the link, if it is still ours."""
        if self._silence is not None:
            self._silence.cancel()
        self._answering.cancel()
        await asyncio.gather(self._answering, return_exceptions=True)
        if self._boot_line is not None:
            self._boot_line.close()
        self._pty.close()


async def serve_rtu(source: Source, link: str, wire: WireSettings, boot: Boot | None = None) -> RtuListener:
    """Serve `source` on a new pty with a symbolic link to it at `link`; OSError if that cannot be made."""
    return RtuListener(source, wire, link, boot)
