"""One channel at work: its own task, its own rate, its own queue. A channel that hangs or fails stops no other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from cloud_bridge.alerts.notice import Notice
from cloud_bridge.alerts.rate import Rate
from cloud_bridge.notify.channel import SEND_S, Channel
from cloud_bridge.notify.errors import NotMade, NotSent

QUEUE = 100
"""Most notices that wait in a worker; what is more waits in the registry."""
GRACE_S = 25.0
"""Beyond a channel's own limit: for what starts first, waits its turn at the mail server, or keeps no limit."""

log = logging.getLogger(__name__)

_Job = tuple[Notice, "asyncio.Future[None]"]


class Worker:
    """Sends notices to one channel, one after another, as fast as its rate lets them leave."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        limit_s: float = SEND_S + GRACE_S,
    ) -> None:
        self._name = name
        self._channel = channel
        self._clock = clock
        self._limit_s = limit_s
        self._rate = Rate.of(per_minute, clock())
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(QUEUE)
        self._busy = self._closed = False
        self._task = asyncio.create_task(self._run(), name=f"channel {name}")

    @property
    def wait_s(self) -> float:
        """Seconds until the rate lets another notice leave; 0: now. What waits meanwhile can be joined into one."""
        return self._rate.wait_s(self._clock())

    @property
    def waiting(self) -> int:
        """Notices taken and not yet sent."""
        return self._queue.qsize() + self._busy

    async def deliver(self, notice: Notice) -> None:
        """Returns once somebody took it. Raises NotSent, whatever went wrong."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closed:
            raise NotSent(f"channel {self._name} is closed", again=True)
        try:
            self._queue.put_nowait((notice, done))
        except asyncio.QueueFull:
            raise NotSent(f"channel {self._name} has {QUEUE} notices waiting", again=True) from None
        await done

    async def close(self) -> None:
        """What has not left is NotSent, to be tried again by whoever has it."""
        self._closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        while not self._queue.empty():
            _settle(self._queue.get_nowait()[1], NotSent(f"channel {self._name} was closed", again=True))
        await self._channel.close()

    async def _run(self) -> None:
        while not self._closed:  # wait_for of Python 3.11 can swallow a cancellation
            notice, done = await self._queue.get()
            self._busy = True
            try:
                _settle(done, await self._send(notice, done))
            except asyncio.CancelledError:
                _settle(done, NotSent(f"channel {self._name} was closed", again=True))
                raise
            finally:
                self._busy = False

    async def _send(self, notice: Notice, done: asyncio.Future[None]) -> NotSent | None:
        """What went wrong; None: it is sent, or nobody waits for it any more."""
        await asyncio.sleep(self.wait_s)
        if done.done():
            return None
        self._rate.take(self._clock())
        try:
            async with asyncio.timeout(self._limit_s):
                await self._channel.send(notice)
        except NotSent as error:
            return error
        except TimeoutError:
            return NotSent(f"no end within {self._limit_s:.0f} s", again=True)
        except Exception as error:  # a channel's mistake must not end the task that serves it
            log.exception("channel %s: notice %s", self._name, notice.id)
            return NotMade(f"{type(error).__name__}: the log of the alerts role says more", again=True)
        return None


def _settle(done: asyncio.Future[None], error: NotSent | None) -> None:
    if done.done():  # whoever waited has gone
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
