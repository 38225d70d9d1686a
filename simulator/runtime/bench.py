"""One simulated unit with all its listeners, from start to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Protocol

import msgspec

from config.runtime.ready import announce
from simulator.control import Wire
from simulator.errors import AddressError, ListenError
from simulator.modbus.settings import Personality, WireSettings
from simulator.model import Model, PortKind
from simulator.runtime.bootloader import Boot
from simulator.runtime.control import serve_control
from simulator.runtime.engine import Engine
from simulator.runtime.modbus_rtu import serve_rtu
from simulator.runtime.modbus_tcp import serve_tcp
from simulator.runtime.upslink import serve_upslink
from simulator.upslink.settings import UpsLinkSettings
from simulator.wire_faults import RTU_FAULTS, TCP_FAULTS, WireFaults

MODBUS_TCP, MODBUS_RTU, UPSLINK = "modbus-tcp", "modbus-rtu", "upslink"
"""Names of the wires; a second listener of a kind is `modbus-tcp-2`."""


class Listener(Protocol):
    @property
    def address(self) -> str: ...
    async def close(self) -> None: ...


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where the unit can be reached, and how its wires behave; what is None is the model's own."""

    modbus_tcp: tuple[str, ...] = ()
    modbus_rtu: tuple[str, ...] = ()
    upslink: tuple[str, ...] = ()
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
        faults=WireFaults(TCP_FAULTS if tcp else RTU_FAULTS),
    )


async def _open(engine: Engine, listen: Listen) -> AsyncIterator[tuple[str, Listener]]:
    for number, address in enumerate(listen.modbus_tcp, 1):
        wire = _wire(engine.model, listen, tcp=True)
        boot = _add(engine, _numbered(MODBUS_TCP, number), wire)
        yield MODBUS_TCP, await serve_tcp(engine, address, wire, boot)
    for number, link in enumerate(listen.modbus_rtu, 1):
        wire = _wire(engine.model, listen, tcp=False)
        boot = _add(engine, _numbered(MODBUS_RTU, number), wire)
        yield MODBUS_RTU, await serve_rtu(engine, link, wire, boot)
    for number, link in enumerate(listen.upslink, 1):
        if engine.model.upslink is None:
            raise AddressError(f"{engine.model.key} does not speak UPS-Link; `sim models` lists those that do")
        line = UpsLinkSettings() if listen.answer_ms is None else UpsLinkSettings(answer_ms=listen.answer_ms)
        boot = _add(engine, _numbered(UPSLINK, number), line)
        yield UPSLINK, await serve_upslink(engine, link, line, engine.model.upslink, boot)
    for address in listen.control:
        yield "control", await serve_control(engine, address, listen.token)


def _add(engine: Engine, name: str, wire: Wire) -> Boot:
    engine.add_wire(name, wire)
    return Boot(engine, name)


def wires_of(model: Model) -> tuple[str, ...]:
    """The wires that a unit of this model can have."""
    return (MODBUS_TCP, MODBUS_RTU) if model.upslink is None else (UPSLINK,)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


async def run(engine: Engine, listen: Listen) -> None:
    """Serve the unit until SIGTERM or SIGINT; AddressError or ListenError if a listener cannot be had."""
    await serve(_open(engine, listen), engine.run)


async def _stands_still() -> None:
    """The life of a unit that has none of its own."""
    await asyncio.Event().wait()


async def serve(
    listeners: AsyncIterator[tuple[str, Listener]], live: Callable[[], Coroutine[None, None, None]] = _stands_still
) -> None:
    """Each listener is announced when it serves; all are closed at SIGTERM or SIGINT, or when `live` ends.

    AddressError or ListenError if one cannot.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        try:
            async for name, listener in listeners:
                stack.push_async_callback(listener.close)
                announce(name, listener.address)
        except ValueError as error:
            raise AddressError(str(error)) from error
        except OSError as error:
            raise ListenError(f"cannot listen: {error}") from error
        living = asyncio.create_task(live(), name="physics")
        waiting = asyncio.create_task(ended.wait(), name="signal")
        await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
        living.cancel()
        waiting.cancel()
        await asyncio.gather(living, waiting, return_exceptions=True)
