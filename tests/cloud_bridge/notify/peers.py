"""Real peers on loopback: a mail server (aiosmtpd) and a web server (the standard library's)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from cloud_bridge.authority import Use
from cloud_bridge.runtime.keys import new_authority, new_leaf

PATIENCE_S = 20.0
LOGIN, PASSWORD = "ups@example.net", "long and secret"


@dataclass(frozen=True)
class Certificates:
    """A server's, and the authority that a client has to believe."""

    ca: Path
    server: ssl.SSLContext

    @property
    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


def certificates(folder: Path, *hosts: str) -> Certificates:
    """Of a server that answers to `hosts`."""
    ca, leaf = folder / "ca.pem", folder / "server.pem"
    authority = new_authority((ca, folder / "ca.key"), "of tests", datetime.now(UTC), demo=True)
    new_leaf((leaf, folder / "server.key"), authority, hosts[0], Use.SERVER, hosts)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf, folder / "server.key")
    return Certificates(ca, context)


@dataclass
class Mailbox:
    """What aiosmtpd asks at each step; `mail`, `rcpt`, `data`: what it answers instead of yes, next first.
    `asked`: a letter is here; `hold`: it answers once that is set."""

    port: int = 0
    mail: list[str] = field(default_factory=list)
    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    connections: list[asyncio.Transport] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def messages(self) -> list[EmailMessage]:
        return [parsed(letter) for letter in self.letters]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mail:
            return self.mail.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.asked.set()
        if self.hold:
            await self.hold.wait()
        if self.data:
            return self.data.pop(0)
        assert isinstance(envelope.content, bytes)
        self.letters.append(envelope.content)
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        self.secure.append(session.ssl is not None)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


class _Server(SMTP):
    """Tells the mailbox of connections."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.event_handler.connections.append(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.event_handler.closed.set()


def parsed(letter: bytes) -> EmailMessage:
    message = message_from_bytes(letter, policy=default)
    assert isinstance(message, EmailMessage)
    return message


@asynccontextmanager
async def mail_server(
    starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, *, login: bool = False
) -> AsyncIterator[Mailbox]:
    """aiosmtpd on loopback, in this loop."""
    loop = asyncio.get_running_loop()
    box = Mailbox()

    def serve() -> SMTP:
        return _Server(
            box,
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=login,
            auth_require_tls=tls is None,
            authenticator=box.authenticate,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for connection in box.connections:
            connection.abort()
        await server.wait_closed()


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """`answers`: status, headers and body of the next answers; without one it is 200 with an empty object.
    `arrived`: there was a request; `free`: cleared, no request is answered."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    arrived: Event = field(default_factory=Event)
    free: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.free.set()


@contextmanager
def web_server(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """http.server on loopback, in threads of its own."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            web.asked.append(Asked(self.command, self.path, headers, body))
            web.arrived.set()
            web.free.wait(PATIENCE_S)
            status, more, content = web.answers.pop(0) if web.answers else (200, {}, b"{}")
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | more).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, format: str, *arguments: object) -> None:
            """Not on the test's standard error."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client has read enough
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    web.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
