"""A TCP connection as a port."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from drivers.errors import PortLost, Refused
from drivers.runtime.inbox import BUFFER_LIMIT, Inbox
from drivers.url import Address

if TYPE_CHECKING:
    import ssl

CONNECT_S = 5.0
"""Longest time for a connection to come up."""


class _Receiver(asyncio.Protocol):
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def data_received(self, data: bytes) -> None:
        self._inbox.feed(data)

    def eof_received(self) -> None:
        self._inbox.lose("the other end closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._inbox.lose(f"the connection broke: {exc}" if exc else "the connection was closed")


class TcpPort:
    def __init__(self, address: Address, *, buffer_bytes: int = BUFFER_LIMIT, patience_s: float = CONNECT_S) -> None:
        self.name = str(address)
        self._buffer_bytes = buffer_bytes
        self._address = address
        self._patience_s = patience_s
        self._transport: asyncio.Transport | None = None
        self._inbox = Inbox(self.name, self._buffer_bytes)

    async def open(self) -> None:
        await self.close()
        self._inbox = Inbox(self.name, self._buffer_bytes)
        try:
            async with asyncio.timeout(self._patience_s):
                self._transport = await self._connect()
        except ConnectionRefusedError:
            raise Refused(self.name) from None
        except TimeoutError:
            raise PortLost(self.name, f"no connection within {self._patience_s:g} s; check the address") from None
        except OSError as error:
            raise PortLost(self.name, f"cannot connect: {error.strerror or error}") from None

    async def _connect(self) -> asyncio.Transport:
        """To the first address of the name that answers: `create_connection` alone hides a refusal among
        several.
        """
        loop = asyncio.get_running_loop()
        inbox = self._inbox
        found = await loop.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM)
        for place, (family, *_, address) in enumerate(found):
            try:
                transport, _ = await loop.create_connection(
                    lambda: _Receiver(inbox), str(address[0]), self._address.port, family=family
                )
            except OSError:
                if place == len(found) - 1:
                    raise
                continue
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return transport
        raise PortLost(self.name, "the name has no address")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Encrypt the open connection; the context decides what certificate will do. Raises PortLost."""
        if self._transport is None:
            raise PortLost(self.name, "not open")
        protocol, host = self._transport.get_protocol(), self._address.host
        try:
            async with asyncio.timeout(CONNECT_S):
                secured = await asyncio.get_running_loop().start_tls(
                    self._transport, protocol, context, server_hostname=host
                )
        except TimeoutError:
            raise PortLost(self.name, f"no TLS within {CONNECT_S:g} s") from None
        except OSError as error:  # ssl.SSLError is one
            raise PortLost(self.name, f"TLS: {error}") from None
        if secured is None:
            raise PortLost(self.name, "TLS: the other end closed the connection")
        self._transport = secured

    async def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            self._inbox.check()
            raise PortLost(self.name, "not open")
        self._transport.write(data)

    async def read(self, deadline: float) -> bytes:
        return await self._inbox.take(deadline)

    async def wait(self) -> None:
        await self._inbox.wait()

    async def drain(self) -> int:
        return await self._inbox.drain()

    async def close(self) -> None:
        """Abort: nothing of ours is worth waiting for once the port is given up."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            await asyncio.sleep(0)
