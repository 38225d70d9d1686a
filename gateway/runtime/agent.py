"""The long-running gateway: `python -m gateway.runtime.agent FD`, started by `ridethrough gateway run` in
its own place.

It imports neither yaml, click, rich nor sqlite-utils: settings come decoded through the file descriptor FD,
and the outbox file is ready.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from config.runtime.log import set_up_logging
from config.runtime.ready import announce
from drivers.errors import DriverError
from drivers.open import open_driver
from drivers.ups import CATALOGUE
from gateway.errors import GatewayError
from gateway.records import record
from gateway.runtime.clock import SystemClock
from gateway.runtime.connection import Broker
from gateway.runtime.outbox import Outbox
from gateway.runtime.poller import Poller
from gateway.runtime.tls import client_context
from gateway.runtime.uplink import UplinkRunner
from gateway.settings import GatewaySettings, UnitSettings, from_json
from gateway.store.outbox import UnitRow
from gateway.store.writer import Writer
from gateway.uplink import Me
from gateway.wire import limits
from gateway.wire.messages import EventBody, Kind, Record

logger = logging.getLogger("gateway")

DONE, FAILED = 0, 1


class Order(msgspec.Struct, frozen=True):
    """What the starting process hands over."""

    settings: msgspec.Raw
    outbox: str
    log_level: str


def main(arguments: Sequence[str]) -> int:
    order = read_order(int(arguments[0]))
    set_up_logging(order.log_level)
    try:
        asyncio.run(Agent(from_json(order.settings), Path(order.outbox)).run())
    except (GatewayError, DriverError) as error:
        logger.error("%s", error)
    except Exception:  # top of the process: told with its traceback, then it ends and is started anew
        logger.exception("the gateway ends: a part of it failed")
    else:
        return DONE
    return FAILED


def read_order(fd: int) -> Order:
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        return msgspec.json.decode(file.read(), type=Order)


class Agent:
    def __init__(self, settings: GatewaySettings, outbox: Path) -> None:
        self.settings = settings
        self.path = outbox
        self.clock = SystemClock()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT: then offline is said and everything in memory is written."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stop.set)
        writer = Writer(self.path, loop)
        outbox = Outbox(writer, self.clock, loop)
        loop.set_exception_handler(partial(_told, outbox))
        await outbox.open()
        pollers = [self._poller(unit, outbox) for unit in self.settings.units]
        uplink = self._uplink(pollers, outbox, loop)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(poller.run(), name=f"poll {poller.unit.name}") for poller in pollers]
                running.append(tasks.create_task(outbox.prune_for_ever(), name="prune"))
                running.append(tasks.create_task(_failing(outbox.failed, writer.died), name="outbox"))
                uplink.start()
                outbox.events("", [self._event("gateway_started")], None)
                announce("gateway", self.settings.gateway)
                await stop.wait()
                for task in running:
                    task.cancel()
        except* GatewayError as errors:
            raise next(_leaves(errors)) from None
        finally:
            await self._end(pollers, uplink, outbox, clean=stop.is_set())

    async def _end(self, pollers: list[Poller], uplink: UplinkRunner, outbox: Outbox, clean: bool) -> None:
        for poller in pollers:
            await poller.close()
        if clean:
            outbox.events("", [self._event("gateway_stopped")], None)
            await outbox.flushed()
        await uplink.stop()
        await outbox.close()

    def _poller(self, unit: UnitSettings, outbox: Outbox) -> Poller:
        row = outbox.units.get(unit.name, UnitRow())
        return Poller(unit, open_driver(unit.url, pinned=row.serial), outbox, self.clock)

    def _uplink(self, pollers: list[Poller], outbox: Outbox, loop: asyncio.AbstractEventLoop) -> UplinkRunner:
        settings = self.settings
        units = tuple(unit.name for unit in settings.units)
        me = Me(version("ridethrough"), socket.gethostname()[: limits.TEXT_LENGTH], units)
        context = client_context(settings.tls)
        broker = Broker(settings.cloud_host, settings.cloud_port, settings.gateway, context)

        def tell_all() -> None:
            for poller in pollers:
                poller.tell_all()

        return UplinkRunner(me, broker, outbox, self.clock, loop, tell_all)

    def _event(self, kind: str) -> Record:
        body = EventBody(type=kind, severity=CATALOGUE[kind].severity)
        return record(Kind.EVENT, self.clock.stamp(), "", body)


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


async def _failing(*futures: asyncio.Future[None]) -> None:
    """Raises what the first of them fails with; ends only so."""
    await asyncio.gather(*futures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
