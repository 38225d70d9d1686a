"""What a gateway says must keep no other notice from its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cloud_bridge.alerts import wording
from cloud_bridge.alerts.delivery import Parcel, notice_id
from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.notice import Notice, Notification, Series, State
from cloud_bridge.alerts.terms import Channel, Directory
from cloud_bridge.folder import Folder
from cloud_bridge.notify.letter import letter
from cloud_bridge.notify.open import Shared
from cloud_bridge.notify.webhook import body_of
from cloud_bridge.runtime.alerts.channel import ChannelDesk
from cloud_bridge.runtime.alerts.composing import Composer, View
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.init import init
from cloud_bridge.settings import CloudSettings
from config.runtime.files import load
from gateway.wire.limits import INSTANT_MAX
from tests.cloud_bridge.notify.notices import item, notice
from tests.cloud_bridge.notify.peers import web_server
from tests.cloud_bridge.test_alerts_store import alert, notification

T = TypeVar("T")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("at", [0, INSTANT_MAX], ids=["the first instant", "the last instant"])
def test_s6_a_notice_is_made_of_any_instant_that_a_gateway_can_say(at: int, zone: str) -> None:
    readings = Series(label="rack-1", unit="%", points=((max(0, at - 60_000), 1.0), (at, 2.0)))
    made = notice(item(at=at, onset_at=at), time_zone=zone, series=(readings,))
    assert wording.time_text(at, ZoneInfo(zone))[:4] in ("1969", "1970", "9999")
    assert wording.text(made)
    assert wording.brief(made)
    assert body_of(made).alerts
    assert letter(made, Address("", addr_spec="a@example.net"), "b@example.net", datetime.now(UTC))


class Choosy:
    """A composer that can make no notice of one notification."""

    def __init__(self, poison: str) -> None:
        self._poison = poison

    def compose(self, parcel: Parcel, channel: Channel, view: View, now: int) -> Notice:
        if any(one.id == self._poison for one in parcel):
            raise OverflowError("date value out of range")
        return notice(item(), id=notice_id(parcel))


class Records:
    """What the desk said became of notifications; `news` is set with each."""

    def __init__(self) -> None:
        self.states: dict[str, Notification] = {}
        self.news = asyncio.Event()

    def __call__(self, changed: Sequence[Notification], code: str = "", reason: str = "") -> None:
        self.states |= {one.id: one for one in changed}
        self.news.set()

    async def until(self, done: Callable[[dict[str, Notification]], bool]) -> None:
        async with asyncio.timeout(20):
            while not done(self.states):
                self.news.clear()
                await self.news.wait()


async def test_a_notification_of_which_no_notice_can_be_made_keeps_no_other_from_leaving(tmp_path: Path) -> None:
    loaded = load(Folder(init(tmp_path / "cloud", "127.0.0.1:0", []).root).settings, CloudSettings)
    settings = msgspec.structs.replace(loaded, allow_private_targets=True)
    records, said, composer = Records(), list[Sighting](), cast(Composer, Choosy("n2"))

    async def compose(made: Callable[[Composer], T]) -> T:
        return made(composer)

    with web_server() as web:
        target = f"http://127.0.0.1:{web.port}/"
        row = Channel(id=1, owner=None, name="hook", kind="webhook", target=target, per_minute=600)
        async with Shared(settings) as shared:
            desk = ChannelDesk(1, settings, shared, compose, records, said.append)
            for number in range(1, 5):  # of one group: they would leave as one notice
                desk.put(notification(f"n{number}", alert(str(number)), due_at=now_ms()))
            desk.change(row, View(directory=Directory(channels={1: row}), unsubscribed=frozenset()))
            await records.until(lambda found: sum(one.state is State.SENT for one in found.values()) == 3)
            await desk.close()
    assert records.states["n2"].state is State.WAITING
    assert records.states["n2"].last_error.startswith("OverflowError")
    assert len(web.asked) >= 2
