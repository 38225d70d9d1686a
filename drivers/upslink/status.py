"""What the bits, letters and words of UPS-Link mean (ups-link.md sections 5.4, 5.5, 8), as tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from drivers.ups import Cause, Flag, TestResult, TestStatus

CALIBRATING, ONLINE, ON_BATTERY, LOW_BATTERY = 0x01, 0x08, 0x10, 0x40
"""Bits of `Q` that are more than a flag (8.1)."""

STATUS_FLAGS: Mapping[int, Flag] = MappingProxyType(
    {0x02: Flag.AVR_TRIM, 0x04: Flag.AVR_BOOST, 0x20: Flag.OUTPUT_OVERLOAD, 0x80: Flag.REPLACE_BATTERY}
)


class Family(StrEnum):
    """Which bits of the registers a unit has (8.2 to 8.4)."""

    MATRIX = "matrix"
    SMART = "smart"
    SMALL = "small"


def family(model: str | None) -> Family:
    """By the model's name; SMALL are the Smart-UPS v/s and the Back-UPS Pro."""
    name = (model or "").upper()
    if "MATRIX" in name:
        return Family.MATRIX
    return Family.SMALL if "BACK-UPS" in name or "V/S" in name or "SMART-UPS VS" in name else Family.SMART


# Register 1 (~)
WAKES_WITH_MAINS = 0x80
BYPASS_BITS = 0x02 | 0x08 | 0x20
BYPASS_COMMANDED_BITS = 0x04 | 0x08 | 0x20

# Register 3 (8)
BATTERY_RAN_OUT, ASLEEP, IN_SHUTDOWN = 0x01, 0x08, 0x10

REGISTER_2: Mapping[int, Flag] = MappingProxyType(
    {
        0x01: Flag.FAN,
        0x02: Flag.FAN,
        0x04: Flag.SUBSYSTEM,
        0x08: Flag.SUBSYSTEM,
        0x10: Flag.TRANSFORMER_DC_IMBALANCE,
        0x20: Flag.BATTERY_DISCONNECTED,
        0x40: Flag.AVR_RELAY,
        0x80: Flag.SUBSYSTEM,
    }
)
"""Bypass supply failure, output voltage selection failure and bad output voltage have no word of their own."""
REGISTER_3: Mapping[int, Flag] = MappingProxyType(
    {
        0x02: Flag.OUTPUT_OVERLOAD,
        0x04: Flag.OUTPUT_RELAY,
        0x20: Flag.CHARGER,
        0x40: Flag.BYPASS_RELAY,
        0x80: Flag.OVERTEMPERATURE,
    }
)

_REGISTER_2_BITS: Mapping[Family, int] = MappingProxyType({Family.MATRIX: 0x3F, Family.SMART: 0x70, Family.SMALL: 0xD0})


def register_1_bits(kind: Family) -> int:
    return 0xFF if kind is Family.MATRIX else 0xC0


def register_2_bits(kind: Family) -> int:
    return _REGISTER_2_BITS[kind]


def register_3_bits(kind: Family, *, old: bool) -> int:
    """The third generation and the Matrix have all, v/s and Back-UPS Pro 0 to 5, others 0 to 4."""
    if kind is Family.SMALL:
        return 0x3F
    return 0x1F if old and kind is Family.SMART else 0xFF


CAUSES: Mapping[str, Cause] = MappingProxyType(
    {
        "R": Cause.RAPID_INPUT_VOLTAGE_CHANGE,
        "H": Cause.HIGH_INPUT_VOLTAGE,
        "L": Cause.LOW_INPUT_VOLTAGE,
        "T": Cause.DISTORTED_INPUT,
        "O": Cause.SYSTEM_INITIALISATION,
        "S": Cause.AUTOMATIC_TEST,
        "K": Cause.PROTOCOL_COMMAND,
    }
)
"""`G` (5.4). `O`, none since turn-on, is what a unit says that was started anew."""

TEST_RESULTS: Mapping[str, TestResult] = MappingProxyType(
    {
        "OK": TestResult(status=TestStatus.PASSED),
        "BT": TestResult(status=TestStatus.FAILED, reasons=("capacity_too_low",)),
        "NG": TestResult(status=TestStatus.FAILED, reasons=("internal_fault_or_overload",)),
        "NO": TestResult(status=TestStatus.NONE),
    }
)
"""`X` (5.5); NO: none within the last 5 minutes."""

SENSITIVITIES: Mapping[str, str] = MappingProxyType({"H": "normal", "M": "reduced", "L": "low", "A": "auto"})
ALARM_DELAYS: Mapping[str, str] = MappingProxyType({"0": "5s", "T": "30s", "L": "low_battery", "N": "never"})
TEST_INTERVALS: Mapping[str, str] = MappingProxyType(
    {"336": "start_up_14d", "168": "start_up_7d", "ON": "start_up", "OFF": "never"}
)
"""Settings `s`, `k`, `E` (5.3). Units that test themselves every 7 or 14 days do so at turn-on too."""
