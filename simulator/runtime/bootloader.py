"""A unit's boot loader on its serial lines: who gets the bytes that come, and when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from simulator.bootloader.profile import Ear
from simulator.runtime.engine import Engine

TICK_S = 0.02
"""How often the boot loader looks whether it has something to do."""
PIECE_S = 0.02
MIN_PIECE = 16
"""Bytes go in as a line would bring them: in pieces of so long, at least so many."""
BITS_A_BYTE = 10
MAX_WAITING_BYTES = 8192
"""Bytes on their way; what is beyond is lost."""


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A command to enter the boot loader, as `commands` tells it."""

    line: str
    enter: str
    reply: str


class Boot:
    """What one listener knows of its unit's boot loader; `name` is the listener's."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._name = engine, name

    @property
    def silent(self) -> bool:
        """Whether the application answers nobody, on any line."""
        return self._engine.loader.silent

    def line(self, write: Callable[[bytes], None]) -> BootLine:
        """Its serial line, to which `write` puts what is to go out."""
        return BootLine(self._engine, self._name, write)


class BootLine:
    """Stands before the application on one serial line."""

    def __init__(self, engine: Engine, name: str, write: Callable[[bytes], None]) -> None:
        self._engine, self._name, self._write = engine, name, write
        self._ear = Ear()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._coming: set[asyncio.TimerHandle] = set()
        self._over_at = 0.0
        self._waiting_bytes = 0

    def receive(self, data: bytes, now: float) -> bytes:
        """Bytes came at monotonic second `now`; those that are for the application."""
        if self._engine.loader.silent:
            self._bring(data, now)
            return b""
        heard = self._ear.hear(data, now)
        if heard.command is not None:
            self._enter(heard.command, now)
        return heard.passed

    def release(self, now: float) -> bytes:
        """Bytes for the application that were kept for a while."""
        return self._ear.release(now)

    def _enter(self, command: bytes, now: float) -> None:
        self._engine.catch_up()
        reply = self._engine.loader.enter(self._name, command, now)
        text = command.decode("ascii", "backslashreplace")
        self._engine.record_command(Entered(line=self._name, enter=text, reply=reply.decode("ascii").strip()))
        self._write(reply)
        if self._engine.loader.silent:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def _bring(self, data: bytes, now: float) -> None:
        settings = self._engine.loader.settings
        byte_s = BITS_A_BYTE / settings.baud if settings.paced else 0.0
        size = max(MIN_PIECE, int(PIECE_S / byte_s)) if byte_s else len(data)
        self._over_at = max(self._over_at, now)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            if self._waiting_bytes + len(piece) > MAX_WAITING_BYTES:
                return
            self._waiting_bytes += len(piece)
            self._over_at += len(piece) * byte_s
            self._deliver_at(self._over_at, piece)

    def _deliver_at(self, at: float, piece: bytes) -> None:
        def deliver() -> None:
            self._coming.discard(handle)
            self._waiting_bytes -= len(piece)
            self._engine.catch_up()
            self._put(self._engine.loader.receive(self._name, piece, self._loop.time()))

        handle = self._loop.call_at(at, deliver)
        self._coming.add(handle)

    def _tick(self) -> None:
        self._engine.catch_up()
        self._put(self._engine.loader.tick(self._loop.time()))
        if self._engine.loader.silent:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def _put(self, data: bytes) -> None:
        if data:
            self._write(data)

    def close(self) -> None:
        for timer in (self._timer, *self._coming):
            if timer is not None:
                timer.cancel()
