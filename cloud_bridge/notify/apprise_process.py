"""Apprise's own process: started for the first notice, ended when idle.

The library takes some 60 MB, blocks, sleeps, resolves names itself and follows what URLs it is given. In a process of
its own it costs nothing while nothing is sent, and the fence in apprise_child holds for all that it does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress

import msgspec

from cloud_bridge.notify.apprise_words import LINE_BYTES, PRIVATE, Ask, Told
from cloud_bridge.notify.channel import SEND_S
from cloud_bridge.notify.errors import NotSent

IDLE_S = 60.0
START_S = 20.0
"""Added to the first notice's time: its imports take a second, on a loaded machine more."""
STOP_S = 12.0
KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TZ")
"""Of the environment: no proxies, no home with somebody's .netrc."""
GONE = "Apprise's process ended before it answered"


class AppriseProcess:
    """Hands notices to the process, many at once."""

    def __init__(self, allow_private: bool, *, idle_s: float = IDLE_S) -> None:
        self._arguments = [PRIVATE] if allow_private else []
        self._idle_s = idle_s
        self._starting = asyncio.Lock()
        self._child: _Child | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._retire: asyncio.TimerHandle | None = None
        self._number = 0

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._child.process.pid if self._child and not self._child.hearing.done() else None

    async def send(self, ask: Ask) -> None:
        """Raises NotSent."""
        child, fresh = await self._running()
        self._number += 1
        try:
            async with asyncio.timeout(SEND_S + (START_S if fresh else 0.0)):
                told = await child.answer(msgspec.structs.replace(ask, number=self._number))
        except TimeoutError:
            self._give_up(child)
            raise NotSent(f"no answer within {SEND_S:.0f} s", again=True) from None
        except OSError as error:
            raise NotSent(GONE, again=True) from error
        finally:
            self._rest()
        if told.error:
            raise NotSent(told.error, told.again)

    async def close(self) -> None:
        """Lets it finish what it is sending."""
        self._end()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _running(self) -> tuple[_Child, bool]:
        """The process, and whether it was started just now."""
        async with self._starting:
            if self._retire is not None:
                self._retire.cancel()
            if self._child is not None and not self._child.hearing.done():
                return self._child, False
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "cloud_bridge.notify.apprise_child",
                    *self._arguments,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=DEVNULL,
                    env={name: os.environ[name] for name in KEPT if name in os.environ} | {"HOME": "/nonexistent"},
                    limit=LINE_BYTES,
                )
            except OSError as error:
                raise NotSent(f"Apprise's process can't be started: {error}", again=True) from error
            self._child = _Child(process)
            return self._child, True

    def _give_up(self, child: _Child) -> None:
        """A peer that says a byte now and then holds one of its few threads for as long as it likes, so others get a
        new process. This one may end what it has."""
        if self._child is child:
            self._end()

    def _rest(self) -> None:
        if self._child is not None and not self._child.asked:
            if self._retire is not None:
                self._retire.cancel()
            self._retire = asyncio.get_running_loop().call_later(self._idle_s, self._end)

    def _end(self) -> None:
        """It ends once it has sent what it was asked to; whatever comes next starts another."""
        child, self._child = self._child, None
        if self._retire is not None:
            self._retire.cancel()
        if child is not None:
            leaving = asyncio.create_task(child.leave(), name="apprise, leaving")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


class _Child:
    """One process from its start to its end."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.asked: dict[int, asyncio.Future[Told]] = {}
        self.hearing = asyncio.create_task(self._hear(), name="apprise")

    async def answer(self, ask: Ask) -> Told:
        """Raises OSError if it ends before that."""
        answer = self.asked[ask.number] = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(msgspec.json.encode(ask) + b"\n")
            await self.process.stdin.drain()
            told: Told = await answer
            return told
        finally:
            del self.asked[ask.number]

    async def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.shield(self.hearing)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.hearing

    async def _hear(self) -> None:
        assert self.process.stdout is not None
        try:
            while text := await self.process.stdout.readline():
                told = msgspec.json.decode(text, type=Told)
                answer = self.asked.get(told.number)
                if answer is not None and not answer.done():
                    answer.set_result(told)
        except (ValueError, msgspec.MsgspecError):  # too long a line, or no answer: it can't be trusted
            with suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()
        for answer in self.asked.values():
            if not answer.done():
                answer.set_exception(BrokenPipeError(GONE))
