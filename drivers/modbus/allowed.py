"""The allow-list of what can ever be written (S2), as registers and values. It is asked at the last moment
before bytes are made, and shares nothing with the planning of commands but the tables of facts, so that a
fault there can't get past it.

Never: register 1536 bits 3, 13, 14; 1540 = 2; 593.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from drivers.errors import NotAllowed
from drivers.modbus.frames import Write
from drivers.smartups import bits
from drivers.smartups.bits import InterfaceCommand, OutletCommand, SimpleSignalingCommand, UpsCommand
from drivers.smartups.registers import REGISTERS, Access, Register
from drivers.ups import Verb

_TARGETS = sum(OutletCommand.TARGETS)
_SOURCES = (OutletCommand.SOURCE_SERIAL_PORT, OutletCommand.SOURCE_NETWORK_1)
_OFF, _ON, _COLD = OutletCommand.USE_OFF_DELAY, OutletCommand.USE_ON_DELAY, OutletCommand.COLD_BOOT

OUTLET_MODIFIERS: Mapping[int, int] = MappingProxyType(
    {
        OutletCommand.CANCEL: 0,
        OutletCommand.ON: _ON | _COLD,
        OutletCommand.OFF: _OFF,
        OutletCommand.SHUTDOWN: _OFF | _ON,
        OutletCommand.REBOOT: _OFF | _ON | _COLD,
    }
)
"""Command bit to the modifiers it may carry (AN177 2.3)."""

BY_POLICY: Mapping[int, Verb] = MappingProxyType(
    {
        UpsCommand.BYPASS_ON: Verb.BYPASS_ON,
        UpsCommand.BYPASS_OFF: Verb.BYPASS_OFF,
        UpsCommand.CLEAR_FAULTS: Verb.CLEAR_FAULTS,
    }
)
"""Values of register 1536 that the local policy can allow."""


def is_outlet_command(value: int) -> bool:
    """Exactly one command bit with its own modifiers, at least one target, exactly one of our two sources,
    nothing else.
    """
    commands = [bit for bit in OUTLET_MODIFIERS if value & bit]
    if len(commands) != 1 or not value & _TARGETS:
        return False
    rest = value & ~commands[0] & ~_TARGETS & ~OUTLET_MODIFIERS[commands[0]]
    return rest in _SOURCES


def _is_text(words: tuple[int, ...]) -> bool:
    return all(0x20 <= octet <= 0x7E for word in words for octet in word.to_bytes(2, "big"))


_VALUES: Mapping[str, Callable[[int], bool]] = MappingProxyType(
    {
        "outlet_command": is_outlet_command,
        "simple_signaling_command": lambda value: value == SimpleSignalingCommand.REQUEST_SHUTDOWN,
        "battery_test_command": lambda value: value in (bits.START, bits.ABORT),
        "calibration_command": lambda value: value in (bits.START, bits.ABORT),
        "user_interface_command": lambda value: (
            value in (InterfaceCommand.SHORT_TEST, InterfaceCommand.MUTE, InterfaceCommand.CANCEL_MUTE)
        ),
        "battery_installed_on": lambda value: value < 0xFFFF,
        "battery_test_interval": lambda value: value in {1 << bit for bit in bits.TEST_INTERVALS},
        "sensitivity": lambda value: value in {1 << bit for bit in bits.SENSITIVITIES},
        "transfer_high_v": lambda value: 50 <= value <= 300,
        "transfer_low_v": lambda value: 50 <= value <= 300,
        "turn_off_s": lambda value: value <= 32767,
        "turn_on_s": lambda value: value <= 32767,
        "stay_off_s": lambda value: value <= 32767,
        "minimum_return_runtime_s": lambda value: value <= 32767,
    }
)
_TEXTS = frozenset({"name", "group_name"})

_BY_ADDRESS: Mapping[int, Register] = MappingProxyType(
    {row.address: row for row in REGISTERS if row.access is not Access.READ}
)


def permit(write: Write, also_allowed: frozenset[Verb] = frozenset()) -> None:
    """Raises NotAllowed unless this very register and value are on the list."""
    row = _BY_ADDRESS.get(write.address)
    if row is not None and len(write.words) == row.words and all(0 <= word <= 0xFFFF for word in write.words):
        value = 0
        for word in write.words:
            value = value << 16 | word
        if row.name in _TEXTS and _is_text(write.words):
            return
        if row.name == "ups_command" and BY_POLICY.get(value) in also_allowed:
            return
        if row.name in _VALUES and _VALUES[row.name](value):
            return
    raise NotAllowed(f"writing {write.words} to register {write.address} is not on the allow-list")
