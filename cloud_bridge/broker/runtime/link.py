"""One client's TLS connection: whole packets in, each by a deadline; bytes out, by another."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from amqtt.adapters import ReaderAdapter, WriterAdapter

from cloud_bridge.acl import Identity, Role
from cloud_bridge.addresses import Address
from cloud_bridge.broker.allowance import SPENT, Allowance
from cloud_bridge.broker.complaints import Complaints
from cloud_bridge.broker.errors import OverAllowance, Refused
from cloud_bridge.broker.framing import Header, check_length, read_header, read_length, refusal
from config.text import one_line

WRITE_TIMEOUT_S = 20.0
"""A client that takes nothing for so long is cut: what is meant for it fills the broker's memory."""
CLOSE_TIMEOUT_S = 2.0
REVOKED = "its certificate is revoked (cloud gateway revoke)"
_LINE = 300

logger = logging.getLogger("cloud_bridge.broker")


@dataclass(frozen=True, slots=True)
class Packet:
    """One MQTT packet as it came."""

    header: Header
    body: bytes


class Link(ReaderAdapter, WriterAdapter):  # type: ignore[misc]  # amqtt has no type information
    """What amqtt reads and writes through. Packets come from `packet` alone: no unchecked byte reaches
    amqtt."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Address,
        complaints: Complaints,
        message_bytes: int,
    ) -> None:
        self.peer = peer
        self.identity: Identity | None = None
        self.serial_number = 0
        self.allowance: Allowance | None = None
        self._reader = reader
        self._writer = writer
        self._complaints = complaints
        self._message_bytes = message_bytes

    async def packet(self, within_s: float) -> Packet | None:
        """The next packet; None when the client has gone. Raises BadPacket, OverAllowance, TimeoutError."""
        try:
            async with asyncio.timeout(within_s):
                packet = await self._read_packet()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return None
        if packet and self.allowance:
            await self._charge(self.allowance, len(packet.body))
        return packet

    async def _read_packet(self) -> Packet | None:
        first = await self._reader.read(1)
        if not first:
            return None
        header = read_header(first[0])
        encoded = b""
        while (length := read_length(encoded)) is None:
            encoded += await self._reader.readexactly(1)
        check_length(header.kind, length, self._message_bytes)
        return Packet(header, await self._reader.readexactly(length))

    async def _charge(self, allowance: Allowance, size: int) -> None:
        allowance.use(size, monotonic())
        if spent_s := allowance.spent_for_s(monotonic()):
            raise OverAllowance(SPENT.format(spent_s))
        if pause_s := allowance.pause_s(monotonic()):
            await asyncio.sleep(pause_s)

    def is_revoked(self, revoked: Container[int]) -> bool:
        """Whether it is a gateway whose certificate is among the serial numbers `revoked`."""
        of_gateway = self.identity is not None and self.identity.role is Role.GATEWAY
        return of_gateway and self.serial_number in revoked

    def complain(self, kind: str, what: str) -> None:
        """Tells what the client did, once in a while."""
        who = self.identity.name if self.identity else self.peer.host
        if (suffix := self._complaints.suffix(who, kind, monotonic())) is not None:
            logger.warning("%s: %s%s", self, one_line(what, _LINE), suffix)

    def __str__(self) -> str:
        return f"{self.identity.name} ({self.peer})" if self.identity else str(self.peer)

    def turn_away(self, refused: Refused) -> None:
        """Tells the client, and the log, why it is not let in."""
        self.complain(refused.kind, f"refused: {refused}")
        self.write(refusal(refused.code))

    def abort(self) -> None:
        """Ends the connection now; its reader sees the end of the stream."""
        self._writer.transport.abort()

    async def read(self, n: int = -1) -> bytes:
        raise NotImplementedError("amqtt reads checked packets only")

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._writer.drain()
        except TimeoutError:
            self.complain("slow", f"took nothing for {WRITE_TIMEOUT_S:g} s: closed")
            self.abort()
            raise ConnectionResetError from None

    def get_peer_info(self) -> tuple[str, int]:
        return self.peer

    def get_ssl_info(self) -> ssl.SSLObject:
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return tls

    async def close(self) -> None:
        """Sends what is written, says goodbye, and does not wait long for an answer."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
        self.abort()
