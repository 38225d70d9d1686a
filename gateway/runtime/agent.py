"""The long-running gateway: `python -m gateway.runtime.agent FD`, started by `ridethrough gateway run` in its place.

It imports neither yaml, click, rich nor sqlite-utils: what the owner wrote comes decoded through the file descriptor
FD, and the outbox file is ready.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from config.runtime.log import set_up_logging
from config.runtime.notify import ServiceManager
from config.runtime.ready import announce
from drivers.errors import DriverError
from gateway import reload
from gateway.errors import GatewayError, NotReloaded
from gateway.order import Order, from_json
from gateway.runtime.assembly import Assembly
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.runtime.reload import reread
from gateway.runtime.watchdog import Watchdog
from gateway.store.writer import Writer

logger = logging.getLogger("gateway")

DONE, FAILED = 0, 1

STOP_S = 10.0
"""What a stop may take; what is not done then is as safe as after kill -9."""


def main(arguments: Sequence[str]) -> int:
    with os.fdopen(int(arguments[0]), "rb") as file:
        file.seek(0)
        order = from_json(file.read())
    set_up_logging(order.source.log_level)
    try:
        asyncio.run(Agent(order, ServiceManager(os.environ)).run())
    except (GatewayError, DriverError) as error:
        logger.error("%s", error)
    except Exception:  # top of the process: told with its traceback, then it ends and is started anew
        logger.exception("the gateway ends: a part of it failed")
    else:
        return DONE
    return FAILED


class Agent:
    """Runs the gateway's parts; does what signals ask for, and tells the service manager how it is."""

    def __init__(self, order: Order, manager: ServiceManager) -> None:
        self._order = order
        self._manager = manager
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT: then offline is said and everything in memory is written. SIGHUP reads the settings
        anew."""
        self._listen()
        outbox = await self._opened_outbox()
        assembly = Assembly(self._order.wishes, outbox, outbox.clock, self._manager)
        try:
            async with asyncio.TaskGroup() as tasks:
                await assembly.start(tasks)
                aside = [
                    tasks.create_task(self._reload_for_ever(assembly, tasks), name="reload"),
                    tasks.create_task(Watchdog(self._manager, assembly.pulses).run(), name="watchdog"),
                ]
                announce("gateway", assembly.wishes.settings.gateway)
                self._manager.ready()
                await self._stop.wait()
                self._manager.stopping()
                for task in aside:
                    task.cancel()
                await self._ended(assembly, clean=True)
        except* (GatewayError, DriverError) as errors:
            raise next(_leaves(errors)) from None
        finally:
            if not self._stop.is_set():
                await self._ended(assembly, clean=False)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop.set)
        # A terminal that is closed says SIGHUP too, and means the end.
        loop.add_signal_handler(signal.SIGHUP, self._stop.set if os.isatty(0) else self._reload.set)

    async def _opened_outbox(self) -> Outbox:
        loop = asyncio.get_running_loop()
        quota_bytes = self._order.wishes.settings.outbox_mb * 2**20
        outbox = Outbox(Writer(Path(self._order.outbox), loop), SystemClock(), loop, quota_bytes)
        loop.set_exception_handler(partial(_told, outbox))
        await outbox.open()
        return outbox

    async def _ended(self, assembly: Assembly, *, clean: bool) -> None:
        try:
            async with asyncio.timeout(STOP_S):
                await assembly.stop(clean=clean)
        except TimeoutError:
            logger.error("not everything could be ended within %g s; what is left is found by the next start", STOP_S)
            logging.shutdown()
            os._exit(FAILED)  # a disk that hangs would hold back the interpreter's own end for ever

    async def _reload_for_ever(self, assembly: Assembly, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._manager.reloading()
            try:
                changes = await assembly.change(await reread(self._order.source), tasks)
                logger.info("the settings were read again: %s", reload.told(changes))
            except NotReloaded as error:
                logger.error("the settings stay as they were: %s", error)
            self._manager.ready()


def _told(outbox: Outbox, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a callback of the loop raised ends the gateway as what a task raised does."""
    if "handle" in context and (error := context.get("exception")):
        outbox.fail(error)
    else:
        loop.default_exception_handler(context)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a task group's error."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
