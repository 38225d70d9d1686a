"""A recorded unit with its listeners: its wire, without physics or control port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from drivers.capture.model import Capture, Wire
from simulator.errors import AddressError
from simulator.modbus.settings import WireSettings
from simulator.replay import RecordedRegisters, RecordedReplies
from simulator.runtime.bench import MODBUS_RTU, MODBUS_TCP, UPSLINK, Listen, Listener, serve
from simulator.runtime.modbus_rtu import serve_rtu
from simulator.runtime.modbus_tcp import serve_tcp
from simulator.runtime.upslink import UpsLinkListener
from simulator.upslink.replay import ReplayDialogue
from simulator.upslink.settings import UpsLinkSettings

SERVED_ON: Mapping[Wire, tuple[str, ...]] = MappingProxyType(
    {
        Wire.MODBUS_TCP: (MODBUS_TCP, MODBUS_RTU),
        Wire.MODBUS_RTU: (MODBUS_TCP, MODBUS_RTU),
        Wire.REGISTERS: (MODBUS_TCP, MODBUS_RTU),
        Wire.UPSLINK: (UPSLINK,),
    }
)
"""Listeners that speak what was recorded: both Modbus wires carry the same registers."""
OPTIONS: Mapping[str, str] = MappingProxyType(
    {"modbus_tcp": MODBUS_TCP, "modbus_rtu": MODBUS_RTU, "upslink": UPSLINK, "control": "control"}
)
"""Fields of Listen and their listeners."""


def check(capture: Capture, listen: Listen) -> None:
    """AddressError if this recording can't be served there."""
    fit = SERVED_ON.get(capture.header.wire)
    if fit is None:
        raise AddressError(f"a recording of {capture.header.wire} has no wire to be replayed on; NUT's dummy-ups can")
    if any(getattr(listen, field) and name not in fit for field, name in OPTIONS.items()):
        options = " or ".join(f"--{each}" for each in fit)
        raise AddressError(f"a recording of {capture.header.wire} is replayed on {options}, without --control")


async def replay(capture: Capture, listen: Listen) -> None:
    """Serve the recording until SIGTERM or SIGINT; AddressError or ListenError if that cannot be."""
    check(capture, listen)
    await serve(_open(capture, listen))


async def _open(capture: Capture, listen: Listen) -> AsyncIterator[tuple[str, Listener]]:
    """Each listener plays the recording from its own first question on."""
    for address in listen.modbus_tcp:
        yield MODBUS_TCP, await serve_tcp(RecordedRegisters(capture), address, _modbus(capture, listen))
    for link in listen.modbus_rtu:
        yield MODBUS_RTU, await serve_rtu(RecordedRegisters(capture), link, _modbus(capture, listen))
    for link in listen.upslink:
        line = UpsLinkSettings() if listen.answer_ms is None else UpsLinkSettings(answer_ms=listen.answer_ms)
        yield UPSLINK, UpsLinkListener(lambda: _dialogue(capture), line, link)


def _dialogue(capture: Capture) -> ReplayDialogue:
    return ReplayDialogue(RecordedReplies(capture), asyncio.get_running_loop().time)


def _modbus(capture: Capture, listen: Listen) -> WireSettings:
    return WireSettings(unit_id=capture.header.unit or 1, answer_ms=listen.answer_ms or 0)
