"""Commands to writes (apc-modbus.md section 8). What may be written at all stands in allowed.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import msgspec

from drivers.driver import Transport
from drivers.errors import NotAllowed
from drivers.modbus.decode import EPOCH
from drivers.modbus.frames import Write
from drivers.smartups import bits
from drivers.smartups.bits import InterfaceCommand, OutletCommand, SimpleSignalingCommand, UpsCommand
from drivers.smartups.registers import Kind, Register, register
from drivers.ups import Command, Verb

SOURCES: Mapping[Transport, int] = MappingProxyType(
    {Transport.SERIAL: OutletCommand.SOURCE_SERIAL_PORT, Transport.TCP: OutletCommand.SOURCE_NETWORK_1}
)
"""Who asks, for the unit's log; a missing source may lead to refusal (AN177 2.3)."""

FIXED: Mapping[Verb, tuple[str, int]] = MappingProxyType(
    {
        Verb.BEEP: ("user_interface_command", InterfaceCommand.SHORT_TEST),
        Verb.MUTE: ("user_interface_command", InterfaceCommand.MUTE),
        Verb.UNMUTE: ("user_interface_command", InterfaceCommand.CANCEL_MUTE),
        Verb.SELF_TEST: ("battery_test_command", bits.START),
        Verb.SELF_TEST_ABORT: ("battery_test_command", bits.ABORT),
        Verb.CALIBRATION: ("calibration_command", bits.START),
        Verb.CALIBRATION_ABORT: ("calibration_command", bits.ABORT),
        Verb.SHUTDOWN: ("simple_signaling_command", SimpleSignalingCommand.REQUEST_SHUTDOWN),
        Verb.BYPASS_ON: ("ups_command", UpsCommand.BYPASS_ON),
        Verb.BYPASS_OFF: ("ups_command", UpsCommand.BYPASS_OFF),
        Verb.CLEAR_FAULTS: ("ups_command", UpsCommand.CLEAR_FAULTS),
    }
)
"""Verbs that are one value of one register."""

BY_POLICY = frozenset({Verb.BYPASS_ON, Verb.BYPASS_OFF, Verb.CLEAR_FAULTS})
"""Verbs that only local policy can allow (S2)."""


class Modifiers(msgspec.Struct, frozen=True):
    """Which modifiers a command bit takes (AN177 2.3)."""

    bit: int
    off_delay: bool = False
    on_delay: bool = False
    cold_boot: bool = False


OUTLETS: Mapping[Verb, Modifiers] = MappingProxyType(
    {
        Verb.OUTLET_CANCEL: Modifiers(OutletCommand.CANCEL),
        Verb.OUTLET_ON: Modifiers(OutletCommand.ON, on_delay=True, cold_boot=True),
        Verb.OUTLET_OFF: Modifiers(OutletCommand.OFF, off_delay=True),
        Verb.OUTLET_SHUTDOWN: Modifiers(OutletCommand.SHUTDOWN, off_delay=True, on_delay=True),
        Verb.OUTLET_REBOOT: Modifiers(OutletCommand.REBOOT, off_delay=True, on_delay=True, cold_boot=True),
    }
)

SETTINGS: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.SET_NAME: "name",
        Verb.SET_GROUP_NAME: "group_name",
        Verb.SET_BATTERY_DATE: "battery_installed_on",
        Verb.SET_TRANSFER_HIGH: "transfer_high_v",
        Verb.SET_TRANSFER_LOW: "transfer_low_v",
        Verb.SET_SENSITIVITY: "sensitivity",
        Verb.SET_TURN_OFF_DELAY: "turn_off_s",
        Verb.SET_TURN_ON_DELAY: "turn_on_s",
        Verb.SET_STAY_OFF_DELAY: "stay_off_s",
        Verb.SET_MINIMUM_RETURN_RUNTIME: "minimum_return_runtime_s",
        Verb.SET_BATTERY_TEST_INTERVAL: "battery_test_interval",
    }
)
"""Verb to the row it sets."""

WITHOUT_REGISTER = frozenset(
    {
        Verb.SIMULATE_POWER_FAILURE,
        Verb.SET_OUTPUT_VOLTAGE,
        Verb.SET_LOW_BATTERY_RUNTIME,
        Verb.SET_MINIMUM_RETURN_CHARGE,
        Verb.SET_ALARM_DELAY,
    }
)
"""Verbs of the older serial protocol for which the register map has no word."""

CHOICES: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {"sensitivity": bits.SENSITIVITIES, "battery_test_interval": bits.TEST_INTERVALS}
)
_PER_GROUP = frozenset({"group_name", "turn_off_s", "turn_on_s", "stay_off_s", "minimum_return_runtime_s"})

DELAY_LIMIT_S = 32767
"""Highest delay that units accept (apc-modbus.md 5.2)."""
VOLTS = range(50, 301)
"""Transfer points that make sense on any model; the unit itself narrows them."""


def plan(
    command: Command,
    groups: tuple[int, ...],
    transport: Transport,
    also_allowed: frozenset[Verb] = frozenset(),
) -> Write:
    """The one write of a command for a unit with those outlet groups. Raises NotAllowed with what would be
    right. `verb` must not be in WITHOUT_REGISTER.
    """
    verb = command.verb
    if verb in BY_POLICY and verb not in also_allowed:
        raise NotAllowed(f"{verb}: only if the gateway's own policy names it")
    if verb not in OUTLETS and (command.use_off_delay or command.use_on_delay or command.cold_boot):
        raise NotAllowed(f"{verb}: delays and cold boot are for outlet groups")
    if verb in OUTLETS:
        return _outlet_write(command, groups, transport)
    if verb in SETTINGS:
        return _setting_write(command, groups)
    if command.groups or command.value is not None:
        raise NotAllowed(f"{verb}: takes neither outlet groups nor a value")
    name, value = FIXED[verb]
    return Write(register(name).address, words_of(value, register(name)))


def words_of(value: int, row: Register) -> tuple[int, ...]:
    """Most significant word first (AN176 1.3)."""
    return tuple(value >> 16 * place & 0xFFFF for place in reversed(range(row.words)))


def _outlet_write(command: Command, groups: tuple[int, ...], transport: Transport) -> Write:
    verb, takes = command.verb, OUTLETS[command.verb]
    if command.value is not None:
        raise NotAllowed(f"{verb}: takes no value")
    if not command.groups or len(set(command.groups)) != len(command.groups):
        raise NotAllowed(f"{verb}: name each outlet group once; this unit has {_list(groups)}")
    word = takes.bit | SOURCES[transport]
    for index in command.groups:
        if index not in groups:
            raise NotAllowed(f"{verb}: no outlet group {index}; this unit has {_list(groups)}")
        word |= OutletCommand.TARGETS[index]
    for asked, taken, bit, name in (
        (command.use_off_delay, takes.off_delay, OutletCommand.USE_OFF_DELAY, "off delay"),
        (command.use_on_delay, takes.on_delay, OutletCommand.USE_ON_DELAY, "on delay"),
        (command.cold_boot, takes.cold_boot, OutletCommand.COLD_BOOT, "cold boot"),
    ):
        if asked and not taken:
            raise NotAllowed(f"{verb}: takes no {name}")
        word |= bit if asked else 0
    row = register("outlet_command")
    return Write(row.address, words_of(word, row))


def _list(groups: tuple[int, ...]) -> str:
    return ", ".join(map(str, groups)) or "none"


def setting_row(command: Command) -> Register:
    """The row that a setting writes. Raises NotAllowed if the group does not fit."""
    name = SETTINGS[command.verb]
    if name not in _PER_GROUP:
        if command.groups:
            raise NotAllowed(f"{command.verb}: takes no outlet group")
        return register(name)
    if len(command.groups) != 1:
        raise NotAllowed(f"{command.verb}: name one outlet group")
    try:
        return register(name, command.groups[0])
    except KeyError:
        raise NotAllowed(f"{command.verb}: outlet group {command.groups[0]} has none") from None


def _setting_write(command: Command, groups: tuple[int, ...]) -> Write:
    row = setting_row(command)
    if row.group is not None and row.group not in groups:
        raise NotAllowed(f"{command.verb}: no outlet group {row.group}; this unit has {_list(groups)}")
    return Write(row.address, _setting_words(command, row))


def _setting_words(command: Command, row: Register) -> tuple[int, ...]:
    value, verb = command.value, command.verb
    if row.kind is Kind.TEXT:
        if isinstance(value, str):
            return text_words(value, row, verb)
        raise NotAllowed(f"{verb}: the value must be a text")
    if row.kind is Kind.DATE:
        if type(value) is date and 0 <= (value - EPOCH).days < 0xFFFF:
            return ((value - EPOCH).days,)
        raise NotAllowed(f"{verb}: the value must be a date from {EPOCH} on")
    if row.name in CHOICES:
        for bit, name in CHOICES[row.name].items():
            if value == name:
                return (1 << bit,)
        raise NotAllowed(f"{verb}: the value must be one of {', '.join(CHOICES[row.name].values())}")
    allowed = VOLTS if row.name.endswith("_v") else range(DELAY_LIMIT_S + 1)
    if type(value) is not int or value not in allowed:
        raise NotAllowed(f"{verb}: the value must be whole, {allowed.start} to {allowed.stop - 1}")
    return words_of(value, row)


def text_words(text: str, row: Register, what: str) -> tuple[int, ...]:
    """Left-justified, padded with blanks, printable ASCII only, the whole block at once (AN176 1.3.3.2)."""
    limit = 2 * row.words
    if len(text) > limit or not all(" " <= c <= "~" for c in text):
        raise NotAllowed(f"{what}: the value must be at most {limit} printable ASCII characters")
    octets = text.ljust(limit).encode("ascii")
    return tuple(int.from_bytes(octets[at : at + 2], "big") for at in range(0, limit, 2))
