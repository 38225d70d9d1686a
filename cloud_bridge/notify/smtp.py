"""Connections to the mail server: few, shared by all mail channels, kept for a burst and closed when idle."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.utils import parseaddr

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from cloud_bridge.addresses import is_loopback
from cloud_bridge.alerts.wording import line
from cloud_bridge.notify.channel import SEND_S
from cloud_bridge.notify.errors import BadTarget, NotSent
from cloud_bridge.notify.targets import check_address
from cloud_bridge.settings import Smtp

AT_ONCE = 4
"""Connections at most; mail servers count them by address."""
IDLE_S = 5.0
PASSWORD_BYTES = 1024
OTHERS = stat.S_IRWXG | stat.S_IRWXO
LATER = frozenset({421, 450, 451, 452, 454, 455})


class Post:
    """The mail server of cloud.yaml."""

    def __init__(self, smtp: Smtp, *, idle_s: float = IDLE_S) -> None:
        """Raises BadTarget if it can't be used as it is set."""
        if smtp.security == "none" and not is_loopback(smtp.host):
            raise BadTarget("smtp.security", f"none is for a server on this machine, not for {smtp.host}: use starttls")
        if bool(smtp.user) != (smtp.password is not None):
            raise BadTarget("smtp.password", "user and password go together")
        self.sender_name, self.sender = parseaddr(smtp.sender if smtp.sender.isprintable() else "")
        try:
            check_address(self.sender)
        except BadTarget as error:
            raise BadTarget("smtp.sender", error.what) from error
        self._smtp = smtp
        self._idle_s = idle_s
        self._room = asyncio.Semaphore(AT_ONCE)
        self._idle: list[tuple[SMTP, asyncio.TimerHandle]] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._tls: ssl.SSLContext | None = None

    async def send(self, recipient: str, message: bytes) -> None:
        """Returns once the server took it. Raises NotSent."""
        server = f"mail server {self._smtp.host}"
        try:
            async with self._room, asyncio.timeout(SEND_S), self._connection(recipient) as connection:
                await connection.data(message)
        except SMTPResponseException as error:
            raise NotSent(f"{server}: {error.code} {line(error.message, 200)}", _again(error)) from error
        except TimeoutError as error:  # aiosmtplib's own are TimeoutErrors too
            raise NotSent(f"{server}: no answer within {SEND_S:.0f} s", again=True) from error
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"{server}: its certificate is not accepted: {error.verify_message}", again=True) from error
        except (SMTPException, OSError) as error:
            raise NotSent(f"{server}: {line(str(error), 200)}", again=True) from error

    async def close(self) -> None:
        while self._idle:
            connection, timer = self._idle.pop()
            timer.cancel()
            self._leave(connection)
        await asyncio.gather(*self._leaving)

    @asynccontextmanager
    async def _connection(self, recipient: str) -> AsyncIterator[SMTP]:
        """One whose envelope is written; kept if the block ends well."""
        connection = await self._kept(recipient) or await self._new(recipient)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._keep(connection)

    async def _kept(self, recipient: str) -> SMTP | None:
        """One of the idle, unless the server has closed it meanwhile: that is no failure."""
        while self._idle:
            connection, timer = self._idle.pop()
            timer.cancel()
            try:
                await self._address(connection, recipient)
            except SMTPServerDisconnected:
                continue
            except SMTPResponseException as error:
                connection.close()
                if error.code != 421:  # it closes: "idle for too long"
                    raise
                continue
            return connection
        return None

    async def _new(self, recipient: str) -> SMTP:
        smtp = self._smtp
        connection = SMTP(
            hostname=smtp.host,
            port=smtp.port,
            use_tls=smtp.security == "tls",
            start_tls=smtp.security == "starttls",
            tls_context=None if smtp.security == "none" else await self._context(),
            username=smtp.user or None,
            password=await asyncio.to_thread(self._password) if smtp.password else None,
            local_hostname=socket.gethostname() or "localhost",  # the library's own looks its full name up
            timeout=SEND_S,
        )
        await connection.connect()
        await self._address(connection, recipient)
        return connection

    async def _address(self, connection: SMTP, recipient: str) -> None:
        try:
            await connection.mail(self.sender)
            await connection.rcpt(recipient)
        except BaseException:
            connection.close()
            raise

    def _keep(self, connection: SMTP) -> None:
        def retire() -> None:
            self._idle[:] = [entry for entry in self._idle if entry[0] is not connection]
            self._leave(connection)

        self._idle.append((connection, asyncio.get_running_loop().call_later(self._idle_s, retire)))

    def _leave(self, connection: SMTP) -> None:
        task = asyncio.create_task(_quit(connection), name="mail server, leaving")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(self._new_context)
        return self._tls

    def _new_context(self) -> ssl.SSLContext:
        """Raises OSError, which names the file."""
        ca = self._smtp.ca
        try:
            return ssl.create_default_context(cafile=None if ca is None else str(ca))
        except OSError as error:
            raise OSError(f"{ca}: {error.strerror or error}") from error

    def _password(self) -> str:
        """Raises OSError, which names the file."""
        path = self._smtp.password
        assert path is not None
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & OTHERS:
                raise OSError(f"{path}: mode {mode:04o}: others may read the password; make it 0600: chmod 600 {path}")
            return file.read(PASSWORD_BYTES).decode(errors="replace").strip()


def _again(error: SMTPResponseException) -> bool:
    """A letter or recipient that is refused for good stays so; a login or a sender is the operator's to put right."""
    about_this_letter = isinstance(error, SMTPRecipientRefused | SMTPDataError)
    return not about_this_letter or error.code in LATER or error.code < 500


async def _quit(connection: SMTP) -> None:
    with suppress(SMTPException, OSError, TimeoutError):
        await connection.quit(timeout=1.0)
    connection.close()
