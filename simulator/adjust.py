"""Settings that a wire may change, and what values each model takes (apc-modbus.md 6.3, 6.4, 7.13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType

from drivers.smartups.bits import SENSITIVITIES
from simulator import proving, transfer
from simulator.body import Body
from simulator.orders import Answer, Order, Task

NAME_LENGTH = 16
ALARM_DELAYS = frozenset({"5s", "30s", "low_battery", "never"})
MAX_DELAY_S = 32767
"""What 16-bit delay settings take (SMT-DOC)."""
MAX_STAY_OFF_S = 0x7FFFFFFF

Adjustment = Callable[[Body, Order], Answer]


def _text(order: Order) -> str | None:
    """The new name, None if it is too long or holds a character that no unit takes (AN176 1.3.3.2)."""
    text = order.value
    if not isinstance(text, str) or len(text) > NAME_LENGTH:
        return None
    return text if all(" " <= character <= "~" for character in text) else None


def _within(value: object, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and low <= value <= high else None


def _set_name(unit: Body, order: Order) -> Answer:
    text = _text(order)
    if text is None:
        return Answer.ILLEGAL
    unit.owner.name = text
    return Answer.TAKEN


def _set_group_name(unit: Body, order: Order) -> Answer:
    text = _text(order)
    if not set(order.groups) <= unit.owner.group_names.keys():
        return Answer.ABSENT
    if text is None:
        return Answer.ILLEGAL
    for index in order.groups:
        unit.owner.group_names[index] = text
    return Answer.TAKEN


def _set_battery_date(unit: Body, order: Order) -> Answer:
    if not isinstance(order.value, date):
        return Answer.ILLEGAL
    unit.owner.battery_installed_on = order.value
    return Answer.TAKEN


def _set_transfer_high(unit: Body, order: Order) -> Answer:
    volts = _within(order.value, *unit.model.transfer_high_range_v)
    if volts is None:
        return Answer.ILLEGAL
    unit.owner.change(transfer_high_v=volts)
    transfer.judge_input(unit)
    return Answer.TAKEN


def _set_transfer_low(unit: Body, order: Order) -> Answer:
    volts = _within(order.value, *unit.model.transfer_low_range_v)
    if volts is None:
        return Answer.ILLEGAL
    unit.owner.change(transfer_low_v=volts)
    transfer.judge_input(unit)
    return Answer.TAKEN


def _set_sensitivity(unit: Body, order: Order) -> Answer:
    if unit.model.settings.sensitivity is None:
        return Answer.ABSENT
    if order.value not in SENSITIVITIES.values():
        return Answer.ILLEGAL
    unit.owner.change(sensitivity=order.value)
    transfer.judge_input(unit)
    return Answer.TAKEN


def _set_output_frequency(unit: Body, order: Order) -> Answer:
    if not unit.model.output_frequencies:
        return Answer.ABSENT
    if order.value not in unit.model.output_frequencies:
        return Answer.ILLEGAL
    unit.owner.change(output_frequency=order.value)
    transfer.judge_input(unit)
    return Answer.TAKEN


def _set_test_interval(unit: Body, order: Order) -> Answer:
    if order.value not in unit.model.test_intervals:
        return Answer.ILLEGAL
    unit.owner.change(battery_test_interval=order.value)
    proving.schedule_test(unit)
    return Answer.TAKEN


def _set_output_voltage(unit: Body, order: Order) -> Answer:
    if not unit.model.output_voltages:
        return Answer.ABSENT
    if order.value not in unit.model.output_voltages:
        return Answer.ILLEGAL
    unit.owner.change(output_v=order.value)
    return Answer.TAKEN


def _set_alarm_delay(unit: Body, order: Order) -> Answer:
    if unit.model.settings.alarm_delay is None:
        return Answer.ABSENT
    if order.value not in ALARM_DELAYS:
        return Answer.ILLEGAL
    unit.owner.change(alarm_delay=order.value)
    return Answer.TAKEN


def _whole(field: str, most: int) -> Adjustment:
    """A number of a unit that has this setting."""

    def change(unit: Body, order: Order) -> Answer:
        if getattr(unit.model.settings, field) is None:
            return Answer.ABSENT
        number = _within(order.value, 0, most)
        if number is None:
            return Answer.ILLEGAL
        unit.owner.change(**{field: number})
        return Answer.TAKEN

    return change


def _delay(field: str, most_s: int) -> Adjustment:
    def change(unit: Body, order: Order) -> Answer:
        seconds = _within(order.value, 0, most_s)
        if not order.groups or not set(order.groups) <= unit.outlets.groups.keys():
            return Answer.ABSENT
        if seconds is None:
            return Answer.ILLEGAL
        for index in order.groups:
            unit.owner.change_delay(index, field, seconds)
        return Answer.TAKEN

    return change


def restore_factory_settings(unit: Body) -> Answer:
    unit.owner.restore_factory_settings()
    transfer.judge_input(unit)
    proving.schedule_test(unit)
    return Answer.TAKEN


SETTINGS: Mapping[Task, Adjustment] = MappingProxyType(
    {
        Task.SET_NAME: _set_name,
        Task.SET_GROUP_NAME: _set_group_name,
        Task.SET_BATTERY_DATE: _set_battery_date,
        Task.SET_TRANSFER_HIGH: _set_transfer_high,
        Task.SET_TRANSFER_LOW: _set_transfer_low,
        Task.SET_SENSITIVITY: _set_sensitivity,
        Task.SET_OUTPUT_FREQUENCY: _set_output_frequency,
        Task.SET_BATTERY_TEST_INTERVAL: _set_test_interval,
        Task.SET_OUTPUT_VOLTAGE: _set_output_voltage,
        Task.SET_ALARM_DELAY: _set_alarm_delay,
        Task.SET_LOW_BATTERY_RUNTIME: _whole("low_battery_runtime_s", MAX_DELAY_S),
        Task.SET_MINIMUM_RETURN_CHARGE: _whole("minimum_return_charge_pct", 100),
        Task.SET_TURN_OFF_DELAY: _delay("turn_off_s", MAX_DELAY_S),
        Task.SET_TURN_ON_DELAY: _delay("turn_on_s", MAX_DELAY_S),
        Task.SET_STAY_OFF_DELAY: _delay("stay_off_s", MAX_STAY_OFF_S),
        Task.SET_MINIMUM_RETURN_RUNTIME: _delay("minimum_return_runtime_s", MAX_DELAY_S),
    }
)
