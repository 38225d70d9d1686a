"""What every request to an application of ours goes through before it is looked at: its Host, and its length (ASGI).

Nothing here believes an address: behind a proxy every visitor comes from this machine (S25).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud_bridge.host_header import host_of

Refusal = Callable[[Literal[413, 414, 421]], Response]
"""How an application says no."""
URL_BYTES = 4096
"""Of path and query; a link of ours has about 400."""


class OnlyFor:
    """Requests for other hosts than `hosts` are misdirected (RFC 9110, section 15.5.20)."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], refusal: Refusal) -> None:
        self._app, self._hosts, self._refusal = app, hosts, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        if len(named) == 1 and host_of(named[0]) in self._hosts:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._refusal(421)(scope, receive, send)


class AtMost:
    """Reads a body of up to `most` bytes before anything else sees the request; a longer one is not read to its end.
    Nor is a request whose URL is too long."""

    def __init__(self, app: ASGIApp, most: int, refusal: Refusal) -> None:
        self._app, self._most, self._refusal = app, most, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["path"]) + len(scope["query_string"]) > URL_BYTES:
            await self._refusal(414)(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await self._refusal(413)(scope, receive, send)
                return
        await self._app(scope, _Replay(bytes(body), receive), send)


class _Replay:
    """The body once, then whatever comes: that the client is gone."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
