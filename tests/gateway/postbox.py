"""A mail server that keeps what it takes, on loopback, and an ntfy server as its documentation has it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

OK = "250 taken"


class Postbox:
    """`answer`: what is said to each mail. `letters`: what was taken. `arrived` is set with each of them."""

    def __init__(self) -> None:
        self.port = 0
        self.letters: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.arrived = asyncio.Event()
        self.answer: Callable[[], str] = lambda: OK
        self.refused: set[str] = set()
        self.logins: list[tuple[str, str]] = []

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if (answer := self.answer()) != OK:
            return answer
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self.to.append(list(envelope.rcpt_tos))
        self.arrived.set()
        return OK

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)


@asynccontextmanager
async def postbox(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[Postbox]:
    """On a port of its own until the end of the block. With `tls` a login is taken and not demanded: aiosmtpd knows of
    no encryption but its own."""
    box, loop = Postbox(), asyncio.get_running_loop()

    def serve() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.net",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=login and tls is None,
            auth_require_tls=tls is None,
            authenticator=box.authenticate,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


class Topic:
    """`status`: what a message is answered with; 0: nothing at all. `requests`: head and body of each."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        self.requests: list[tuple[str, str]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
            self.requests.append((head, (await reader.readexactly(int(length.partition(":")[2]))).decode()))
            if self.status:
                said = b'{"code":40301,"http":403,"error":"forbidden"}'
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def topic(tls: ssl.SSLContext | None = None) -> AsyncIterator[Topic]:
    found = Topic()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found
