"""The broker's door: TCP, TLS, certificate, first packet. A stranger gets so far and no further (S13)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Container, Mapping
from time import monotonic

from cryptography import x509

from cloud_bridge.acl import identify
from cloud_bridge.addresses import Address
from cloud_bridge.attempts import Room
from cloud_bridge.authority import common_name, issuer_of
from cloud_bridge.broker.admission import NOT_AUTHORIZED
from cloud_bridge.broker.complaints import Complaints
from cloud_bridge.broker.errors import BadPacket, ClientFault, Refused
from cloud_bridge.broker.framing import Kind
from cloud_bridge.broker.runtime.link import CLOSE_TIMEOUT_S, REVOKED, Link, Packet
from cloud_bridge.broker.wording import tls_refusal
from cloud_bridge.runtime.listening import arrivals, listening
from cloud_bridge.settings import Limits

logger = logging.getLogger("cloud_bridge.broker")

Serve = Callable[[Link, Packet], Awaitable[None]]


class Door:
    """Listens, and hands each client that proved who it is to `serve`, with its CONNECT as it came.

    `revoked`: serial numbers of gateways' certificates that are good no more.
    """

    def __init__(
        self,
        listen: Address,
        context: ssl.SSLContext,
        authorities: Mapping[str, x509.Certificate],
        limits: Limits,
        serve: Serve,
        revoked: Container[int] = frozenset(),
    ) -> None:
        self._context = context
        self._authorities = authorities
        self._limits = limits
        self._serve = serve
        self._revoked = revoked
        self._complaints = Complaints()
        self._waiting = Room(limits.handshakes, limits.handshakes_per_address)
        self._clients: set[asyncio.Task[None]] = set()
        self._listener = listening(listen)
        self._accepting: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        """Where it listens; the port is the real one when any was asked for."""
        host, port = self._listener.getsockname()[:2]
        return Address(host, port)

    def open(self) -> None:
        self._accepting = asyncio.create_task(self._accept(), name="broker door")

    async def close(self) -> None:
        """Lets nobody in any more and ends who is in."""
        tasks = [*self._clients, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        async for connection, peer in arrivals(self._listener, logger):
            self._welcome(connection, peer)

    def _welcome(self, connection: socket.socket, peer: Address) -> None:
        if not self._waiting.enter(peer.host):
            connection.close()
            self._complain(peer, "handshakes", "too many connections that are not yet admitted: closed")
            return
        task = asyncio.create_task(self._client(connection, peer), name=f"client {peer}")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _client(self, connection: socket.socket, peer: Address) -> None:
        try:
            admitted = await self._admitted(connection, peer)
            if admitted:
                await self._serve(*admitted)
        except Exception:  # top of a client's task: its end is not the others'
            logger.exception("%s: closed after an error of the broker's own", peer)
        finally:
            connection.close()

    async def _admitted(self, connection: socket.socket, peer: Address) -> tuple[Link, Packet] | None:
        timeout_s = self._limits.connect_timeout_s
        link = None
        try:
            async with asyncio.timeout(timeout_s):
                link = await self._handshake(connection, peer)
                packet = await _first_packet(link, timeout_s)
            self._identify(link)
            return link, packet
        except Refused as refused:
            if link:
                link.turn_away(refused)
                await link.close()
        except TimeoutError:
            self._complain(peer, "timeout", f"no CONNECT within {timeout_s:g} s: closed", link)
        except ssl.SSLError as error:
            told = tls_refusal(error.reason, getattr(error, "verify_message", None))
            self._complain(peer, f"tls {error.reason}", told, link)
        except (ClientFault, OSError) as error:
            self._complain(peer, "certificate", str(error) or "gone before it was admitted", link)
        finally:
            self._waiting.leave(peer.host)  # it is in, or gone
        if link:
            link.abort()
        return None

    async def _handshake(self, connection: socket.socket, peer: Address) -> Link:
        loop = asyncio.get_running_loop()
        # asyncio does it for its own servers alone; without it each connection's first message waits 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = asyncio.StreamReader(limit=self._limits.message_bytes)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._context,
            ssl_handshake_timeout=self._limits.connect_timeout_s,
            ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Link(reader, writer, peer, self._complaints, self._limits.message_bytes)

    def _identify(self, link: Link) -> None:
        der = link.get_ssl_info().getpeercert(binary_form=True)
        if der is None:
            raise Refused("no certificate", NOT_AUTHORIZED)
        certificate = x509.load_der_x509_certificate(der)
        name, issuer = common_name(certificate), issuer_of(certificate, self._authorities)
        link.identity = identify(name, issuer)
        if link.identity is None:
            raise Refused(f"a certificate for {name!r} that the authority {issuer!r} may not give out", NOT_AUTHORIZED)
        link.serial_number = certificate.serial_number
        if link.is_revoked(self._revoked):
            raise Refused(REVOKED, NOT_AUTHORIZED)

    def _complain(self, peer: Address, kind: str, what: str, link: Link | None = None) -> None:
        if link:
            link.complain(kind, what)
        elif (suffix := self._complaints.suffix(peer.host, kind, monotonic())) is not None:
            logger.warning("%s: %s%s", peer, what, suffix)


async def _first_packet(link: Link, within_s: float) -> Packet:
    packet = await link.packet(within_s)
    if packet is None:
        raise BadPacket("gone before it said CONNECT")
    if packet.header.kind is not Kind.CONNECT:
        raise BadPacket(f"{packet.header.kind.name} before CONNECT")
    return packet
