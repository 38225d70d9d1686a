"""What each bit and number of the Smart-UPS registers means (apc-modbus.md section 7), as tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.ups import Cause, Flag, State, TestSource, TestStatus

STATES: Mapping[int, State] = MappingProxyType({1: State.ONLINE, 2: State.ON_BATTERY, 3: State.BYPASS, 4: State.OFF})
"""Bits of ups_status of which exactly one is set (7.1; bypass from MAP)."""

CAUSES: tuple[Cause, ...] = tuple(Cause)
"""change_cause by number, 0 to 30 (7.2; AN176 App. C)."""

FLAG_BITS: Mapping[str, Mapping[int, Flag]] = MappingProxyType(
    {
        "ups_status": {
            5: Flag.FAULT_PRESENT,
            6: Flag.INPUT_NOT_ACCEPTABLE,
            7: Flag.TEST_IN_PROGRESS,
            8: Flag.PENDING_OUTPUT_ON,
            9: Flag.PENDING_OUTPUT_OFF,
            10: Flag.COMMANDED,
            13: Flag.HIGH_EFFICIENCY,
            14: Flag.INFORMATIONAL_ALERT,
            15: Flag.FAULT_STATE,
            19: Flag.BAD_MAINS_STATE,
            20: Flag.FAULT_RECOVERY,
            21: Flag.OVERLOAD_STATE,
        },
        "simple_signaling": {0: Flag.POWER_FAILURE, 1: Flag.SHUTDOWN_IMMINENT},
        "general_error": {
            0: Flag.SITE_WIRING,
            1: Flag.EEPROM,
            2: Flag.AD_CONVERTER,
            3: Flag.LOGIC_POWER_SUPPLY,
            4: Flag.INTERNAL_COMMUNICATION,
            5: Flag.UI_BUTTON,
            7: Flag.EPO_ACTIVE,
            8: Flag.FIRMWARE_MISMATCH,
            9: Flag.OSCILLATOR,
            10: Flag.MEASUREMENT_MISMATCH,
            11: Flag.SUBSYSTEM,
        },
        "power_system_error": {
            0: Flag.OUTPUT_OVERLOAD,
            1: Flag.OUTPUT_SHORT_CIRCUIT,
            2: Flag.OUTPUT_OVERVOLTAGE,
            3: Flag.TRANSFORMER_DC_IMBALANCE,
            4: Flag.OVERTEMPERATURE,
            5: Flag.BACKFEED_RELAY,
            6: Flag.AVR_RELAY,
            7: Flag.PFC_INPUT_RELAY,
            8: Flag.OUTPUT_RELAY,
            9: Flag.BYPASS_RELAY,
            10: Flag.FAN,
            11: Flag.PFC,
            12: Flag.DC_BUS_OVERVOLTAGE,
            13: Flag.INVERTER,
            14: Flag.OVERCURRENT,
        },
        "battery_system_error": {
            0: Flag.BATTERY_DISCONNECTED,
            1: Flag.BATTERY_OVERVOLTAGE,
            2: Flag.REPLACE_BATTERY,
            3: Flag.BATTERY_OVERTEMPERATURE,
            4: Flag.CHARGER,
            5: Flag.BATTERY_TEMPERATURE_SENSOR,
            6: Flag.BATTERY_SOFT_START,
            7: Flag.BATTERY_TEMPERATURE_WARNING,
            8: Flag.BATTERY_GENERAL,
            9: Flag.BATTERY_COMMUNICATION,
        },
        "battery_lifetime": {
            0: Flag.BATTERY_LIFE_OK,
            1: Flag.BATTERY_LIFE_NEAR_END,
            2: Flag.BATTERY_LIFE_EXCEEDED,
            3: Flag.BATTERY_LIFE_NEAR_END_ACKNOWLEDGED,
            4: Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED,
        },
        "user_interface": {
            0: Flag.PANEL_TEST_RUNNING,
            1: Flag.ALARM_SOUNDING,
            2: Flag.ALARM_MUTED,
            3: Flag.BUTTON_PRESSED,
        },
        "input_status": {
            0: Flag.INPUT_ACCEPTABLE,
            1: Flag.INPUT_PENDING_ACCEPTABLE,
            2: Flag.INPUT_VOLTAGE_LOW,
            3: Flag.INPUT_VOLTAGE_HIGH,
            4: Flag.INPUT_DISTORTED,
            5: Flag.AVR_BOOST,
            6: Flag.AVR_TRIM,
            7: Flag.INPUT_FREQUENCY_LOW,
            8: Flag.INPUT_FREQUENCY_HIGH,
            9: Flag.INPUT_NOT_LOCKED,
            10: Flag.INPUT_PHASE_DELTA,
            11: Flag.INPUT_NEUTRAL_MISSING,
            12: Flag.INPUT_NOT_ACCEPTABLE_AT_INPUT,
            13: Flag.INPUT_PLUG_RATING_EXCEEDED,
            14: Flag.INPUT_PHASE_B,
            15: Flag.INPUT_POWERING_LOAD,
        },
        "bypass_status": {
            0: Flag.BYPASS_ACCEPTABLE,
            1: Flag.BYPASS_PENDING_ACCEPTABLE,
            2: Flag.BYPASS_VOLTAGE_LOW,
            3: Flag.BYPASS_VOLTAGE_HIGH,
            4: Flag.BYPASS_DISTORTED,
            7: Flag.BYPASS_FREQUENCY_LOW,
            8: Flag.BYPASS_FREQUENCY_HIGH,
            9: Flag.BYPASS_NOT_LOCKED,
            10: Flag.BYPASS_PHASE_DELTA,
            11: Flag.BYPASS_NEUTRAL_MISSING,
            15: Flag.BYPASS_POWERING_LOAD,
        },
    }
)
"""Register name to bit to flag: 7.1 and 7.4 to 7.11."""

TEST_STATUS_BITS: Mapping[int, TestStatus] = MappingProxyType(
    {
        0: TestStatus.PENDING,
        1: TestStatus.IN_PROGRESS,
        2: TestStatus.PASSED,
        3: TestStatus.FAILED,
        4: TestStatus.REFUSED,
        5: TestStatus.ABORTED,
    }
)
TEST_SOURCE_BITS: Mapping[int, TestSource] = MappingProxyType(
    {6: TestSource.PROTOCOL, 7: TestSource.LOCAL, 8: TestSource.INTERNAL}
)
TEST_REASON_BITS: Mapping[int, str] = MappingProxyType(
    {
        9: "invalid_state",
        10: "internal_fault_or_overload",
        11: "charge_not_acceptable",
        12: "load_changed",
        13: "input_not_acceptable",
        14: "load_too_low",
        15: "overcharge",
    }
)
"""battery_test_status and calibration_status (7.8)."""

OUTLET_ON, OUTLET_OFF, OUTLET_REBOOT, OUTLET_SHUTDOWN, OUTLET_SLEEP = range(5)
"""Bits of outlet_status on which both documents agree (7.3)."""

EFFICIENCY_REASONS: Mapping[int, str] = MappingProxyType(
    {
        -1: "not_available",
        -2: "load_too_low",
        -3: "output_off",
        -4: "on_battery",
        -5: "in_bypass",
        -6: "battery_charging",
        -7: "poor_ac_input",
        -8: "battery_disconnected",
    }
)
"""Negative values of efficiency_pct (register 154)."""

NOMINAL_VOLTAGES: Mapping[int, int] = MappingProxyType(
    {0: 100, 1: 120, 2: 200, 3: 208, 4: 220, 5: 230, 6: 240, 11: 110}
)
"""Bits of output_voltage_setting to volts (7.12)."""

RELAY_CONFIG_GROUPS: Mapping[int, int] = MappingProxyType({0: 0, 1: 1, 2: 2, 3: 3, 4: 4})
"""Bits of relay_config to outlet group index (7.13)."""

TEST_INTERVALS: Mapping[int, str] = MappingProxyType(
    {
        0: "never",
        1: "start_up",
        2: "start_up_7d",
        3: "start_up_14d",
        4: "start_up_7d_since_last",
        5: "start_up_14d_since_last",
    }
)
SENSITIVITIES: Mapping[int, str] = MappingProxyType({0: "normal", 1: "reduced", 2: "low"})
OUTPUT_FREQUENCIES: Mapping[int, str] = MappingProxyType(
    {
        0: "auto",
        1: "50 Hz +-0.1",
        2: "50 Hz +-1",
        3: "50 Hz +-3",
        4: "60 Hz +-0.1",
        5: "60 Hz +-1",
        6: "60 Hz +-3",
    }
)
"""Setting bit fields (7.13)."""


class UpsCommand:
    """Bits of ups_command, 1536 (8.1). 3, 13 and 14 are never written (S2)."""

    RESTORE_FACTORY_SETTINGS = 1 << 3
    BYPASS_ON = 1 << 4
    BYPASS_OFF = 1 << 5
    CLEAR_FAULTS = 1 << 9
    RESET_STRINGS = 1 << 13
    RESET_LOGS = 1 << 14


class OutletCommand:
    """Bits of outlet_command, 1538 (8.1; AN177)."""

    CANCEL = 1 << 0
    ON = 1 << 1
    OFF = 1 << 2
    SHUTDOWN = 1 << 3
    REBOOT = 1 << 4
    COLD_BOOT = 1 << 5
    USE_ON_DELAY = 1 << 6
    USE_OFF_DELAY = 1 << 7
    TARGETS: tuple[int, ...] = (1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 19)
    SOURCE_USB = 1 << 12
    SOURCE_LOCAL = 1 << 13
    SOURCE_SERIAL_PORT = 1 << 14
    SOURCE_NETWORK_1 = 1 << 17


class SimpleSignalingCommand:
    """Values of simple_signaling_command, 1540. 2 is never written (S2)."""

    REQUEST_SHUTDOWN = 1
    REMOTE_OFF = 2
    REMOTE_ON = 4


START, ABORT = 1, 2
"""Values of battery_test_command (1541) and calibration_command (1542)."""


class InterfaceCommand:
    """Values of user_interface_command, 1543 (8.1)."""

    SHORT_TEST = 1
    CONTINUOUS_TEST = 2
    MUTE = 4
    CANCEL_MUTE = 8
    ACKNOWLEDGE_BATTERY = 32
    ACKNOWLEDGE_SITE_WIRING = 64
