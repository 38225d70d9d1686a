"""One HTTP request to a target that a user named: to a judged address, without redirects, proxies and patience.

The library's clients resolve, follow and read by themselves; h11 speaks HTTP and leaves all of that to us.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from functools import cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote

import h11

from cloud_bridge.notify.channel import ANSWER_BYTES, SEND_S
from cloud_bridge.notify.errors import NotSent
from cloud_bridge.notify.guard import resolved

LONGEST_WAIT_S = 3600.0
"""Most that a peer can have us wait by Retry-After."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
Headers = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """`headers`: names in lower case. `body`: at most ANSWER_BYTES of it."""

    status: int
    headers: dict[str, str]
    body: bytes


@cache
def public_tls() -> ssl.SSLContext:
    """Believes the system's authorities."""
    return ssl.create_default_context()


async def request(
    method: str,
    url: SplitResult,
    headers: Headers,
    body: bytes,
    *,
    allow_private: bool,
    tls: ssl.SSLContext | None = None,
    limit_s: float = SEND_S,
) -> Answer:
    """Raises NotSent if there is no answer; one of any status is returned."""
    host = str(url.hostname)
    try:
        async with asyncio.timeout(limit_s):
            addresses = await resolved(host, url.port or _DEFAULT_PORTS[url.scheme], allow_private)
            reader, writer = await _connect(addresses, url, tls)
            try:
                return await _exchange(reader, writer, _head(method, url, headers, len(body)), body)
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise NotSent(f"{host}: no answer within {limit_s:.0f} s", again=True) from None
    except ssl.SSLCertVerificationError as error:
        raise NotSent(f"{host}: its certificate is not accepted: {error.verify_message}", again=True) from error
    except OSError as error:
        raise NotSent(f"{host}: {error.strerror or str(error) or type(error).__name__}", again=True) from error
    except h11.RemoteProtocolError as error:  # whose text holds what came: it may repeat the path, which is secret
        raise NotSent(f"{host}: what it answers is no HTTP", again=True) from error


def retry_after_s(answer: Answer, now: float) -> float | None:
    """What its Retry-After asks for (RFC 9110, 10.2.3); `now` in seconds since 1970."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(until - now, 0.0), LONGEST_WAIT_S)


async def _connect(
    addresses: Sequence[str], url: SplitResult, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first address that answers; the certificate has to be the name's."""
    secure = url.scheme == "https"
    port = url.port or _DEFAULT_PORTS[url.scheme]
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            return await asyncio.open_connection(
                address,
                port,
                ssl=(tls or public_tls()) if secure else None,
                server_hostname=url.hostname if secure else None,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
    raise failure


def _head(method: str, url: SplitResult, headers: Headers, length: int) -> h11.Request:
    query = f"?{quote(url.query, safe=_PATH_SAFE + '?')}" if url.query else ""
    target = quote(url.path or "/", safe=_PATH_SAFE) + query
    host = f"[{url.hostname}]" if ":" in str(url.hostname) else str(url.hostname)
    own = [("Host", host if url.port is None else f"{host}:{url.port}"), ("Connection", "close")]
    if length:
        own.append(("Content-Length", str(length)))
    return h11.Request(method=method, target=target, headers=[*own, *headers])


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: h11.Request, body: bytes
) -> Answer:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_BYTES)
    for event in (head, h11.Data(body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    await writer.drain()
    answer: h11.Response | None = None
    content = bytearray()
    try:
        while len(content) < ANSWER_BYTES:
            match await _next(connection, reader):
                case h11.Response() as answer:
                    pass
                case h11.Data(data=data):
                    content += data
                case h11.EndOfMessage() | h11.ConnectionClosed():
                    break
    except (h11.RemoteProtocolError, ConnectionError):
        if answer is None:
            raise
        # The status says what became of the request, whether or not the rest of the answer came through.
    if answer is None:
        raise ConnectionResetError("closed before it answered")
    names = {name.decode("ascii"): value.decode("latin-1") for name, value in answer.headers}
    return Answer(answer.status_code, names, bytes(content[:ANSWER_BYTES]))


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(ANSWER_BYTES))
    return event
