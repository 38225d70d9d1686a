"""The control port: one JSON line or more for each line of text (safety rule S26)."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import logging

import msgspec

from simulator.control import LINE_LIMIT
from simulator.errors import ControlError
from simulator.lines import Reply
from simulator.runtime.engine import Engine

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 16
TOKEN_TIMEOUT_S = 10.0
"""How long a client may take to show its token."""
HTTP_METHODS = frozenset(b"GET POST PUT HEAD DELETE OPTIONS PATCH CONNECT TRACE".split())


def looks_like_http(line: bytes) -> bool:
    """A browser can be made to send such a line here by any page it shows."""
    words = line.split(None, 1)
    return b"HTTP/" in line.upper() or bool(words and words[0].upper() in HTTP_METHODS)


class ControlListener:
    """Serves one control port; `address` is HOST:PORT with the real port."""

    def __init__(self, engine: Engine, token: str | None) -> None:
        self._engine = engine
        self._token = token
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self.address = ""

    async def open(self, host: str, port: int) -> None:
        self._server = await asyncio.start_server(self._accept, host, port, limit=LINE_LIMIT)
        bound_host, bound_port = self._server.sockets[0].getsockname()[:2]
        self.address = f"[{bound_host}]:{bound_port}" if ":" in bound_host else f"{bound_host}:{bound_port}"

    async def close(self) -> None:
        """Stop listening and end every session."""
        if self._server is not None:
            self._server.close()
        sessions = list(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        crowded = len(self._sessions) >= MAX_CONNECTIONS
        self._sessions.add(task)
        try:
            if crowded:
                await _send(writer, refusal(f"{MAX_CONNECTIONS} connections are open already"))
            else:
                await self._session(reader, writer)
        except (ConnectionError, TimeoutError) as error:
            log.debug("a control connection ended: %s", error)
        finally:
            self._sessions.discard(task)
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._token is not None and not await self._admitted(reader, writer, self._token):
            return
        while (line := await _read_line(reader, writer)) is not None:
            await _send(writer, self._obey(line))

    async def _admitted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> bool:
        async with asyncio.timeout(TOKEN_TIMEOUT_S):
            line = await _read_line(reader, writer)
        if line is None:
            return False
        verb, _, shown = line.partition(" ")
        if verb == "token" and hmac.compare_digest(shown.strip().encode(), token.encode()):
            await _send(writer, [{"ok": True}])
            return True
        await _send(writer, refusal("this control port wants `token ...` first"))
        return False

    def _obey(self, line: str) -> Reply:
        try:
            return self._engine.obey(line)
        except ControlError as error:
            return refusal(error.problem)


def refusal(problem: str) -> Reply:
    return [{"ok": False, "error": problem}]


async def _read_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
    """The next line that is not empty; None once the connection is over: at its end, for HTTP, too long, no text."""
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            await _send(writer, refusal(f"a line is at most {LINE_LIMIT} bytes"))
            return None
        if looks_like_http(line):
            log.warning("a control connection spoke HTTP and was closed")
            return None
        with contextlib.suppress(UnicodeDecodeError):
            if text := line.decode("ascii").strip():
                return text
            continue
        await _send(writer, refusal("not ASCII text"))
        return None


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(b"".join(msgspec.json.encode(line) + b"\n" for line in reply))
    await writer.drain()


async def serve_control(engine: Engine, address: str, token: str | None = None) -> ControlListener:
    """Serve the control port on HOST:PORT, port 0 being any. Off loopback only with a token.

    ValueError for an address that is none or not allowed, OSError if it cannot be had.
    """
    host, port = split_address(address)
    if token is None and not await _is_loopback(host):
        raise ValueError(f"{address}: the control port listens on loopback only, or with --control-token")
    listener = ControlListener(engine, token)
    await listener.open(host, port)
    return listener


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT or [IPv6]:PORT."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 0xFFFF:
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


async def _is_loopback(host: str) -> bool:
    found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return all(ipaddress.ip_address(each[4][0]).is_loopback for each in found)
