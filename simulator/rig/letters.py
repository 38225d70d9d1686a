"""A mail server on loopback that notes what it takes, and when."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from simulator.rig.patience import until

_HEADING = re.compile(r"^(?P<where>\S+/\S+): (?P<what>[a-z ]+)(, [a-z ]+)?$", re.MULTILINE)
"""Of each step that a mail tells, as cloud_bridge.alerts.wording makes it for a device without name and site."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: UTC seconds, when the server had all of it. `text`: the plain part. `tells`: GATEWAY/UNIT and what
    happened, of each step that is in it."""

    at: float
    subject: str
    text: str
    message_id: str = ""
    tells: tuple[tuple[str, str], ...] = ()


class Letters:
    """`taken`: in the order they came. `port`: on 127.0.0.1."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[Letter] = []

    def about(self, where: str, what: str) -> list[Letter]:
        """A mail that tells of it twice is there twice."""
        return [letter for letter in self.taken for told in letter.tells if told == (where, what)]

    async def nth(self, where: str, what: str, count: int, timeout_s: float) -> None:
        """Until so many mails about that have come. Raises TooSlow."""
        await until(lambda: len(self.about(where, what)) >= count, f"mail {count}, {what} of {where},", timeout_s)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        at, content = time.time(), envelope.content
        if isinstance(content, bytes):
            self.taken.append(read(content, at))
        return "250 OK"


@asynccontextmanager
async def letters() -> AsyncIterator[Letters]:
    box, loop = Letters(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="localhost", loop=loop), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


def read(content: bytes, at: float) -> Letter:
    """Pure."""
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    text = str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
    return Letter(
        at=at,
        subject=str(message["Subject"] or ""),
        text=text,
        message_id=str(message["Message-ID"] or ""),
        tells=tuple((each["where"], each["what"]) for each in _HEADING.finditer(text)),
    )
