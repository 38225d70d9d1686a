"""HTTPS for strangers: an ASGI application behind a door that bounds connections, handshakes and time.

uvicorn's protocol speaks HTTP; its own server has no limit on a handshake, on a slow request, or on one address.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from cloud_bridge.addresses import Address
from cloud_bridge.attempts import Room
from cloud_bridge.errors import NotAFolder
from cloud_bridge.runtime.keys import check_private
from cloud_bridge.runtime.listening import arrivals
from cloud_bridge.settings import KeyPair

CONNECTIONS = 64
CONNECTIONS_PER_ADDRESS = 16
CONNECTION_S = 20.0
"""From TCP to the last byte of the answer; then it is closed, whatever it is doing."""
HANDSHAKE_S = 10.0
HEADER_BYTES = 8 * 1024
STOP_S = 3.0
"""For those that are being answered when the server stops."""

log = logging.getLogger(__name__)


class _Connection(H11Protocol):
    """One client, for one request."""

    transport: asyncio.Transport

    def __init__(self, config: Config, state: ServerState, gone: asyncio.Event) -> None:
        super().__init__(config, state, {})
        self._gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gone.set()


class HttpsServer:
    """Serves on a listening socket that is handed in. No `context`: without TLS, for this machine or a proxy on it."""

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        each: int = CONNECTIONS_PER_ADDRESS,
        lasts_s: float = CONNECTION_S,
    ) -> None:
        self._config = Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=HEADER_BYTES,
            headers=[("connection", "close"), ("cache-control", "no-store")],
        )
        self._config.load()
        self._listener = listener
        self._context = context
        self._clients: set[asyncio.Task[None]] = set()
        self._room = Room(CONNECTIONS, each)
        self._lasts_s = lasts_s

    async def accept(self) -> None:
        """Lets clients in for ever."""
        async for connection, peer in arrivals(self._listener, log):
            self._welcome(connection, peer)

    async def close(self) -> None:
        """Those that are being answered get a moment."""
        self._listener.close()
        if self._clients:
            await asyncio.wait(self._clients, timeout=STOP_S)
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _welcome(self, connection: socket.socket, peer: Address) -> None:
        if not self._room.enter(peer.host):
            log.debug("%s: closed: too many connections", peer)
            connection.close()
            return
        client = asyncio.create_task(self._serve(connection, peer), name=f"https {peer}")
        self._clients.add(client)
        client.add_done_callback(partial(self._leave, peer.host))

    def _leave(self, host: str, client: asyncio.Task[None]) -> None:
        self._clients.discard(client)
        self._room.leave(host)

    async def _serve(self, connection: socket.socket, peer: Address) -> None:
        state, gone = ServerState(), asyncio.Event()
        state.default_headers = self._config.encoded_headers
        transport: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(self._lasts_s):
                transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                    partial(_Connection, self._config, state, gone),
                    connection,
                    ssl=self._context,
                    ssl_handshake_timeout=HANDSHAKE_S if self._context else None,
                    ssl_shutdown_timeout=STOP_S if self._context else None,
                )
                await gone.wait()
        except OSError as error:  # ssl.SSLError and TimeoutError are OSErrors
            log.debug("%s: closed: %s", peer, str(error) or "too slow")
        finally:
            if transport:
                transport.abort()
            connection.close()


@asynccontextmanager
async def serving(
    app: Any,
    listener: socket.socket,
    context: ssl.SSLContext | None,
    each: int = CONNECTIONS_PER_ADDRESS,
    lasts_s: float = CONNECTION_S,
) -> AsyncIterator[None]:
    """The application, served until the block ends. `each`: connections at once of one address; `lasts_s`: the longest
    one."""
    server = HttpsServer(app, listener, context, each, lasts_s)
    accepting = asyncio.create_task(server.accept(), name="https door")
    try:
        yield
    finally:
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        await server.close()


def tls_of(pair: KeyPair) -> ssl.SSLContext:
    """TLS 1.2 or newer; who asks proves itself in the request. Raises NotAFolder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    check_private(pair.key)
    try:
        context.load_cert_chain(pair.certificate, pair.key)
    except OSError as error:
        both = f"{pair.certificate} and {pair.key.name} beside it"
        raise NotAFolder(f"{both}: can't be used: {error.strerror or error}") from error
    return context
