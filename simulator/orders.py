"""What a wire can tell a simulated unit, whatever its protocol, and what the unit answers."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec


class Task(StrEnum):
    """Everything a Smart-UPS can be told over a wire; more than our drivers ever send.

    Sources: apc-modbus.md section 8; ups-link.md sections 6, 7 and 12.
    """

    SELF_TEST = "self_test"
    SELF_TEST_ABORT = "self_test_abort"
    SIMULATE_POWER_FAILURE = "simulate_power_failure"
    CALIBRATION = "calibration"
    CALIBRATION_ABORT = "calibration_abort"
    REQUEST_SHUTDOWN = "request_shutdown"
    SLEEP = "sleep"
    REMOTE_OFF = "remote_off"
    REMOTE_ON = "remote_on"
    OUTLET_CANCEL = "outlet_cancel"
    OUTLET_ON = "outlet_on"
    OUTLET_OFF = "outlet_off"
    OUTLET_SHUTDOWN = "outlet_shutdown"
    OUTLET_REBOOT = "outlet_reboot"
    BYPASS_ON = "bypass_on"
    BYPASS_OFF = "bypass_off"
    CLEAR_FAULTS = "clear_faults"
    FACTORY_SETTINGS = "factory_settings"
    PANEL_TEST = "panel_test"
    PANEL_TEST_CONTINUOUS = "panel_test_continuous"
    MUTE = "mute"
    UNMUTE = "unmute"
    ACKNOWLEDGE_BATTERY = "acknowledge_battery"
    ACKNOWLEDGE_SITE_WIRING = "acknowledge_site_wiring"
    SET_NAME = "set_name"
    SET_GROUP_NAME = "set_group_name"
    SET_BATTERY_DATE = "set_battery_date"
    SET_TRANSFER_HIGH = "set_transfer_high"
    SET_TRANSFER_LOW = "set_transfer_low"
    SET_SENSITIVITY = "set_sensitivity"
    SET_OUTPUT_FREQUENCY = "set_output_frequency"
    SET_TURN_OFF_DELAY = "set_turn_off_delay"
    SET_TURN_ON_DELAY = "set_turn_on_delay"
    SET_STAY_OFF_DELAY = "set_stay_off_delay"
    SET_MINIMUM_RETURN_RUNTIME = "set_minimum_return_runtime"
    SET_BATTERY_TEST_INTERVAL = "set_battery_test_interval"
    SET_OUTPUT_VOLTAGE = "set_output_voltage"
    SET_LOW_BATTERY_RUNTIME = "set_low_battery_runtime"
    SET_MINIMUM_RETURN_CHARGE = "set_minimum_return_charge"
    SET_ALARM_DELAY = "set_alarm_delay"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One task with its targets (outlet group indices, 0 is the main group), modifiers and value.

    SLEEP's value is in seconds, counted from the return of AC; with `cold_boot` from its own turn-off, AC or not.
    """

    task: Task
    groups: tuple[int, ...] = ()
    use_off_delay: bool = False
    use_on_delay: bool = False
    cold_boot: bool = False
    value: str | int | date | None = None


class Answer(StrEnum):
    """TAKEN; ILLEGAL: value out of range or command senseless now; ABSENT: this model has no such thing."""

    TAKEN = "taken"
    ILLEGAL = "illegal"
    ABSENT = "absent"
