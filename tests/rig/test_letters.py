"""What the rig's mail server notes of a mail."""

from __future__ import annotations

import asyncio
import smtplib
import time
from datetime import UTC, datetime
from email.headerregistry import Address

import msgspec
import pytest

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Item, Notice
from cloud_bridge.notify.letter import letter
from drivers.ups import Severity
from simulator.rig.errors import TooSlow
from simulator.rig.letters import letters, read

ITEM = Item(
    alert="a" * 32,
    number=1,
    what=What.FIRED,
    stage="on_battery",
    severity=Severity.WARNING,
    label="demo/rtu5-1",
    at=1_790_000_000_000,
    onset_at=1_790_000_000_000,
    happened="",
    meaning="",
    do_this="",
)
NOTICE = Notice(id="b" * 32, about=About.ALERT, title="", severity=Severity.WARNING, at=ITEM.at, items=(ITEM,))


def mail(*items: Item) -> bytes:
    """As the cloud makes it."""
    sender = Address("Ridethrough", addr_spec="ups@example.net")
    notice = msgspec.structs.replace(NOTICE, items=items or (ITEM,))
    return letter(notice, sender, "owner@example.net", datetime.now(UTC))


def test_a_mail_is_about_what_it_tells() -> None:
    noted = read(mail(), 12.5)
    assert (noted.at, noted.tells) == (12.5, (("demo/rtu5-1", "on battery"),))
    assert noted.subject == "[warning] demo/rtu5-1: on battery"
    assert noted.message_id.startswith(f"<{NOTICE.id}@")


def test_a_mail_that_tells_of_several_is_about_each() -> None:
    over = msgspec.structs.replace(ITEM, label="demo/rtu5-2", stage="mains_restored", what=What.RESOLVED, number=2)
    assert read(mail(ITEM, over), 1.0).tells == (("demo/rtu5-1", "on battery"), ("demo/rtu5-2", "mains restored"))


def test_a_mail_of_somebody_elses_tells_nothing() -> None:
    noted = read(b"Subject: hello\r\n\r\nx\r\n", 1.0)
    assert (noted.subject, noted.text, noted.tells) == ("hello", "x\n", ())


async def test_each_mail_is_noted_when_the_server_has_it() -> None:
    async with letters() as box:
        before = time.time()

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", box.port, timeout=10) as server:
                server.sendmail("ups@example.net", ["owner@example.net"], mail())

        await asyncio.to_thread(send)
        await box.nth("demo/rtu5-1", "on battery", 1, 5.0)
        assert before <= box.taken[0].at <= time.time()
        assert box.about("demo/rtu5-2", "on battery") == []
        with pytest.raises(TooSlow, match="on battery of demo/rtu5-2"):
            await box.nth("demo/rtu5-2", "on battery", 1, 0.0)
