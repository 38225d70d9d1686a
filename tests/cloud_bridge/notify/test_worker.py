"""Workers: each channel with its own task, rate and queue."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from cloud_bridge.alerts.notice import Notice
from cloud_bridge.notify.errors import REASON_CHARS, NotSent
from cloud_bridge.notify.worker import QUEUE, Worker
from tests.cloud_bridge.notify.notices import item, notice


@dataclass
class Recording:
    """A channel that keeps what it is given. `answers`: what it raises next; `hold`: it waits for that first."""

    answers: list[Exception] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    async def send(self, notice: Notice) -> None:
        self.begun.set()
        if self.hold:
            await self.hold.wait()
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(notice.id)

    async def close(self) -> None:
        self.closed = True


def numbered(number: int) -> Notice:
    return notice(item(), id=f"{number:032x}")


async def test_notices_go_one_after_another_in_order() -> None:
    channel = Recording()
    worker = Worker("a", channel, 600)
    await asyncio.gather(*(worker.deliver(numbered(n)) for n in range(20)))
    assert channel.sent == [f"{n:032x}" for n in range(20)]
    await worker.close()
    assert channel.closed


@pytest.mark.parametrize(
    ("raised", "again"),
    [
        pytest.param(NotSent("no such mailbox", again=False), False, id="a refusal is handed on as it is"),
        pytest.param(NotSent("busy", again=True, after_s=7.0), True, id="a refusal for now too"),
        pytest.param(ZeroDivisionError("a mistake"), True, id="a channel's mistake is tried again"),
    ],
)
async def test_a_failure_reaches_who_asked_and_the_next_notice_is_sent(raised: Exception, again: bool) -> None:
    channel = Recording(answers=[raised])
    worker = Worker("a", channel, 600)
    with pytest.raises(NotSent) as caught:
        await worker.deliver(numbered(1))
    assert caught.value.again is again
    assert caught.value.after_s == getattr(raised, "after_s", None)
    await worker.deliver(numbered(2))
    assert channel.sent == [f"{2:032x}"]
    await worker.close()


async def test_a_channel_that_hangs_is_left_after_its_limit_and_stops_no_other() -> None:
    stuck, free = Recording(hold=asyncio.Event()), Recording()
    slow, fast = Worker("slow", stuck, 600, limit_s=0.05), Worker("fast", free, 600)
    hanging = asyncio.create_task(slow.deliver(numbered(1)))
    await stuck.begun.wait()
    await fast.deliver(numbered(2))
    assert free.sent
    with pytest.raises(NotSent, match="no end within") as caught:
        await hanging
    assert caught.value.again
    await slow.close()
    await fast.close()


async def test_no_more_leave_than_the_rate_lets_and_the_worker_says_when_the_next_may() -> None:
    now = 1000.0
    worker = Worker("a", Recording(), 3, clock=lambda: now)
    assert worker.wait_s == 0.0
    await worker.deliver(numbered(1))
    assert worker.wait_s == pytest.approx(20.0)
    now += 20.0
    assert worker.wait_s == pytest.approx(0.0)
    await worker.deliver(numbered(2))
    await worker.close()


async def test_a_full_queue_says_so_at_once() -> None:
    channel = Recording()
    worker = Worker("a", channel, 600)
    asked = (worker.deliver(numbered(n)) for n in range(QUEUE + 3))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert len(channel.sent) == results.count(None) == QUEUE
    assert all(isinstance(result, NotSent) and result.again for result in results[QUEUE:])
    await worker.close()


async def test_what_has_not_left_when_it_is_closed_is_to_be_tried_again() -> None:
    channel = Recording(hold=asyncio.Event())
    worker = Worker("a", channel, 600)
    asked = [asyncio.create_task(worker.deliver(numbered(n))) for n in range(5)]
    await channel.begun.wait()
    assert worker.waiting == 5
    await worker.close()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, NotSent) and result.again for result in results)
    assert channel.closed
    with pytest.raises(NotSent, match="closed"):
        await worker.deliver(numbered(9))


async def test_who_no_longer_waits_is_not_sent_to() -> None:
    channel = Recording(hold=asyncio.Event())
    worker = Worker("a", channel, 600)
    first = asyncio.create_task(worker.deliver(numbered(1)))
    await channel.begun.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await worker.deliver(numbered(2))
    assert channel.hold
    channel.hold.set()
    await first
    await worker.deliver(numbered(3))
    assert channel.sent == [f"{1:032x}", f"{3:032x}"]
    await worker.close()


def test_s6_a_reason_is_one_short_line_whatever_the_peer_said() -> None:
    error = NotSent("550 no\r\nX: \x1b[31m\udc80\0 " + "a" * 100_000, again=False)
    assert error.reason.isprintable()
    assert len(error.reason) <= REASON_CHARS
    assert str(error) == error.reason
    assert error.reason.encode()


async def test_a_channel_s_mistake_is_told_without_its_words_which_may_hold_a_target() -> None:
    worker = Worker("a", Recording(answers=[ValueError("https://example.net/a-secret")]), 600)
    with pytest.raises(NotSent, match="ValueError") as caught:
        await worker.deliver(numbered(1))
    assert "secret" not in caught.value.reason
    await worker.close()
