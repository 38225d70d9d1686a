"""One connection to upsd: a request goes out, its answer or a declared error comes back, within a time limit.

The protocol has no request numbers: only its order ties an answer to its question. So whatever is not a whole, fitting
answer in time costs the connection. Calls must not overlap; the driver sees to that.
"""

from __future__ import annotations

import logging
import ssl
from typing import Protocol

from drivers.driver import LineCounters
from drivers.errors import BadAnswer, NoAnswer, PeerError, Refused, Stale
from drivers.nut import protocol
from drivers.nut.options import Options, Tls
from drivers.nut.protocol import Failure, Reader, Reply, Request
from drivers.runtime.port import Clock, Port

log = logging.getLogger(__name__)

REFUSED = "refused: upsd is not running, or its LISTEN lines (upsd.conf) do not name this address"
STALE = {
    "DATA-STALE": "upsd says DATA-STALE: its driver has lost the unit, or does not update (MAXAGE)",
    "DRIVER-NOT-CONNECTED": "upsd says DRIVER-NOT-CONNECTED: the unit's driver is not running",
}
HINTS = {
    "UNKNOWN-UPS": "no unit of that name in ups.conf; `upsc -l HOST` lists them",
    "ACCESS-DENIED": "upsd.users does not grant that, or not from this host, or the password is another",
    "USERNAME-REQUIRED": "the URL needs user= and password_file=",
    "PASSWORD-REQUIRED": "the URL needs user= and password_file=",
    "INVALID-PASSWORD": "the password is another",
    "INVALID-USERNAME": "no such user in upsd.users",
    "FEATURE-NOT-SUPPORTED": "this upsd was built without TLS",
    "FEATURE-NOT-CONFIGURED": "upsd has no certificate (CERTFILE or CERTPATH in upsd.conf)",
}


class SecurablePort(Port, Protocol):
    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Raises PortLost."""
        ...


class Link:
    """`password` is sent at each connection and never told. `sent`: whether the last request left us at all."""

    def __init__(
        self,
        port: SecurablePort,
        options: Options,
        clock: Clock,
        context: ssl.SSLContext | None,
        password: str | None,
    ) -> None:
        self.counters = LineCounters()
        self.is_open = False
        self.sent = False
        self.encrypted = False
        self.tracks = False
        self._port = port
        self._options = options
        self._clock = clock
        self._context = context
        self._password = password
        self._warned = False

    @property
    def name(self) -> str:
        return self._port.name

    async def open(self) -> None:
        try:
            await self._port.open()
        except Refused as error:
            raise Refused(self.name, REFUSED) from error
        self.is_open = True
        self.encrypted = self.tracks = False
        if self._context is not None:
            await self._encrypt(self._context)
        if self._options.user is not None and self._password is not None:
            await self._log_in(self._options.user, self._password)

    async def close(self) -> None:
        self.is_open = False
        await self._port.close()

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        try:
            await self._said("STARTTLS")
        except PeerError:
            if self._options.tls is Tls.REQUIRE:
                raise
            return
        await self._port.start_tls(context)
        self.encrypted = True

    async def _log_in(self, user: str, password: str) -> None:
        """upsd looks at both only when a command comes; TRACKING then tells what became of one (1.2)."""
        if not self.encrypted and not self._warned:
            log.warning("%s: upsd offers no TLS, the password goes out unencrypted", self.name)
            self._warned = True
        await self._said("USERNAME", user)
        await self._said("PASSWORD", protocol.quoted(password), shown="PASSWORD")
        try:
            await self._said("SET", "TRACKING", "ON")
        except PeerError:
            return
        self.tracks = True

    async def _said(self, *words: str, shown: str = "") -> None:
        """A request that is answered by OK and nothing else."""
        reply = await self.ask(protocol.saying(*words, shown=shown))
        if reply.rows[0][0] != "OK":
            raise BadAnswer(self.name, f"{reply.rows[0][0][:40]!r} to {shown or words[0]}")

    async def ask(self, request: Request) -> Reply:
        """Sent once, whatever happens (S1). Raises PortLost, NoAnswer, BadAnswer, Stale, PeerError."""
        self.sent = False
        if await self._port.drain():
            self.counters.discarded += 1
            raise BadAnswer(self.name, "bytes that nobody asked for")
        started = self._clock.monotonic()
        self.counters.requests += 1
        self.sent = True
        await self._port.write(request.encoded())
        answer = await self._answer(Reader(request), started)
        self.counters.answers += 1
        self.counters.last_answer_at = self._clock.utc()
        self.counters.last_answer_ms = 1000 * (self._clock.monotonic() - started)
        if isinstance(answer, Reply):
            return answer
        self.counters.exceptions += 1
        raise self._error(answer, request)

    async def _answer(self, reader: Reader, started: float) -> protocol.Answer:
        deadline = started + self._options.timeout_s
        while True:
            data = await self._port.read(deadline)
            if not data:
                self.counters.timeouts += 1
                raise NoAnswer(self.name, self._clock.monotonic() - started, "is this upsd?")
            try:
                answer = reader.feed(data)
            except protocol.Malformed as error:
                self.counters.discarded += 1
                raise BadAnswer(self.name, str(error)) from None
            if answer is not None:
                return answer

    def _error(self, failure: Failure, request: Request) -> PeerError | Stale:
        if failure.token in STALE:
            return Stale(self.name, STALE[failure.token])
        return PeerError(self.name, failure.token[:40], request.shown, HINTS.get(failure.token, ""))
