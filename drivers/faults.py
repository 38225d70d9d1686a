"""Which flags begin a condition of a unit, and which keep it on. Bits: apc-modbus.md section 7."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.flags import Flag

BEGUN_BY: Mapping[str, frozenset[Flag]] = MappingProxyType(
    {
        # PowerSystemError_BF; units say an overload in one register, the other, or both (7.1 bit 21, 7.6 bit 0)
        "overload": frozenset({Flag.OVERLOAD_STATE, Flag.OUTPUT_OVERLOAD}),
        "output_short_circuit": frozenset({Flag.OUTPUT_SHORT_CIRCUIT}),
        "output_overvoltage": frozenset({Flag.OUTPUT_OVERVOLTAGE}),
        "transformer_dc_imbalance": frozenset({Flag.TRANSFORMER_DC_IMBALANCE}),
        "overtemperature": frozenset({Flag.OVERTEMPERATURE}),
        "backfeed_relay_fault": frozenset({Flag.BACKFEED_RELAY}),
        "avr_relay_fault": frozenset({Flag.AVR_RELAY}),
        "pfc_input_relay_fault": frozenset({Flag.PFC_INPUT_RELAY}),
        "output_relay_fault": frozenset({Flag.OUTPUT_RELAY}),
        "bypass_relay_fault": frozenset({Flag.BYPASS_RELAY}),
        "fan_fault": frozenset({Flag.FAN}),
        "pfc_fault": frozenset({Flag.PFC}),
        "dc_bus_overvoltage": frozenset({Flag.DC_BUS_OVERVOLTAGE}),
        "inverter_fault": frozenset({Flag.INVERTER}),
        "overcurrent": frozenset({Flag.OVERCURRENT}),
        # GeneralError_BF
        "site_wiring_fault": frozenset({Flag.SITE_WIRING}),
        "eeprom_fault": frozenset({Flag.EEPROM}),
        "ad_converter_fault": frozenset({Flag.AD_CONVERTER}),
        "logic_power_fault": frozenset({Flag.LOGIC_POWER_SUPPLY}),
        "internal_communication_fault": frozenset({Flag.INTERNAL_COMMUNICATION}),
        "ui_button_fault": frozenset({Flag.UI_BUTTON}),
        "emergency_power_off": frozenset({Flag.EPO_ACTIVE}),
        "firmware_mismatch": frozenset({Flag.FIRMWARE_MISMATCH}),
        "oscillator_fault": frozenset({Flag.OSCILLATOR}),
        "measurement_mismatch": frozenset({Flag.MEASUREMENT_MISMATCH}),
        "subsystem_fault": frozenset({Flag.SUBSYSTEM}),
        # BatterySystemError_BF
        "battery_disconnected": frozenset({Flag.BATTERY_DISCONNECTED}),
        "battery_overvoltage": frozenset({Flag.BATTERY_OVERVOLTAGE}),
        "replace_battery": frozenset({Flag.REPLACE_BATTERY}),
        "battery_over_temperature": frozenset({Flag.BATTERY_OVERTEMPERATURE}),
        "charger_fault": frozenset({Flag.CHARGER}),
        "battery_temperature_sensor_fault": frozenset({Flag.BATTERY_TEMPERATURE_SENSOR}),
        "battery_soft_start_fault": frozenset({Flag.BATTERY_SOFT_START}),
        "battery_temperature_high": frozenset({Flag.BATTERY_TEMPERATURE_WARNING}),
        "battery_fault": frozenset({Flag.BATTERY_GENERAL}),
        "battery_communication_fault": frozenset({Flag.BATTERY_COMMUNICATION}),
        # Battery.LifeTimeStatus_BF
        "battery_near_end_of_life": frozenset({Flag.BATTERY_LIFE_NEAR_END}),
        "battery_life_exceeded": frozenset({Flag.BATTERY_LIFE_EXCEEDED}),
        # Input.InputStatus_BF
        "avr_boost": frozenset({Flag.AVR_BOOST}),
        "avr_trim": frozenset({Flag.AVR_TRIM}),
    }
)
"""By event type of the onset: any of them begins it."""

KEPT_BY: Mapping[str, frozenset[Flag]] = MappingProxyType(
    {
        "battery_temperature_high": frozenset({Flag.BATTERY_OVERTEMPERATURE}),
        # the first three bits of Battery.LifeTimeStatus_BF exclude each other, and getting worse is no end (7.9)
        "battery_near_end_of_life": frozenset(
            {
                Flag.BATTERY_LIFE_EXCEEDED,
                Flag.BATTERY_LIFE_NEAR_END_ACKNOWLEDGED,
                Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED,
            }
        ),
        "battery_life_exceeded": frozenset({Flag.BATTERY_LIFE_EXCEEDED_ACKNOWLEDGED}),
    }
)
"""Likewise: these begin nothing, but it is not over as long as one of them is set."""
