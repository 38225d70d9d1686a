"""A channel, tried out: one TEST notice, sent now, past policies, silences and the flood rule."""

from __future__ import annotations

import asyncio
import secrets
import time

import msgspec

from cloud_bridge.administration.names import address, find_channel, owner_name
from cloud_bridge.alerts.model import digest
from cloud_bridge.alerts.notice import About, Notice
from cloud_bridge.alerts.terms import Channel
from cloud_bridge.notify.channel import SEND_S
from cloud_bridge.notify.errors import BadTarget, NotSent
from cloud_bridge.notify.open import open_channel
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.settings import CloudSettings
from drivers.ups import Severity

LIMIT_S = 3 * SEND_S
"""Connecting, sending and being answered together."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """`why`: it was not sent; empty: it was. `again`: another try can help. `took_ms`: so long it was on its way."""

    channel: str
    notice: str
    sent: bool
    why: str = ""
    again: bool = False
    took_ms: int


async def try_channel(office: Office, name: str) -> Tried:
    """Raises NotThere, Ambiguous, RegistryError."""
    channel, notice, label = await asyncio.to_thread(_prepared, office, name)
    began = time.monotonic()
    why, again = "", False
    try:
        await _sent(channel, notice, office.settings)
    except NotSent as error:
        why, again = error.reason, error.again
    took_ms = round((time.monotonic() - began) * 1000)
    return Tried(channel=label, notice=notice.id, sent=not why, why=why, again=again, took_ms=took_ms)


def _prepared(office: Office, name: str) -> tuple[Channel, Notice, str]:
    with office.reading() as desk:
        channel = find_channel(desk.directory, name)
        owner = desk.directory.owners.get(channel.owner) if channel.owner is not None else None
        notice = Notice(
            id=digest("test", str(channel.id), str(desk.now), secrets.token_hex(8)),
            about=About.TEST,
            title="",
            severity=Severity.INFORMATIONAL,
            at=desk.now,
            to=owner_name(desk.directory, channel.owner),
            time_zone=owner.time_zone if owner else "UTC",
        )
        return channel, notice, address(desk.directory, channel)


async def _sent(channel: Channel, notice: Notice, settings: CloudSettings) -> None:
    """Raises NotSent."""
    try:
        opened = open_channel(channel, settings)
    except BadTarget as error:
        raise NotSent(str(error), again=False) from error
    try:
        async with asyncio.timeout(LIMIT_S):
            await opened.send(notice)
    except TimeoutError:
        raise NotSent(f"no answer within {LIMIT_S:.0f} s", again=True) from None
    finally:
        await opened.close()
