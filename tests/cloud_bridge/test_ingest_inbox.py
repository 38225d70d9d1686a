"""The queue between hearing and storing."""

from __future__ import annotations

import logging

import pytest

from cloud_bridge.runtime.inbox import (
    MAX_BYTES,
    MAX_MESSAGES,
    TAKE_BYTES,
    TAKE_MESSAGES,
    TAKE_STATUS_BYTES,
    Inbox,
)
from gateway.wire.topics import Up, up


def test_what_waits_is_taken_together_and_in_order() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put("t", b"%d" % number)
    assert [heard.payload for heard in inbox.take(0)] == [b"0", b"1", b"2", b"3", b"4"]
    assert inbox.take(0) == []


def test_one_transaction_takes_no_more_than_its_share() -> None:
    inbox = Inbox()
    for _ in range(TAKE_MESSAGES + 1):
        inbox.put("t", b"")
    assert [len(inbox.take(0)) for _ in range(2)] == [TAKE_MESSAGES, 1]
    for _ in range(3):
        inbox.put("t", bytes(TAKE_BYTES))
    assert [len(inbox.take(0)) for _ in range(3)] == [1, 1, 1]


def test_whatever_is_not_status_is_taken_first_and_a_backlog_of_status_in_small_shares() -> None:
    """An alarm waits for no hundred gateways that come back at once."""
    inbox = Inbox()
    batch = bytes(TAKE_STATUS_BYTES // 2)
    for number in range(3):
        inbox.put(up("pi-a", Up.STATUS), batch + b"%d" % number)
    inbox.put(up("pi-b", Up.EVENTS), b"alarm")
    inbox.put(up("pi-b", Up.HELLO), b"hello")
    first, second = inbox.take(0), inbox.take(0)
    assert [heard.payload[-5:] for heard in first[:2]] == [b"alarm", b"hello"]
    assert [heard.payload[-1:] for heard in first[2:]] == [b"0", b"1"]
    assert [heard.payload[-1:] for heard in second] == [b"2"]


def test_waking_returns_at_once_and_only_once() -> None:
    inbox = Inbox()
    inbox.wake()
    assert inbox.take(60) == []
    inbox.put("t", b"a")
    inbox.wake()
    assert [heard.payload for heard in inbox.take(60)] == [b"a"]
    assert inbox.take(0) == []


@pytest.mark.parametrize(("payload", "room"), [(b"", MAX_MESSAGES), (bytes(MAX_BYTES // 4), 4)], ids=["count", "bytes"])
def test_what_has_no_room_is_dropped_and_told_once(payload: bytes, room: int, caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox()
    with caplog.at_level(logging.ERROR):
        for _ in range(room + 3):
            inbox.put("t", payload)
    assert len(caplog.records) == 1
    taken = 0
    while batch := inbox.take(0):
        taken += len(batch)
    assert taken == room
    inbox.put("t", payload)
    assert len(inbox.take(0)) == 1
