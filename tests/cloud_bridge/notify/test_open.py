"""Channels are opened as the registry has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from cloud_bridge.alerts.notice import About
from cloud_bridge.alerts.terms import Channel
from cloud_bridge.notify.errors import BadTarget
from cloud_bridge.notify.open import Shared, open_channel
from cloud_bridge.settings import CloudSettings, KeyPair, Smtp, Tls
from tests.cloud_bridge.notify.notices import item, notice
from tests.cloud_bridge.notify.peers import mail_server, web_server


def settings(smtp: Smtp | None = None, *, private: bool = True) -> CloudSettings:
    pair = KeyPair(Path("a.pem"), Path("a.key"))
    tls = Tls(gateways=Path("g.pem"), services=Path("s.pem"), broker=pair, bridge=pair)
    return CloudSettings(mqtts="127.0.0.1:8883", tls=tls, data=Path("data"), smtp=smtp, allow_private_targets=private)


def row(kind: Literal["mail", "webhook", "apprise"], target: str) -> Channel:
    return Channel(id=1, owner=None, name="c", kind=kind, target=target)


async def test_channels_of_each_kind_are_opened_and_share_what_they_can() -> None:
    async with mail_server() as box:
        smtp = Smtp(host="127.0.0.1", port=box.port, security="none", sender="ups@example.net")
        with web_server() as web:
            async with Shared(settings(smtp)) as shared:
                for channel in (
                    row("mail", "a@example.net"),
                    row("mail", "b@example.net"),
                    row("webhook", f"http://127.0.0.1:{web.port}/"),
                    row("apprise", f"ntfy://127.0.0.1:{web.port}/ups"),
                ):
                    await open_channel(channel, settings(smtp), shared).send(notice(item()))
        assert [recipients for _, recipients in box.envelopes] == [["a@example.net"], ["b@example.net"]]
        assert len(box.connections) == 1
        assert len(web.asked) == 2


async def test_a_channel_opened_alone_closes_all_that_it_opened() -> None:
    async with mail_server() as box:
        smtp = Smtp(host="127.0.0.1", port=box.port, security="none", sender="ups@example.net")
        channel = open_channel(row("mail", "a@example.net"), settings(smtp))
        await channel.send(notice(about=About.TEST))
        await channel.close()
        await box.closed.wait()
        assert box.messages[0]["Subject"] == "Test: notifications arrive here"


async def test_without_a_mail_server_a_mail_channel_says_what_is_missing() -> None:
    with pytest.raises(BadTarget, match="smtp"):
        open_channel(row("mail", "a@example.net"), settings())


async def test_s24_a_target_that_is_no_longer_allowed_is_not_opened() -> None:
    with pytest.raises(BadTarget, match="allow_private_targets"):
        open_channel(row("webhook", "http://127.0.0.1/"), settings(private=False))


def test_opening_nothing_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, cloud_bridge.notify.open, cloud_bridge.notify.worker\n"
        "print(*{'apprise', 'requests', 'aiosmtplib', 'PIL', 'jinja2', 'h11'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
