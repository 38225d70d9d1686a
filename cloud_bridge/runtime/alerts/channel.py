"""What waits for one channel, and its way out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

from cloud_bridge.alerts import delivery
from cloud_bridge.alerts.delivery import Parcel
from cloud_bridge.alerts.model import Kind, Seen, Sighting, Subject, digest
from cloud_bridge.alerts.notice import Notice, Notification, State
from cloud_bridge.alerts.terms import Channel
from cloud_bridge.notify.errors import BadTarget, NotMade, NotSent
from cloud_bridge.notify.open import Shared, open_channel
from cloud_bridge.notify.worker import Worker
from cloud_bridge.runtime.alerts.composing import Composer, View
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.settings import CloudSettings
from drivers.ups import CATALOGUE

FAILING, WORKING = "channel_failing", "channel_working"

log = logging.getLogger(__name__)

T = TypeVar("T")


class Compose(Protocol):
    def __call__(self, made: Callable[[Composer], T]) -> Awaitable[T]: ...


class Record(Protocol):
    def __call__(self, changed: Sequence[Notification], code: str = "", reason: str = "") -> None: ...


class ChannelDesk:
    """Takes what is due, joins it, sends it, and says what became of it. A channel that fails stops no other."""

    def __init__(
        self,
        number: int,
        settings: CloudSettings,
        shared: Shared,
        compose: Compose,
        record: Record,
        report: Callable[[Sighting], None],
    ) -> None:
        self._number = number
        self._settings = settings
        self._shared = shared
        self._compose = compose
        self._record = record
        self._report = report
        self._row: Channel | None = None
        self._view: View | None = None
        self._worker: Worker | None = None
        self._waiting: dict[str, Notification] = {}
        self._leaving: frozenset[str] = frozenset()
        self._news = asyncio.Event()
        self._failures = 0
        self._failing_since: int | None = None
        self._resumes_at = 0
        self._told_working = False
        self._suspects: frozenset[str] = frozenset()
        self._task = asyncio.create_task(self._run(), name=f"desk {number}")

    @property
    def busy(self) -> Collection[str]:
        """Notifications that this desk has: what the registry says of them is older than what is known here."""
        return frozenset(self._waiting) | self._leaving

    def change(self, row: Channel | None, view: View) -> None:
        """The channel as it is now; None: it is gone."""
        self._view = view
        if row != self._row:
            self._row = row
            self._resumes_at = 0
            self._drop_worker()
        self._news.set()

    def put(self, one: Notification) -> None:
        if one.id in self._leaving:
            return
        self._waiting[one.id] = one
        if one.failing_since is not None:
            self._failing_since = min(one.failing_since, self._failing_since or one.failing_since)
        self._news.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._worker is not None:
            await self._worker.close()

    def _drop_worker(self) -> None:
        if self._worker is not None:
            closing, self._worker = self._worker, None
            # Kept by the name, or it might be collected before it ends.
            self._closing = asyncio.create_task(closing.close(), name=f"closing {self._number}")

    async def _run(self) -> None:
        while True:
            self._news.clear()
            try:
                if not self._withdraw() and not await self._send_next():
                    await self._wait()
            except Exception:  # this task lives on: what waits for this channel has nobody else
                log.exception("channel %d: a notice could not be made; it is tried again", self._number)
                self._resumes_at = now_ms() + 1000 * round(delivery.LONGEST_RETRY_S)

    async def _wait(self) -> None:
        """Until something is due, or new."""
        next_at = max(
            min((one.due_at for one in self._waiting.values()), default=now_ms() + 3_600_000), self._resumes_at
        )
        try:
            async with asyncio.timeout(max(0.001, (next_at - now_ms()) / 1000)):
                await self._news.wait()
        except TimeoutError:
            return

    def _withdraw(self) -> bool:
        """Takes out what is no longer wanted; whether there was any."""
        view, row = self._view, self._row
        if view is None:
            return False
        waiting, left = list(self._waiting.values()), view.unsubscribed
        gone = {one.id: why for one in waiting if (why := delivery.unwanted(one, row, left, view.at))}
        for name, why in gone.items():
            self._record([delivery.withdrawn(self._waiting.pop(name), why)], "withdrawn", f"not sent: {why}")
        return bool(gone)

    async def _send_next(self) -> bool:
        """Sends what comes first of what is due; False: nothing is."""
        row, view, now = self._row, self._view, now_ms()
        if row is None or view is None or now < self._resumes_at or not self._due(now):
            return False
        crowded = self._failures > 0
        try:
            worker = self._opened(row)
        except BadTarget as error:
            parcel = delivery.parcels(self._due(now), crowded=True)[0]
            self._not_sent(parcel, NotSent(str(error), again=True), at_once=True)
            return True
        if (wait_s := worker.wait_s) > 0:
            crowded = True
            await asyncio.sleep(wait_s)
        parcel = self._first(self._due(now_ms()), crowded)
        self._leaving = frozenset(one.id for one in parcel)
        try:
            await self._send(worker, parcel, row, view)
        finally:
            self._leaving = frozenset()
        return True

    async def _send(self, worker: Worker, parcel: Parcel, row: Channel, view: View) -> None:
        try:
            notice = await self._made(parcel, row, view)
            await worker.deliver(notice)
        except NotSent as error:
            self._not_sent(parcel, error)
            return
        now = now_ms()
        sent = [delivery.sent(self._waiting.pop(one.id), now) for one in parcel if one.id in self._waiting]
        self._record(sent, "sent", f"sent to {row.kind} channel {row.name}{_with(parcel)}")
        if self._failures or not self._told_working:
            self._report(self._seen(Seen.ENDED, WORKING, now, now, {}))
        self._failures, self._failing_since, self._told_working = 0, None, True

    def _first(self, due: Sequence[Notification], crowded: bool) -> Parcel:
        """What is under suspicion leaves alone, and after all that is not."""
        clear = [one for one in due if one.id not in self._suspects]
        return delivery.parcels(clear, crowded=crowded)[0] if clear else (due[0],)

    async def _made(self, parcel: Parcel, row: Channel, view: View) -> Notice:
        """Raises NotMade."""
        try:
            return await self._compose(lambda composer: composer.compose(parcel, row, view, now_ms()))
        except Exception as error:  # what one notification holds must keep no other from leaving
            log.exception("channel %s: a notice could not be made", row.name)
            raise NotMade(f"{type(error).__name__}: the log of the alerts role says more", again=True) from error

    def _opened(self, row: Channel) -> Worker:
        """Raises BadTarget."""
        if self._worker is None:
            channel = open_channel(row, self._settings, self._shared)
            self._worker = Worker(row.name, channel, row.per_minute)
        return self._worker

    def _due(self, now: int) -> list[Notification]:
        return delivery.ready(self._waiting.values(), now)

    def _not_sent(self, parcel: Parcel, error: NotSent, *, at_once: bool = False) -> None:
        now = now_ms()
        self._failures += 1
        since = self._failing_since = now if self._failing_since is None else self._failing_since
        failures, is_ours = self._failures, isinstance(error, NotMade)
        if is_ours:  # whichever of them it is, the others leave without it
            self._suspects = (self._suspects & self._waiting.keys()) | {one.id for one in parcel}
            failures = max(failures, parcel[0].attempts + 1)
        wait_s = delivery.retry_s(failures, random.random(), error.after_s)
        tried = [
            delivery.not_sent(one, error.reason, now, wait_s, again=error.again, retry_for_s=self._retry_for_s)
            for one in parcel
        ]
        given_up = any(one.state is State.FAILED for one in tried)
        for one in tried:
            del self._waiting[one.id]
            if one.state is State.WAITING:
                self._waiting[one.id] = one
        if error.again and not is_ours:
            self._resumes_at = now + round(wait_s * 1000)
        self._tell_failure(tried, error, wait_s)
        if given_up or at_once or now - since >= delivery.FAILING_S * 1000:
            self._report(self._seen(Seen.BEGAN, FAILING, since, now, {"error": error.reason}))

    def _tell_failure(self, tried: Sequence[Notification], error: NotSent, wait_s: float) -> None:
        """A reason at a notification's first try and at its last one; those in between are counted in it."""
        name = self._row.name if self._row else str(self._number)
        failed = [one for one in tried if one.state is State.FAILED]
        waits = [one for one in tried if one.state is State.WAITING]
        first = [one for one in waits if one.attempts == 1]
        later = [one for one in waits if one.attempts > 1]
        if failed:
            log.error("channel %s: given up: %s", name, error.reason)
            self._record(failed, "failed", f"given up by channel {name}: {error.reason}")
        if first:
            log.warning("channel %s: %s; it is tried again", name, error.reason)
            self._record(first, "not_sent", f"channel {name}: {error.reason}; tried again in {wait_s:.0f} s")
        if later:
            self._record(later)

    @property
    def _retry_for_s(self) -> float:
        return self._settings.alerts.retry_for_s

    def _seen(self, seen: Seen, stage: str, since: int, at: int, details: dict[str, str]) -> Sighting:
        subject = Subject(Kind.CHANNEL, str(self._number))
        return Sighting(
            subject=subject,
            condition=FAILING,
            seen=seen,
            stage=stage,
            severity=CATALOGUE[stage].severity,
            at=at,
            mark=digest(str(subject), FAILING, seen, str(since)),
            details=details,
        )


def _with(parcel: Parcel) -> str:
    others = len(parcel) - 1
    return f", one notice with {others} more" if others else ""
