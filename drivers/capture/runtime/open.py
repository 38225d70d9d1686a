"""Finds the recorder for a URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from drivers.capture.model import Wire
from drivers.capture.runtime.modbus import ModbusRecorder
from drivers.capture.runtime.record import Recorder
from drivers.capture.runtime.upslink import UpsLinkRecorder
from drivers.capture.runtime.variables import NisRecorder, NutRecorder
from drivers.driver import Transport
from drivers.errors import BadUrl
from drivers.modbus.options import read_options as modbus_options
from drivers.modbus.runtime import driver as modbus
from drivers.runtime.port import Clock
from drivers.upslink.options import read_options as upslink_options
from drivers.upslink.runtime import driver as upslink
from drivers.url import Url


def _modbus(url: Url, transport: Transport, clock: Clock) -> Recorder:
    options = modbus_options(url, transport)
    return ModbusRecorder(modbus.port_of(url, options), options, clock)


RECORDERS: Mapping[str, Callable[[Url, Clock], Recorder]] = MappingProxyType(
    {
        Wire.MODBUS_TCP: lambda url, clock: _modbus(url, Transport.TCP, clock),
        Wire.MODBUS_RTU: lambda url, clock: _modbus(url, Transport.SERIAL, clock),
        Wire.UPSLINK: lambda url, clock: UpsLinkRecorder(upslink.port_of(url), upslink_options(url), clock),
        Wire.NUT: NutRecorder,
        Wire.NIS: NisRecorder,
    }
)


def open_recorder(url: Url, clock: Clock) -> Recorder:
    """Not connected yet. Raises BadUrl."""
    if url.scheme not in RECORDERS:
        raise BadUrl(url.text, f"scheme {url.scheme!r} cannot be recorded; {', '.join(sorted(RECORDERS))} can")
    return RECORDERS[url.scheme](url, clock)
