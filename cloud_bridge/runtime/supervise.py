"""Roles as child processes of one process group: started, started again when they die, stopped together."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import random
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cloud_bridge.backoff import delays
from cloud_bridge.errors import CloudError

log = logging.getLogger(__name__)

STEADY_S = 10.0
"""Who lived so long is started again at once when it dies; default of Supervised.steady_s."""

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 15.0
STOP_S = 10.0
"""Patience with a role that was told to stop, before it is killed."""

MISUSED = 2
"""Exit status of bad usage or configuration: starting it again can't help."""

MAX_LINE_BYTES = 4096
READY = "ready: "


@dataclass(frozen=True)
class Role:
    """A program that says `ready: NAME ADDRESS` on standard output once it serves, and stops on SIGTERM.

    Its standard error goes to the file `log` if that is given, else where ours goes. `apart`: in a session of its own,
    so that a terminal's Ctrl-C reaches it only through us.
    """

    name: str
    argv: tuple[str, ...]
    log: Path | None = None
    apart: bool = False


class RoleMisused(CloudError):
    """A role ended with exit status 2: its settings are wrong."""

    def __init__(self, role: Role) -> None:
        super().__init__(f"{role.name} can't run as it is set up")
        self.role = role


Ready = Callable[[str, str], None]
"""Called with NAME and ADDRESS of each ready line."""


@dataclass
class Supervised:
    """One role and the process that plays it now. `addresses` are those it serves, by name."""

    role: Role
    on_ready: Ready
    process: Process | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    starts: int = 0
    steady_s: float = STEADY_S
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self.process.pid if self.process and self.process.returncode is None else None

    async def wait_ready(self, name: str) -> str:
        """The address of a listener, once it serves."""
        async with self._changed:
            await self._changed.wait_for(lambda: name in self.addresses)
            return self.addresses[name]

    async def wait_started_again(self, than: int) -> None:
        """Until it was started more often than `than` times."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.starts > than)

    async def keep_running(self) -> None:
        """Starts it, and again when it ends: at once the first time, then ever later. Raises RoleMisused."""
        waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
        deaths = 0
        while True:
            began = time.monotonic()
            status = await self._play()
            if status == MISUSED:
                raise RoleMisused(self.role)
            if time.monotonic() - began >= self.steady_s:
                deaths, waits = 0, delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
            deaths += 1
            log.log(*_told(self.role.name, status, deaths))
            await asyncio.sleep(next(waits) if deaths > 1 else 0.0)

    async def _play(self) -> int:
        """One process from start to end; its exit status."""
        with self.role.log.open("ab") if self.role.log else nullcontext() as log:
            process = await asyncio.create_subprocess_exec(
                *self.role.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=PIPE,
                stderr=log,
                start_new_session=self.role.apart,
                limit=MAX_LINE_BYTES,
                preexec_fn=partial(_die_with, os.getpid()),
            )
        self.process = process
        async with self._changing():
            self.starts += 1
        listening = asyncio.create_task(self._listen(process.stdout), name=f"{self.role.name}-lines")
        try:
            return await process.wait()
        finally:
            await _end(process, self.role.name)
            listening.cancel()
            self.addresses.clear()

    async def _listen(self, lines: asyncio.StreamReader | None) -> None:
        while lines and (line := await _next_line(lines)):
            if line.startswith(READY):
                name, _, address = line.removeprefix(READY).strip().partition(" ")
                async with self._changing():
                    self.addresses[name] = address
                self.on_ready(name, address)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        async with self._changed:
            yield
            self._changed.notify_all()


async def supervise(roles: Sequence[Supervised]) -> None:
    """Keeps all of them running until this task is cancelled, which stops them. Raises RoleMisused."""
    try:
        async with asyncio.TaskGroup() as group:
            for role in roles:
                group.create_task(role.keep_running(), name=role.role.name)
    except BaseExceptionGroup as group:
        misused = [error for error in group.exceptions if isinstance(error, RoleMisused)]
        raise (misused[0] if misused else group) from None


async def supervise_until_signal(roles: Sequence[Supervised]) -> None:
    """`supervise` until SIGTERM or SIGINT. Raises RoleMisused."""
    task = asyncio.create_task(supervise(roles), name="supervise")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


async def _next_line(stream: asyncio.StreamReader) -> str:
    """The next line; an overlong one is passed over."""
    while True:
        try:
            return (await stream.readline()).decode("utf-8", "replace")
        except ValueError:
            continue


async def _end(process: Process, name: str) -> None:
    """Tells it to stop, if it runs, and kills it if it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        log.warning("%s does not stop: killed", name)
        process.kill()
        await process.wait()


def _told(name: str, status: int, deaths: int) -> tuple[int, str]:
    """Level and text of a line about its end, the how manieth in a row: what goes on and on is told twice."""
    if deaths == 1:
        return logging.WARNING, f"{name} {_ending(status)}; it is started again at once"
    level = logging.WARNING if deaths == 2 else logging.DEBUG
    slowly = f"up to {LONGEST_RETRY_S:.0f} s apart"
    return level, f"{name} {_ending(status)} again; it is started ever more slowly, {slowly}"


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}"


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with(parent: int) -> None:
    """In the child: SIGTERM when the parent is gone, however it went (prctl(2)): none is left behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # A terminal's Ctrl-C reaches the whole group; the parent passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != parent:
        os._exit(1)
