"""The process of the alerts role: `cloud run --only alerts`."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud_bridge.alerts.notice import Notification
from cloud_bridge.errors import CloudError
from cloud_bridge.runtime.alerts.composing import View
from cloud_bridge.runtime.alerts.deadman import keep_signalling
from cloud_bridge.runtime.alerts.dispatcher import Dispatcher
from cloud_bridge.runtime.alerts.engine import Engine
from cloud_bridge.runtime.alerts.wake import Ear
from cloud_bridge.runtime.vault import Vault
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.registry.errors import RegistryFailed
from cloud_bridge.store.registry.registry import Registry
from config.runtime.ready import announce

LOCK_NAME = "alerts.lock"

log = logging.getLogger(__name__)


def run_alerts(settings: CloudSettings) -> None:
    """Until SIGTERM or SIGINT; says `ready: alerts SOCKET` once it serves. Raises CloudError."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    Vault(settings.channel_key)
    _check_registry(settings)
    with _alone(settings.data / LOCK_NAME), Ear(settings.data) as ear:
        asyncio.run(_run(settings, ear))


async def _run(settings: CloudSettings, ear: Ear) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def offer(made: Sequence[Notification], view: View) -> None:
        loop.call_soon_threadsafe(dispatcher.offer, made, view)

    def changed(view: View) -> None:
        loop.call_soon_threadsafe(dispatcher.look, view)

    telemetry = settings.data / FILE_NAME

    def open_vault() -> Callable[[bytes], str]:
        return Vault(settings.channel_key).open

    engine = Engine(settings.registry_at, telemetry, settings.alerts, open_vault, ear, offer, changed)
    dispatcher = Dispatcher(settings, engine.report)
    tasks = [asyncio.create_task(dispatcher.run(), name="dispatcher")]
    if settings.dead_man is not None:
        beat = keep_signalling(settings.dead_man, telemetry, lambda: engine.drained_at)
        tasks.append(asyncio.create_task(beat, name="dead man"))
    engine.start()
    announce("alerts", str(ear.path))
    stopping = asyncio.create_task(stop.wait(), name="signals")
    try:
        await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await asyncio.to_thread(engine.stop)
        for task in (stopping, *tasks):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two would tell everything twice. Raises CloudError."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CloudError(f"{lock}: locked, so another alerts role runs on this folder") from None
        yield


def _check_registry(settings: CloudSettings) -> None:
    """Raises RegistryError if there is none, or another version's; one that is away is waited for."""
    try:
        Registry(settings.registry_at).close()
    except RegistryFailed as error:
        log.debug("%s", error)
