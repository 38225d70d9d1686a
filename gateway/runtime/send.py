"""A short-lived process, `python -m gateway.runtime.send`: sends one emergency message, by mail or ntfy, with the
standard library alone. Its modules and the system's authorities are many MB that the gateway does without.

On standard input an `Errand`, on standard output an `Outcome`, both JSON.
"""

from __future__ import annotations

import resource
import smtplib
import ssl
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from email.utils import formatdate
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from drivers.ups import Severity, clean_text
from gateway.emergency_text import Errand, Message, Outcome
from gateway.errors import NotSent
from gateway.runtime.secret import read_secret
from gateway.runtime.tls import NO_CHECK_TIME
from gateway.settings import MailRoute, NtfyRoute

PATIENCE_S = 15.0
"""For each of TCP, TLS and every answer."""
ROUTE_S = 75.0
"""For a whole route: a server that says a byte now and then is never silent for that long."""
MEMORY_BYTES = 512 * 1024**2
"""Of address space: smtplib keeps all that a server says, and that may have no end."""
ANSWER_BYTES = 4096
NTFY_BYTES = 4000
"""ntfy makes an attachment of a text above 4096 bytes, which its app does not show (ntfy's `message-size-limit`)."""

_PRIORITY = {Severity.INFORMATIONAL: "3", Severity.WARNING: "4", Severity.CRITICAL: "5"}
"""ntfy's: 3 is default, 4 high, 5 urgent."""


def send(errand: Errand, limit_s: float = ROUTE_S) -> Outcome:
    """By every route at once; one that fails, or says a byte now and then for ever, does not stop the other."""
    tries = [_Try(route, errand) for route in errand.routes]
    for each in tries:
        each.start()
    until = monotonic() + limit_s
    for each in tries:
        each.join(max(0.0, until - monotonic()))
    ends = [(each, each.end or _End(False, f"no end within {limit_s:g} s", unclear=True)) for each in tries]
    return Outcome(
        taken=any(end.taken for _, end in ends),
        trouble="; ".join(f"{each.where}: {end.trouble}" for each, end in ends if end.trouble),
        unclear=any(end.unclear for _, end in ends),
    )


class _End(NamedTuple):
    """What became of one route."""

    taken: bool
    trouble: str
    unclear: bool = False


class _Try(Thread):
    """One route. The process does not wait for it."""

    def __init__(self, route: MailRoute | NtfyRoute, errand: Errand) -> None:
        super().__init__(daemon=True)
        self._route, self._errand = route, errand
        self.where = f"mail by {route.host}" if isinstance(route, MailRoute) else f"ntfy at {_host(route)}"
        self.end: _End | None = None

    def run(self) -> None:
        try:
            self.end = _End(True, _sent(self._route, self._errand))
        except NotSent as error:
            self.end = _End(False, error.why, error.unclear)


def _host(route: NtfyRoute) -> str:
    """Without what may be secret before it."""
    return urlsplit(route.url).netloc.rpartition("@")[2]


def _sent(route: MailRoute | NtfyRoute, errand: Errand) -> str:
    """What was wrong though it was taken. Raises NotSent."""
    secret = read_secret(route.secret)
    try:
        context = _context(route.ca, errand.clock_is_right)
        if isinstance(route, MailRoute):
            return _mail(route, errand.message, secret, context)
        return _ntfy(route, errand.message, secret, context)
    except NotSent as error:
        raise NotSent(_without(secret, error.why), unclear=error.unclear) from error
    except (OSError, ValueError, HTTPException, MemoryError) as error:  # smtplib's own errors are OSErrors
        raise NotSent(_without(secret, _why(error))) from error


def _without(secret: str, said: str) -> str:
    """A server may repeat what it was told."""
    return said.replace(secret, "…") if secret else said


def _context(authority: Path | None, clock_is_right: bool) -> ssl.SSLContext:
    """Without a right clock a certificate's dates are no reason to keep quiet; whose it is always counts."""
    try:
        context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    except (OSError, ssl.SSLError) as error:
        raise NotSent(f"{authority}: no authority's certificate can be read: {_why(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not clock_is_right:
        context.verify_flags |= NO_CHECK_TIME
    return context


def letter(route: MailRoute, message: Message) -> EmailMessage:
    """The mail, whole. It asks vacation notices and other robots not to answer (RFC 3834)."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = route.sender, ", ".join(route.to), message.subject
    mail["Date"], mail["Message-ID"] = formatdate(), f"<{message.id}@{route.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity is Severity.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(message.text)
    return mail


def _mail(route: MailRoute, message: Message, password: str, context: ssl.SSLContext) -> str:
    mail = letter(route, message)
    with _server(route, context) as server:
        if route.security == "starttls":
            server.starttls(context=context)
        if route.user:
            server.login(route.user, password)
        try:
            refused = server.send_message(mail, route.sender, route.to)
        except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
            raise NotSent(_why(error), unclear=True) from error
    return clean_text(f"refuses {', '.join(refused)}", 200) if refused else ""


@contextmanager
def _server(route: MailRoute, context: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    """A connection; what its end says no longer matters."""
    if route.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(route.host, route.port, timeout=PATIENCE_S, context=context)
    else:
        server = smtplib.SMTP(route.host, route.port, timeout=PATIENCE_S)
    try:
        yield server
    finally:
        server.close()


def _ntfy(route: NtfyRoute, message: Message, token: str, context: ssl.SSLContext) -> str:
    parts = urlsplit(route.url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=PATIENCE_S)
    headers = {"Title": message.subject, "Priority": _PRIORITY[message.severity], "Connection": "close"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with closing(connection):
        connection.connect()
        try:
            connection.request("POST", parts.path, _cut(message.text), headers)
            response = connection.getresponse()
            answer = response.read(ANSWER_BYTES)
        except (OSError, HTTPException) as error:
            raise NotSent(_why(error), unclear=True) from error
    if response.status != 200:
        raise NotSent(f"HTTP status {response.status}: {clean_text(answer.decode(errors='replace'), 200)}")
    return ""


def _cut(text: str) -> bytes:
    """To what ntfy shows, between two characters."""
    return text.encode()[:NTFY_BYTES].decode(errors="ignore").encode()


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {PATIENCE_S:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return clean_text(f"it answers {error.smtp_code} {said}", 200)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return clean_text(f"refuses {', '.join(error.recipients)}", 200)
    return clean_text(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    errand = msgspec.json.decode(sys.stdin.buffer.read(), type=Errand, dec_hook=lambda kind, value: kind(value))
    sys.stdout.buffer.write(msgspec.json.encode(send(errand)))


if __name__ == "__main__":
    main()
