"""A Modbus TCP port of a simulated unit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from typing import Any

from pymodbus.pdu import ModbusPDU

from simulator.modbus.faults import on_the_wire
from simulator.modbus.replay import Source, responder_of
from simulator.modbus.settings import WireSettings
from simulator.modbus.wire import MbapReceiver, NotModbus, Request, tcp_frame
from simulator.runtime.bootloader import Boot

log = logging.getLogger(__name__)

READ_SIZE = 4096
BACKLOG = 1
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for 0 s: closing sends a reset."""


class TcpListener:
    """Serves one port; `address` is HOST:PORT with the real port.

    While no further session is welcome nothing listens, so clients are refused as by the real port (9.1). A
    second socket, bound but never listening, keeps the port ours meanwhile.
    """

    def __init__(self, source: Source, wire: WireSettings, reservation: socket.socket, boot: Boot | None) -> None:
        self._wire, self._boot = wire, boot
        self._responder = responder_of(source, wire)
        self._reservation = reservation
        self._listening: socket.socket | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._refuse_until = float("-inf")
        self._reopening: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        host, port = reservation.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        wire.watchers.append(self._open_or_shut)
        wire.faults.watchers.append(self._open_or_shut)
        self._open_or_shut()

    def _open_or_shut(self) -> None:
        """Listen exactly while one more session is welcome."""
        wait_s = self._refuse_until - self._loop.time()
        most = 1 if self._wire.faults.second_refused(self._loop.time()) else self._wire.max_sessions
        full = self._wire.refuse or len(self._sessions) >= most
        if self._reopening is not None:
            self._reopening.cancel()
        if not full and wait_s > 0:
            self._reopening = self._loop.call_later(wait_s, self._open_or_shut)
        if full or wait_s > 0:
            self._shut()
        elif self._listening is None:
            self._listening = _bound(self._reservation.family, self._reservation.getsockname())
            self._listening.listen(BACKLOG)
            self._loop.add_reader(self._listening, self._accept, self._listening)

    def _shut(self) -> None:
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, ConnectionError):
            return
        self._wire.faults.reopened()
        task = self._loop.create_task(self._serve(connection), name=f"modbus-tcp {self.address}")
        self._sessions.add(task)
        task.add_done_callback(self._ended)
        self._open_or_shut()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sessions.discard(task)
        self._refuse_until = self._loop.time() + self._wire.refuse_s
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a session on %s failed", self.address, exc_info=error)
        self._open_or_shut()

    async def _serve(self, connection: socket.socket) -> None:
        """One session: requests are answered one at a time, in order, however many were sent at once."""
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection)
        receiver = MbapReceiver(self._wire)
        try:
            while data := await reader.read(READ_SIZE):
                for request in receiver.receive(data):
                    if await self._answer(request, writer):
                        return
        except NotModbus as error:
            log.info("%s: %s", self.address, error)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except ConnectionError as error:
            log.debug("%s: the peer went away: %s", self.address, error)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the session is to be closed now. A unit in its boot loader says nothing here."""
        if self._boot is not None and self._boot.silent:
            return False
        reply = self._responder.answer(request.pdu, self._loop.time())
        if self._wire.answer_ms:
            await asyncio.sleep(self._wire.answer_ms / 1000)
        # TCP has no check sum to damage: such a reply is lost instead.
        if reply.damaged:
            return False

        def frame(pdu: ModbusPDU) -> bytes:
            return tcp_frame(pdu, self._wire.unit_id, request.transaction)

        for piece in on_the_wire(reply, frame, self._wire, self._loop.time()):
            await asyncio.sleep(piece.after_s)
            writer.write(piece.data)
            await writer.drain()
            if piece.hang_up:
                return True
        return False

    async def close(self) -> None:
        """End every session and give the port back."""
        self._wire.watchers.remove(self._open_or_shut)
        self._wire.faults.watchers.remove(self._open_or_shut)
        sessions = list(self._sessions)
        for task in sessions:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        if self._reopening is not None:
            self._reopening.cancel()
        self._shut()
        self._reservation.close()


def _bound(family: int, address: Any) -> socket.socket:  # Any: what getsockname() gives
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


async def serve_tcp(source: Source, address: str, wire: WireSettings, boot: Boot | None = None) -> TcpListener:
    """Serve `source` on HOST:PORT (port 0 takes a free one; IPv6 as [HOST]:PORT).

    ValueError if the address is not of that form, OSError if it cannot be had.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 0xFFFF:
        raise ValueError(f"{address!r} is not HOST:PORT")
    found = await asyncio.get_running_loop().getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, place = found[0]
    return TcpListener(source, wire, _bound(family, place), boot)
