"""Tables of what NUT's variables say: names, limits, status words (integrations.md 1.5, 1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.dialects import Row
from drivers.smartups.bits import EFFICIENCY_REASONS
from drivers.ups import Flag

VOLTS, AMPS, HERTZ = 1000.0, 1000.0, 100.0
HOURS_18_S = 65534
"""65535 s is the 16-bit "unknown" of a unit or a management card; more than that is told in 32 bits."""

READING_ROWS: tuple[Row, ...] = (
    Row("input_v", ("input.voltage", "input.L1-N.voltage"), 0, VOLTS),
    Row("input_2_v", ("input.L2-N.voltage",), 0, VOLTS),
    Row("input_3_v", ("input.L3-N.voltage",), 0, VOLTS),
    Row("input_hz", ("input.frequency",), 0, HERTZ),
    Row("input_max_v", ("input.voltage.maximum",), 0, VOLTS),
    Row("input_min_v", ("input.voltage.minimum",), 0, VOLTS),
    Row("bypass_v", ("input.bypass.voltage", "input.bypass.L1-N.voltage"), 0, VOLTS),
    Row("bypass_hz", ("input.bypass.frequency",), 0, HERTZ),
    Row("efficiency_pct", ("ups.efficiency",), 0, 100),
    Row("output_v", ("output.voltage", "output.L1-N.voltage"), 0, VOLTS),
    Row("output_2_v", ("output.L2-N.voltage",), 0, VOLTS),
    Row("output_a", ("output.current", "output.L1.current"), 0, AMPS),
    Row("output_2_a", ("output.L2.current",), 0, AMPS),
    Row("output_hz", ("output.frequency",), 0, HERTZ),
    Row("load_pct", ("ups.load", "output.L1.realpower.percent"), 0, 999),
    Row("load_2_pct", ("output.L2.realpower.percent",), 0, 999),
    Row("apparent_load_pct", ("output.power.percent", "output.L1.power.percent"), 0, 999),
    Row("apparent_load_2_pct", ("output.L2.power.percent",), 0, 999),
    Row("energy_wh", ("experimental.output.energy",), 0, 0xFFFFFFFE, is_whole=True),
    Row("charge_pct", ("battery.charge",), 0, 100),
    Row("battery_v", ("battery.voltage",), 0, VOLTS),
    Row("battery_temp_c", ("battery.temperature", "ups.temperature"), -60, 150),
    Row("ambient_temp_c", ("ambient.temperature", "ambient.1.temperature"), -60, 150),
    Row("ambient_humidity_pct", ("ambient.humidity", "ambient.1.humidity"), 0, 100),
)

IDENTITY_ROWS: tuple[Row, ...] = (
    Row("battery_nominal_v", ("battery.voltage.nominal",), 1, VOLTS),
    Row("battery_packs", ("battery.packs",), 0, 999, is_whole=True),
    Row("bad_battery_packs", ("battery.packs.bad",), 0, 999, is_whole=True),
    Row("apparent_power_va", ("ups.power.nominal",), 1, 1e7, is_whole=True),
    Row("real_power_w", ("ups.realpower.nominal",), 1, 1e7, is_whole=True),
    Row("nominal_output_v", ("output.voltage.nominal",), 1, VOLTS, is_whole=True),
)

SETTING_ROWS: tuple[Row, ...] = (
    Row("transfer_high_v", ("input.transfer.high",), 1, VOLTS, is_whole=True),
    Row("transfer_low_v", ("input.transfer.low",), 1, VOLTS, is_whole=True),
    Row("output_v", ("output.voltage.nominal",), 1, VOLTS, is_whole=True),
    Row("low_battery_runtime_s", ("battery.runtime.low",), 0, HOURS_18_S, is_whole=True),
    Row("minimum_return_charge_pct", ("battery.charge.restart",), 0, 100, is_whole=True),
)

ON_BATTERY, ON_LINE, BYPASS, OFF, LOW_BATTERY = "OB", "OL", "BYPASS", "OFF", "LB"
CALIBRATING, ALARM, WAITING, FORCED_SHUTDOWN = "CAL", "ALARM", "WAIT", "FSD"

STATUS_FLAGS: Mapping[str, Flag] = MappingProxyType(
    {
        "RB": Flag.REPLACE_BATTERY,
        "HB": Flag.BATTERY_OVERVOLTAGE,
        "OVER": Flag.OUTPUT_OVERLOAD,
        "TRIM": Flag.AVR_TRIM,
        "BOOST": Flag.AVR_BOOST,
        "TEST": Flag.TEST_IN_PROGRESS,
        "ECO": Flag.HIGH_EFFICIENCY,
        "HE": Flag.HIGH_EFFICIENCY,
        FORCED_SHUTDOWN: Flag.PENDING_OUTPUT_OFF,
        "SD": Flag.PENDING_OUTPUT_OFF,
    }
)
"""Status words that mean the same in every state. HE is what apc_modbus of 2.8.2 writes for high efficiency.

A forced shutdown ends in an output that goes off; as register 0 bit 9 it says nothing of the battery.
"""

ALARM_FLAGS: Mapping[str, Flag] = MappingProxyType(
    {
        "replace battery": Flag.REPLACE_BATTERY,
        "no battery": Flag.BATTERY_DISCONNECTED,
        "battery voltage too high": Flag.BATTERY_OVERVOLTAGE,
        "charger fail": Flag.CHARGER,
        "fan failure": Flag.FAN,
        "temperature too high": Flag.OVERTEMPERATURE,
        "internal ups fault": Flag.FAULT_STATE,
        "general fault": Flag.FAULT_PRESENT,
        "input not acceptable": Flag.INPUT_NOT_ACCEPTABLE,
    }
)
"""Parts of `ups.alarm`, in lower case, as usbhid-ups and apc_modbus write it."""

HIGH_EFFICIENCY_WORD = "vendor:apc:he"
"""In `ups.mode.buzzwords`, or `experimental.` that, from NUT 2.8.3 on."""

EFFICIENCIES: Mapping[str, str] = MappingProxyType(
    {reason.replace("_", ""): reason for reason in EFFICIENCY_REASONS.values()}
)
"""What apc_modbus writes in place of an efficiency, squashed, to Snapshot.efficiency_reason."""

CALIBRATORS = frozenset({"apc_modbus", "apcsmart", "apcsmart-old", "apcupsd-ups", "snmp-ups", "usbhid-ups"})
"""Drivers that say CAL while the unit calibrates, so that its absence means something."""

FRESH_REASON = frozenset({"apc_modbus", "apcsmart", "apcsmart-old"})
"""Drivers that read the transfer reason together with the status. Of others it may still be the last transfer's, and an
outage would pass for the self-test before it (S19).
"""
