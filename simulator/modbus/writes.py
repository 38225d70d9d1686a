"""What a write asks of the unit: from an address and words to an order (apc-modbus.md 5 and 8.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from pymodbus.constants import ExcCodes

from drivers.smartups import bits
from drivers.smartups.bits import InterfaceCommand, OutletCommand, SimpleSignalingCommand, UpsCommand
from drivers.smartups.registers import Access, Register
from simulator.modbus.encode import EPOCH, Words
from simulator.modbus.image import ROW_AT
from simulator.modbus.values import Truth, value_of
from simulator.orders import Order, Task

MAX_DELAY_S = 32767
"""Largest delay that a unit takes (SMT-DOC)."""

BAD_VALUE = ExcCodes.DEVICE_FAILURE
"""A value out of range or one that this model lacks (SMT-DOC, SRT-DOC)."""

ILLEGAL_ADDRESS = ExcCodes.ILLEGAL_ADDRESS


def row_written(address: int, count: int, truth: Truth) -> Register | ExcCodes:
    """The row that this write takes whole.

    ILLEGAL_ADDRESS if it is undefined, read-only, not applicable to this unit, only part of a block or more
    than one (AN176 3.1.2, 3.2).
    """
    row = ROW_AT.get(address)
    if row is None or row.address != address or row.words != count:
        return ILLEGAL_ADDRESS
    if row.access is Access.COMMAND:
        return row
    if row.name not in _SETTINGS or value_of(row, truth) is None:
        return ILLEGAL_ADDRESS
    return row


def order_of(row: Register, words: Words, truth: Truth, *, swap_1538: bool = False) -> Order | ExcCodes:
    """The order that these words give through this row, or BAD_VALUE if no unit would understand them.

    `swap_1538`: the outlet command is taken low word first, as one firmware wants it (NUT#2338).
    """
    if row.name == "outlet_command":
        return _outlet_order(_number(words[::-1] if swap_1538 else words), truth)
    if row.name in _COMMANDS:
        task = _COMMANDS[row.name].get(_number(words))
        return BAD_VALUE if task is None else Order(task=task)
    return _SETTINGS[row.name](row, words)


def _number(words: Words) -> int:
    return int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big")


_COMMANDS: Mapping[str, Mapping[int, Task]] = MappingProxyType(
    {
        "ups_command": {
            UpsCommand.RESTORE_FACTORY_SETTINGS: Task.FACTORY_SETTINGS,
            UpsCommand.BYPASS_ON: Task.BYPASS_ON,
            UpsCommand.BYPASS_OFF: Task.BYPASS_OFF,
            UpsCommand.CLEAR_FAULTS: Task.CLEAR_FAULTS,
        },
        "simple_signaling_command": {
            SimpleSignalingCommand.REQUEST_SHUTDOWN: Task.REQUEST_SHUTDOWN,
            SimpleSignalingCommand.REMOTE_OFF: Task.REMOTE_OFF,
            SimpleSignalingCommand.REMOTE_ON: Task.REMOTE_ON,
        },
        "battery_test_command": {bits.START: Task.SELF_TEST, bits.ABORT: Task.SELF_TEST_ABORT},
        "calibration_command": {bits.START: Task.CALIBRATION, bits.ABORT: Task.CALIBRATION_ABORT},
        "user_interface_command": {
            InterfaceCommand.SHORT_TEST: Task.PANEL_TEST,
            InterfaceCommand.CONTINUOUS_TEST: Task.PANEL_TEST_CONTINUOUS,
            InterfaceCommand.MUTE: Task.MUTE,
            InterfaceCommand.CANCEL_MUTE: Task.UNMUTE,
            InterfaceCommand.ACKNOWLEDGE_BATTERY: Task.ACKNOWLEDGE_BATTERY,
            InterfaceCommand.ACKNOWLEDGE_SITE_WIRING: Task.ACKNOWLEDGE_SITE_WIRING,
        },
    }
)
"""Value written to task; one bit a write (8.1)."""

_C = OutletCommand
_OUTLET_TASKS: Mapping[int, tuple[Task, int]] = MappingProxyType(
    {
        _C.CANCEL: (Task.OUTLET_CANCEL, 0),
        _C.ON: (Task.OUTLET_ON, _C.USE_ON_DELAY | _C.COLD_BOOT),
        _C.OFF: (Task.OUTLET_OFF, _C.USE_OFF_DELAY),
        _C.SHUTDOWN: (Task.OUTLET_SHUTDOWN, _C.USE_OFF_DELAY | _C.USE_ON_DELAY),
        _C.REBOOT: (Task.OUTLET_REBOOT, _C.USE_OFF_DELAY | _C.USE_ON_DELAY | _C.COLD_BOOT),
    }
)
"""Command bit to task and the modifiers that go with it (AN177)."""

_OUTLET_VERBS = sum(_OUTLET_TASKS)
_OUTLET_MODIFIERS = _C.USE_OFF_DELAY | _C.USE_ON_DELAY | _C.COLD_BOOT
_OUTLET_SOURCES = 0b1111111 << 12
"""Bits 12 to 18 say who asks; none is asked for, as NUT sets none (8.1)."""
_OUTLET_KNOWN = _OUTLET_VERBS | _OUTLET_MODIFIERS | _OUTLET_SOURCES | sum(_C.TARGETS)


def _outlet_order(mask: int, truth: Truth) -> Order | ExcCodes:
    """One command bit, only its own modifiers, one target or more, each a group of this unit (AN177 2.3)."""
    verb, modifiers = mask & _OUTLET_VERBS, mask & _OUTLET_MODIFIERS
    groups = tuple(index for index, bit in enumerate(_C.TARGETS) if mask & bit)
    if verb not in _OUTLET_TASKS or mask & ~_OUTLET_KNOWN or not groups:
        return BAD_VALUE
    task, allowed = _OUTLET_TASKS[verb]
    if modifiers & ~allowed or not all(truth.has_group(index) for index in groups):
        return BAD_VALUE
    return Order(
        task=task,
        groups=groups,
        use_off_delay=bool(mask & _C.USE_OFF_DELAY),
        use_on_delay=bool(mask & _C.USE_ON_DELAY),
        cold_boot=bool(mask & _C.COLD_BOOT),
    )


Setting = Callable[[Register, Words], Order | ExcCodes]


def _text(task: Task) -> Setting:
    def order(row: Register, words: Words) -> Order | ExcCodes:
        data = b"".join(word.to_bytes(2, "big") for word in words)
        if any(not 0x20 <= byte <= 0x7E for byte in data):
            return BAD_VALUE
        return Order(task=task, groups=_groups(row), value=data.decode("ascii").rstrip(" "))

    return order


def _whole(task: Task, most: int) -> Setting:
    def order(row: Register, words: Words) -> Order | ExcCodes:
        number = _number(words)
        return BAD_VALUE if number > most else Order(task=task, groups=_groups(row), value=number)

    return order


def _choice(task: Task, table: Mapping[int, str]) -> Setting:
    """A bit field of which exactly one bit is set."""
    names = {1 << bit: name for bit, name in table.items()}

    def order(row: Register, words: Words) -> Order | ExcCodes:
        name = names.get(_number(words))
        return BAD_VALUE if name is None else Order(task=task, groups=_groups(row), value=name)

    return order


def _battery_date(row: Register, words: Words) -> Order:
    return Order(task=Task.SET_BATTERY_DATE, groups=_groups(row), value=EPOCH + timedelta(days=_number(words)))


def _groups(row: Register) -> tuple[int, ...]:
    return () if row.group is None else (row.group,)


_SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "name": _text(Task.SET_NAME),
        "group_name": _text(Task.SET_GROUP_NAME),
        "battery_installed_on": _battery_date,
        "transfer_high_v": _whole(Task.SET_TRANSFER_HIGH, 0xFFFF),
        "transfer_low_v": _whole(Task.SET_TRANSFER_LOW, 0xFFFF),
        "sensitivity": _choice(Task.SET_SENSITIVITY, bits.SENSITIVITIES),
        "battery_test_interval": _choice(Task.SET_BATTERY_TEST_INTERVAL, bits.TEST_INTERVALS),
        "turn_off_s": _whole(Task.SET_TURN_OFF_DELAY, MAX_DELAY_S),
        "turn_on_s": _whole(Task.SET_TURN_ON_DELAY, MAX_DELAY_S),
        "stay_off_s": _whole(Task.SET_STAY_OFF_DELAY, MAX_DELAY_S),
        "minimum_return_runtime_s": _whole(Task.SET_MINIMUM_RETURN_RUNTIME, MAX_DELAY_S),
        "output_frequency_setting": _choice(Task.SET_OUTPUT_FREQUENCY, bits.OUTPUT_FREQUENCIES),
    }
)
