"""Serves the local status page: GET and HEAD of two paths over HTTP/1.1, one request a connection.

A web framework is not in the base install, which has to fit a small Pi; what is served here needs none of it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from gateway.errors import CannotStart
from gateway.page import page
from gateway.runtime.visitors import Visitors
from gateway.view import GatewayView

logger = logging.getLogger("gateway.page")

HEAD_BYTES = 8 * 1024
PATIENCE_S = 5.0
"""For the whole request, and again for the answer to be taken."""
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

View = Callable[[], Awaitable[GatewayView]]


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, why: str = "") -> None:
        super().__init__(why or status.description or status.phrase)
        self.status = status


class StatusPage:
    """`address`: HOST:PORT. A request whose Host header is none of ours is refused: a name that an attacker points
    here (DNS rebinding) reads nothing.
    """

    def __init__(self, address: str, view: View) -> None:
        self.host, _, port = address.rpartition(":")
        self._port = int(port)
        self._view = view
        self._server: asyncio.Server | None = None
        self._visitors = Visitors(self._serve, logger)

    @property
    def address(self) -> str:
        """The real one, whatever port was asked for."""
        port = self._port if self._server is None else self._server.sockets[0].getsockname()[1]
        return f"{self.host}:{port}"

    async def open(self) -> None:
        """Raises CannotStart."""
        try:
            self._server = await asyncio.start_server(
                self._visitors.welcome, self.host.strip("[]"), self._port, limit=HEAD_BYTES
            )
        except OSError as error:
            raise CannotStart(f"status_page: {self.host}:{self._port}: {error.strerror}") from error

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._visitors.end()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(PATIENCE_S):
            answer = await self._answer(reader)
        writer.write(answer)
        async with asyncio.timeout(PATIENCE_S):
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        method = "GET"
        try:
            method, path = await self._request(reader)
            kind, body = await self._content(path)
        except _Refused as refused:
            return _response(refused.status, "text/plain; charset=utf-8", f"{refused}\n".encode())
        answer = _response(HTTPStatus.OK, kind, body)
        return answer if method == "GET" else answer[: answer.index(b"\r\n\r\n") + 4]

    async def _request(self, reader: asyncio.StreamReader) -> tuple[str, str]:
        """Method and path of a request that may be answered."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("ascii").split("\r\n")
            method, path, version = lines[0].split(" ")
        except asyncio.LimitOverrunError:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
        except (asyncio.IncompleteReadError, ValueError):
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise _Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if method not in ("GET", "HEAD"):
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "this page only shows; it changes nothing")
        hosts = [line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("host:")]
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "ask for it by its address or as localhost")
        return method, path

    def _is_ours(self, host: str) -> bool:
        """An address is no name that somebody else could point here."""
        name = host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host.lower()
        if name in _LOCAL_NAMES or name == self.host.lower():
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    async def _content(self, path: str) -> tuple[str, bytes]:
        if path == "/":
            return "text/html; charset=utf-8", page(await self._view()).encode()
        if path == "/status.json":
            return "application/json", msgspec.json.encode(await self._view())
        raise _Refused(HTTPStatus.NOT_FOUND, "there is / and /status.json")


def _response(status: HTTPStatus, kind: str, body: bytes) -> bytes:
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))), *_HEADERS)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
