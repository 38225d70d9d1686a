"""What NUT's drivers and apcupsd write, in our words. What can't be read for sure is None; nothing here fails.

Sources: ups-link.md 5.3 to 5.5 (apcsmart passes on what the unit says, old releases as single letters), integrations.md
1.7 and 2.3, PowerNet-MIB (upsAdvInputLineFailCause, upsAdvTestDiagnosticsResults) and RFC 1628 for snmp-ups, the HID
power device class for usbhid-ups; apc_modbus writes the names of AN176 in one word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

import msgspec

from drivers.ups import Cause, TestResult, TestSource, TestStatus, clean_text

_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,12}(?:\.[0-9]{1,9})?)(?![0-9A-Za-z.,:/_-])", re.ASCII)
_DAY = re.compile(r"(\d{1,4})([-/])(\d{1,2})\2(\d{1,4})(?![\d/-])", re.ASCII)
CENTURY_TURNS = 70
"""Years of two digits are of this century below it; the first Smart-UPS is of 1990."""
YEARS = range(1980, 2100)


def number(text: str | None, low: float, high: float) -> float | None:
    """The number a text begins with, a unit may follow; None if it is not from `low` to `high`."""
    found = _NUMBER.match(text or "")
    value = float(found[1]) if found else None
    return value if value is not None and low <= value <= high else None


def whole(text: str | None, low: int, high: int) -> int | None:
    value = number(text, low, high)
    return None if value is None else round(value)


class Row(msgspec.Struct, frozen=True):
    """A number of Snapshot, Identity or Settings, and the variables that say it: the first that says something.

    What is not from `low` to `high` is what a program writes for "I don't know" (-1, 65535).
    """

    field: str
    variables: tuple[str, ...]
    low: float
    high: float
    is_whole: bool = False


def numbers(rows: Sequence[Row], variables: Mapping[str, str]) -> dict[str, float | int | None]:
    """Field to value."""
    return {row.field: _row_number(row, variables) for row in rows}


def _row_number(row: Row, variables: Mapping[str, str]) -> float | int | None:
    for name in row.variables:
        found = number(variables.get(name), row.low, row.high)
        if found is not None:
            return round(found) if row.is_whole else found
    return None


def beyond(volts: float | None, low: float | None, high: float | None) -> Cause | None:
    """Whether an input voltage is under or over the transfer points; None if neither, or not known."""
    if volts is not None and low is not None and volts < low:
        return Cause.LOW_INPUT_VOLTAGE
    if volts is not None and high is not None and volts > high:
        return Cause.HIGH_INPUT_VOLTAGE
    return None


def words(text: str | None) -> str | None:
    return clean_text(text or "") or None


def serial_number(text: str | None) -> str | None:
    """None for what stands where a serial number is missing or was crossed out."""
    found = words(text)
    if found is None or squashed(found) in _NO_SERIAL or not any(c.isalnum() for c in found):
        return None
    return found


def day(text: str | None) -> date | None:
    """YYYY-MM-DD, YYYY/MM/DD, MM/DD/YY or MM/DD/YYYY, a time may follow. APC puts the month first in any
    country, unless that is no date.
    """
    found = _DAY.match((text or "").strip())
    if found is None:
        return None
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    if len(found[1]) == 4:
        year, month, of_month = first, second, third
    elif len(found[4]) in (2, 4):
        year, month, of_month = _year(found[4]), first, second
    else:
        return None
    if month > 12:
        month, of_month = of_month, month
    try:
        return date(year, month, of_month) if year in YEARS else None
    except ValueError:
        return None


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else int(text) + (1900 if int(text) >= CENTURY_TURNS else 2000)


def squashed(text: str | None) -> str:
    """Letters and digits only, lower case: `Done and passed`, `done-and-passed` and `DoneAndPassed` are one."""
    return "".join(c for c in (text or "").lower() if c.isalnum())


_NO_SERIAL = frozenset({"none", "na", "unknown", "blank", "notset", "serial", "deleted"})

_CAUSE_WORDS: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.RAPID_INPUT_VOLTAGE_CHANGE: (
            "R | unacceptable utility voltage rate of change | unacceptable line voltage changes | "
            "rateOfVoltageChange | RapidChangeOfInputVoltage"
        ),
        Cause.HIGH_INPUT_VOLTAGE: (
            "H | high utility voltage | high line voltage | highLineVoltage | smallMomentarySpike | largeMomentarySpike"
        ),
        Cause.LOW_INPUT_VOLTAGE: (
            "L | low utility voltage | low line voltage | brownout | blackout | utility off | "
            "smallMomentarySag | deepMomentarySag"
        ),
        Cause.DISTORTED_INPUT: "T | line voltage notch or spike",
        Cause.AUTOMATIC_TEST: ("S | simulated power failure or UPS test | automatic or explicit self test | selfTest"),
        Cause.PROTOCOL_COMMAND: "K | forced by software",
        Cause.FREQUENCY_OR_PHASE_DIFFERENCE: "input frequency out of range | FreqAndOrPhaseDifference",
        Cause.SYSTEM_INITIALISATION: (
            "O | no transfers yet since turnon | no transfers since turnon | noTransfer | SystemInitialization"
        ),
    }
)
_CAUSES: Mapping[str, Cause] = MappingProxyType(
    {squashed(cause): cause for cause in Cause}
    | {squashed(text): cause for cause, texts in _CAUSE_WORDS.items() for text in texts.split("|")}
)


def cause(text: str | None) -> Cause | None:
    """Why the unit changed its state, or transferred last. No transfer yet since turn-on is what a unit says that was
    started anew, as in drivers.upslink.
    """
    return _CAUSES.get(squashed(text))


_TESTS: Mapping[str, TestResult] = MappingProxyType(
    {
        squashed(text): TestResult(status=status, reasons=tuple(filter(None, (reason,))))
        for status, reason, texts in (
            (TestStatus.NONE, "", "NO | no test initiated | none"),
            (TestStatus.PENDING, "", "pending | test scheduled"),
            (TestStatus.IN_PROGRESS, "", "IP | in progress | TestInProgress"),
            (TestStatus.PASSED, "", "OK | passed | done and passed"),
            (TestStatus.FAILED, "", "failed | done and error"),
            (TestStatus.FAILED, "capacity_too_low", "BT"),
            (TestStatus.FAILED, "internal_fault_or_overload", "NG"),
            (TestStatus.FAILED, "warning", "WN | done and warning"),
            (TestStatus.REFUSED, "", "refused"),
            (TestStatus.REFUSED, "invalid_state", "InvalidTest"),
            (TestStatus.ABORTED, "", "aborted"),
        )
        for text in texts.split("|")
    }
)
_SOURCES = MappingProxyType(
    {
        squashed(f"source {name}"): source
        for name, source in {
            "Protocol": TestSource.PROTOCOL,
            "LocalUI": TestSource.LOCAL,
            "Internal": TestSource.INTERNAL,
        }.items()
    }
)
_REASONS = MappingProxyType(
    {
        squashed(f"modifier {name}"): reason
        for name, reason in {
            "InvalidState": "invalid_state",
            "InternalFault": "internal_fault_or_overload",
            "StateOfChargeNotAcceptable": "charge_not_acceptable",
        }.items()
    }
)


def self_test(text: str | None) -> TestResult | None:
    """`Passed, Source: Internal` as apc_modbus writes it, or a word alone as the others do."""
    first, *rest = (squashed(part) for part in (text or "").split(","))
    found = _TESTS.get(first)
    if found is None:
        return None
    sources = [_SOURCES[part] for part in rest if part in _SOURCES]
    reasons = tuple(_REASONS[part] for part in rest if part in _REASONS)
    return TestResult(
        status=found.status, source=sources[0] if len(sources) == 1 else None, reasons=found.reasons + reasons
    )


SENSITIVITIES: Mapping[str, str] = MappingProxyType(
    {
        squashed(text): ours
        for ours, texts in (
            ("normal", "H | high | normal"),
            ("reduced", "M | medium | reduced"),
            ("low", "L | low"),
            ("auto", "A | auto | auto adjust"),
        )
        for text in texts.split("|")
    }
)
"""Squashed word to ours (Settings.sensitivity)."""

ALARM_DELAYS: Mapping[str, str] = MappingProxyType(
    {
        squashed(text): ours
        for ours, texts in (
            ("5s", "0 | 5 seconds"),
            ("30s", "T | 30 seconds"),
            ("low_battery", "L | low battery"),
            ("never", "N | no alarm"),
        )
        for text in texts.split("|")
    }
)
"""Squashed word to ours (Settings.alarm_delay)."""

_DAY_S = 86400
TEST_INTERVALS: Mapping[int, str] = MappingProxyType({7 * _DAY_S: "start_up_7d", 14 * _DAY_S: "start_up_14d"})
"""Seconds to ours (Settings.battery_test_interval). 0 is "at start-up" or "never": not known which."""
