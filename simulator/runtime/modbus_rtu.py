"""The serial line of a simulated unit: Modbus RTU on a pty, at the pace of a real line."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tty
from pathlib import Path

from simulator.modbus.engine import Engine
from simulator.modbus.faults import Reply
from simulator.modbus.respond import Responder
from simulator.modbus.settings import WireSettings
from simulator.modbus.wire import Request, RtuReceiver, rtu_frame, wire_s

log = logging.getLogger(__name__)

READ_SIZE = 4096
SLICE_S = 0.005
"""A reply is written in pieces this long on the wire: apcupsd takes 25 ms without a byte for its end (11)."""

MAX_WAITING = 4
"""Requests that came while one was being answered; what is beyond is lost, as in a receive buffer."""


class RtuListener:
    """Serves one pty; `address` is the path of the symbolic link to it.

    The unit's side never hangs up: the slave stays open here, whoever opens and closes it besides.
    """

    def __init__(self, engine: Engine, wire: WireSettings, link: Path) -> None:
        self._wire = wire
        self._responder = Responder(engine, wire)
        self._receiver = RtuReceiver(wire)
        self._waiting: asyncio.Queue[Request] = asyncio.Queue(MAX_WAITING)
        self._silence: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        try:
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._device = os.ttyname(self._slave)
            _make_link(link, self._device)
        except OSError:
            os.close(self._master)
            os.close(self._slave)
            raise
        self._link = link
        self.address = str(link)
        self._loop.add_reader(self._master, self._readable)
        self._answering = self._loop.create_task(self._answer_all(), name=f"modbus-rtu {link}")

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, READ_SIZE)
            self._take(self._receiver.receive(data, self._loop.time()))

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
            reply = self._responder.answer(request.pdu, self._loop.time())
            await self._until(self._loop.time() + self._wire.answer_ms / 1000)
            await self._send(reply)

    async def _send(self, reply: Reply) -> None:
        """Put the reply on the line so that each byte is over no sooner than a UART would have it."""
        if reply.pdu is None:
            return
        frame = rtu_frame(reply.pdu, self._wire.unit_id, damaged=reply.damaged)
        began_at, baud = self._loop.time(), self._wire.baud
        step = max(1, int(SLICE_S / wire_s(1, baud))) if baud else len(frame)
        for start in range(0, len(frame), step):
            piece = frame[start : start + step]
            await self._until(began_at + wire_s(start + len(piece), baud))
            self._write(piece)
        self._receiver.replied(self._loop.time())

    def _write(self, piece: bytes) -> None:
        """Bytes that find the pty full are lost: nobody is reading."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, piece)

    async def _until(self, deadline: float) -> None:
        if (wait_s := deadline - self._loop.time()) > 0:
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """End the line and remove the link, if it is still ours."""
        self._loop.remove_reader(self._master)
        if self._silence is not None:
            self._silence.cancel()
        self._answering.cancel()
        await asyncio.gather(self._answering, return_exceptions=True)
        _remove_link(self._link, self._device)
        os.close(self._master)
        os.close(self._slave)


def _make_link(link: Path, device: str) -> None:
    """Link to the pty. A link to a pty, left by an earlier run, is replaced; anything else is not ours."""
    if link.is_symlink() and str(link.readlink()).startswith("/dev/pts/"):
        link.unlink()
    link.symlink_to(device)


def _remove_link(link: Path, device: str) -> None:
    if link.is_symlink() and str(link.readlink()) == device:
        link.unlink()


async def serve_rtu(engine: Engine, link: str, wire: WireSettings) -> RtuListener:
    """Serve `engine` on a new pty with a symbolic link to it at `link`; OSError if that cannot be made."""
    return RtuListener(engine, wire, Path(link))
