"""One simulated unit with all its listeners, from start to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from config.runtime.ready import announce
from simulator.errors import AddressError, ListenError
from simulator.modbus.settings import Personality, WireSettings
from simulator.model import Model, PortKind
from simulator.runtime.control import serve_control
from simulator.runtime.engine import Engine
from simulator.runtime.modbus_rtu import serve_rtu
from simulator.runtime.modbus_tcp import serve_tcp

WIRES = ("modbus-tcp", "modbus-rtu")
"""Names of the wires; a second listener of a kind is `modbus-tcp-2`."""


class Listener(Protocol):
    @property
    def address(self) -> str: ...
    async def close(self) -> None: ...


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where the unit can be reached, and how its wires behave; what is None is the model's own."""

    modbus_tcp: tuple[str, ...] = ()
    modbus_rtu: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    token: str | None = None
    personality: Personality | None = None
    answer_ms: int | None = None
    read_only: bool = False


def _wire(model: Model, listen: Listen, *, tcp: bool) -> WireSettings:
    """How this model's port behaves, as far as the listener does not say otherwise."""
    port = model.port
    own = Personality.NMC if tcp and port.kind is PortKind.NMC else Personality.UPS
    latency_ms = port.tcp_ms if tcp else port.rtu_ms
    return WireSettings(
        personality=listen.personality or own,
        answer_ms=latency_ms if listen.answer_ms is None else listen.answer_ms,
        read_only=listen.read_only and tcp,
        max_sessions=port.tcp_sessions,
        refuse_s=port.refuse_after_close_s,
    )


async def _open(engine: Engine, listen: Listen) -> AsyncIterator[tuple[str, Listener]]:
    tcp, rtu = WIRES
    for number, address in enumerate(listen.modbus_tcp, 1):
        wire = _wire(engine.model, listen, tcp=True)
        engine.add_wire(_numbered(tcp, number), wire)
        yield tcp, await serve_tcp(engine, address, wire)
    for number, link in enumerate(listen.modbus_rtu, 1):
        wire = _wire(engine.model, listen, tcp=False)
        engine.add_wire(_numbered(rtu, number), wire)
        yield rtu, await serve_rtu(engine, link, wire)
    for address in listen.control:
        yield "control", await serve_control(engine, address, listen.token)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


async def run(engine: Engine, listen: Listen) -> None:
    """Serve the unit until SIGTERM or SIGINT; each listener is announced when it serves.

    AddressError or ListenError if one cannot.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        try:
            async for name, listener in _open(engine, listen):
                stack.push_async_callback(listener.close)
                announce(name, listener.address)
        except ValueError as error:
            raise AddressError(str(error)) from error
        except OSError as error:
            raise ListenError(f"cannot listen: {error}") from error
        living = asyncio.create_task(engine.run(), name="physics")
        waiting = asyncio.create_task(ended.wait(), name="signal")
        await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
        living.cancel()
        waiting.cancel()
        await asyncio.gather(living, waiting, return_exceptions=True)
