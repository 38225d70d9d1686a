"""From waiting notifications to notices that were sent: each channel by itself, one notice after another.

A notification is recorded as sent after it was: killed in between, it leaves once more under the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from cloud_bridge.alerts.model import Sighting
from cloud_bridge.alerts.notice import Notification, State
from cloud_bridge.notify.open import Shared
from cloud_bridge.runtime.alerts.channel import ChannelDesk
from cloud_bridge.runtime.alerts.composing import Composer, View
from cloud_bridge.runtime.alerts.warming import warm
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import alerting, reasons, untold
from cloud_bridge.store.registry.errors import RegistryError
from cloud_bridge.store.registry.reasons import Reason
from cloud_bridge.store.registry.registry import Registry

REFRESH_S = 30.0
"""How often the registry is looked at for notifications that nobody told of."""
RETRY_S = 1.0
"""Between tries to use a registry that is away."""

T = TypeVar("T")
Recorded = tuple[Sequence[Notification], str, str]
"""Notifications as they are now, and the code and the sentence of the reason, if there is one to be left."""

log = logging.getLogger(__name__)


class Dispatcher:
    """Everything runs in the event loop's thread, but databases, which have a thread of their own.

    `report`: gets what is seen of channels that fail, or no longer do.
    """

    def __init__(self, settings: CloudSettings, report: Callable[[Sighting], None]) -> None:
        self._settings = settings
        self._report = report
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="notices")
        self._registry: Registry | None = None
        self._composer: Composer | None = None
        self._shared = Shared(settings)
        self._channels: dict[int, ChannelDesk] = {}
        self._view: View | None = None
        self._records: list[Recorded] = []
        self._to_record = asyncio.Event()
        self._stale = asyncio.Event()
        self._trouble = ""

    async def run(self) -> None:
        """Until cancelled."""
        if self._settings.smtp is not None:
            await self._in_thread(warm)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_recording(), name="recording")
                group.create_task(self._keep_looking(), name="looking")
        finally:
            await asyncio.gather(*(desk.close() for desk in self._channels.values()), return_exceptions=True)
            await self._shared.close()
            await self._in_thread(partial(self._record_all, self._records))
            await self._in_thread(self._close)
            self._thread.shutdown()

    def look(self, view: View) -> None:
        """How things are now; whatever waits in the registry is looked at again."""
        self._view = view
        for number, desk in self._channels.items():
            desk.change(view.directory.channels.get(number), view)
        self._stale.set()

    def offer(self, made: Iterable[Notification], view: View) -> None:
        """Notifications that the registry has."""
        self._view = view
        for one in made:
            self._desk(one.channel, view).put(one)

    def _desk(self, number: int, view: View) -> ChannelDesk:
        desk = self._channels.get(number)
        if desk is None:
            desk = ChannelDesk(number, self._settings, self._shared, self._compose, self.record, self._report)
            self._channels[number] = desk
        desk.change(view.directory.channels.get(number), view)
        return desk

    def record(self, changed: Sequence[Notification], code: str = "", reason: str = "") -> None:
        """Writes it down as soon as the registry can be written; in order."""
        self._records.append((changed, code, reason))
        self._to_record.set()

    async def _compose(self, made: Callable[[Composer], T]) -> T:
        """Calls `made` where it may block, however long the registry is away."""
        while True:
            try:
                return await self._in_thread(partial(self._with_composer, made))
            except RegistryError as error:
                self._tell_trouble(str(error))
                await asyncio.sleep(RETRY_S)

    def _with_composer(self, made: Callable[[Composer], T]) -> T:
        if self._composer is None:
            self._composer = Composer(self._settings, self._opened())
        return made(self._composer)

    async def _keep_looking(self) -> None:
        while True:
            if self._view is not None:
                await self._look_once()
            try:
                async with asyncio.timeout(REFRESH_S):
                    await self._stale.wait()
            except TimeoutError:
                continue

    async def _look_once(self) -> None:
        self._stale.clear()
        # What is not recorded yet would look as if it still waited.
        if self._records:
            await self._record_until_done()
        busy = {one for desk in self._channels.values() for one in desk.busy}
        try:
            waiting = await self._in_thread(self._waiting)
        except RegistryError as error:
            self._tell_trouble(str(error))
            return
        recorded = {one.id for changed, _, _ in self._records for one in changed}
        if self._view is not None:
            self.offer((one for one in waiting if one.id not in recorded | busy), self._view)

    async def _keep_recording(self) -> None:
        while True:
            await self._to_record.wait()
            await self._record_until_done()

    async def _record_until_done(self) -> None:
        while todo := self._records[:]:
            if await self._in_thread(partial(self._record_all, todo)):
                del self._records[: len(todo)]
            else:
                await asyncio.sleep(RETRY_S)
        self._to_record.clear()

    def _record_all(self, todo: Sequence[Recorded]) -> bool:
        """Whether all of it could be written."""
        try:
            given_up = [one for changed, _, _ in todo for one in changed if one.state is State.FAILED]
            with self._opened().writing(noticed=bool(given_up)) as connection:
                for changed, code, reason in todo:
                    alerting.keep_notifications(connection, changed)
                    if code:
                        reasons.add_reason(connection, *_reason(changed, code, reason))
                untold.renew_told(connection, given_up)
        except RegistryError as error:
            self._tell_trouble(str(error))
            return False
        self._tell_trouble("")
        return True

    def _waiting(self) -> list[Notification]:
        with self._opened().reading() as connection:
            return alerting.waiting(connection)

    def _opened(self) -> Registry:
        if self._registry is None:
            self._registry = Registry(self._settings.registry_at)
        return self._registry

    def _close(self) -> None:
        if self._composer is not None:
            self._composer.close()
        if self._registry is not None:
            self._registry.close()

    def _tell_trouble(self, trouble: str) -> None:
        """A line for each change."""
        if trouble and trouble != self._trouble:
            log.error("%s; what was sent is recorded when it can be used again", trouble)
        if self._trouble and not trouble:
            log.warning("the registry can be used again: what was sent is recorded")
        self._trouble = trouble

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _reason(changed: Sequence[Notification], code: str, reason: str) -> tuple[list[tuple[str, int]], Reason]:
    steps = [step for one in changed for step in one.alerts]
    first = changed[0]
    return steps, Reason(
        id=0, alert="", number=0, at=now_ms(), code=code, policy=first.policy, channel=first.channel, reason=reason
    )
