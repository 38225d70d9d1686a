"""docs/channels.md is true."""

from __future__ import annotations

import re
import textwrap
import time
from typing import Any

import msgspec

from cloud_bridge.notify.services import SERVICES
from cloud_bridge.notify.targets import check_target
from cloud_bridge.notify.webhook import Body, Step, Webhook
from tests.cloud_bridge.notify.notices import item, notice
from tests.cloud_bridge.notify.peers import web_server
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "channels.md").read_text()


def block(beginning: str) -> str:
    """The indented block that begins so."""
    start = PAGE.index(f"    {beginning}")
    rows = PAGE[start:].splitlines()
    end = next((n for n, row in enumerate(rows) if row and not row.startswith("    ")), len(rows))
    return textwrap.dedent("\n".join(rows[:end]))


def test_the_documented_json_has_the_members_that_are_sent_and_no_others() -> None:
    example = block("{\n")
    body = msgspec.json.decode(example, type=Body, strict=True)
    raw = msgspec.json.decode(example)
    assert set(raw) == set(Body.__struct_fields__)
    assert set(raw["alerts"][0]) == set(Step.__struct_fields__)
    assert body.alerts[0].stage == "low_battery"


async def test_the_documented_code_tells_genuine_requests_from_others() -> None:
    secret = "correct-horse-battery"
    with web_server() as web:
        await Webhook(f"http://127.0.0.1:{web.port}/ secret={secret}", allow_private=True).send(notice(item()))
    (asked,) = web.asked
    names: dict[str, Any] = {}
    exec(block("import hashlib"), names)
    headers = {
        "X-Ridethrough-Timestamp": asked.headers["x-ridethrough-timestamp"],
        "X-Ridethrough-Signature": asked.headers["x-ridethrough-signature"],
    }
    assert names["is_genuine"](secret, headers, asked.body)
    assert not names["is_genuine"]("another secret", headers, asked.body)
    assert not names["is_genuine"](secret, headers, asked.body + b" ")
    old = headers | {"X-Ridethrough-Timestamp": str(int(time.time()) - 4000)}
    assert not names["is_genuine"](secret, old, asked.body)


def test_the_documented_targets_are_taken() -> None:
    found = re.findall(r"^    ([a-z]+)(://\S+)", PAGE, re.MULTILINE)
    targets = [(scheme, scheme + rest) for scheme, rest in found]
    assert len(targets) >= 6
    for scheme, target in targets:
        if scheme in SERVICES and scheme != "workflows":  # whose port is written as a word
            check_target("apprise", target, allow_private=False)
    check_target("webhook", "https://example.net/hooks/ups secret=4u8Zr0fQd1xWmK2t", allow_private=False)
