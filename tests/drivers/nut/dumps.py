"""What 54 real units said to NUT's drivers, as dummy-ups serves it, and what each of our fields is then: found from the
dump's text alone, with none of the tables of the driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from drivers.ups import Cause, Flag, State, TestStatus
from tests.conftest import lacking

FOLDER = Path(__file__).parents[4] / "shared/captures/nut"
Variables = Mapping[str, str]
Oracle = Callable[[Variables], Any]  # Any: a number, a text, a date


def dumps() -> list[Path]:
    """The files, by name. Fails in CI, and skips elsewhere, where they are not beside the repository."""
    found = sorted(FOLDER.glob("*.dev"))
    if not found:
        lacking(f"no dumps in {FOLDER}")
    return found


def served(path: Path) -> dict[str, str]:
    """The variables as dummy-ups 2.8.0 tells them. Its parser ends a line at a bare #, joins the next to a backslash
    and sets = apart; a line without a value repeats that of the line before; a unit has a model.
    """
    variables = {"ups.model": "Dummy UPS"}
    last = ""
    for line in path.read_text("utf-8", "replace").replace("\\\n", "").splitlines():
        words = line.partition("#")[0].replace("=", " = ").split()
        if words and words[0].endswith(":"):
            last = " ".join(words[1:]) or last
            variables[words[0].rstrip(":")] = last
    return variables


def plain(*names: str, low: float = 0.0, high: float = 1e9) -> Oracle:
    """The first of these that is a number in these limits."""

    def find(variables: Variables) -> float | None:
        for name in names:
            try:
                value = float(variables[name])
            except (KeyError, ValueError):
                continue
            if low <= value <= high:
                return value
        return None

    return find


def whole(*names: str, low: float = 0.0, high: float = 1e9) -> Oracle:
    def find(variables: Variables) -> int | None:
        found = plain(*names, low=low, high=high)(variables)
        return None if found is None else int(found)

    return find


def day(name: str) -> Oracle:
    def find(variables: Variables) -> date | None:
        text = variables.get(name, "")
        if found := re.fullmatch(r"(\d{4})[-/](\d\d)[-/](\d\d)", text):
            year, month, of_month = map(int, found.groups())
        elif found := re.fullmatch(r"(\d\d?)/(\d\d?)/(\d{2,4})", text):
            month, of_month, year = map(int, found.groups())
            year += (0, 1900, 2000)[(year < 100) + (year < 70)]
        else:
            return None
        return date(year, month, of_month)

    return find


def text(*names: str) -> Oracle:
    return lambda variables: next((variables[name] for name in names if variables.get(name)), None)


def chosen(name: str, table: Mapping[str, Any]) -> Oracle:
    return lambda variables: table.get(variables.get(name, ""))


def nothing(variables: Variables) -> None:
    """No dump tells it."""


def state(variables: Variables) -> State | None:
    return State.ON_BATTERY if variables["ups.status"].startswith("OB") else State.ONLINE


def flags(variables: Variables) -> frozenset[Flag]:
    """Of the words in the dumps LB (on mains) and CHRG are no flags."""
    found = {Flag.HIGH_EFFICIENCY} if "HE" in variables["ups.status"] else set()
    volts, low = plain("input.voltage")(variables), plain("input.transfer.low")(variables)
    if state(variables) is State.ON_BATTERY and volts is not None and low is not None and volts < low:
        found.add(Flag.POWER_FAILURE)
    return frozenset(found)


CAUSES = {
    "AcceptableInput": Cause.ACCEPTABLE_INPUT,
    "O": Cause.SYSTEM_INITIALISATION,
    "R": Cause.RAPID_INPUT_VOLTAGE_CHANGE,
    "S": Cause.AUTOMATIC_TEST,
    "T": Cause.DISTORTED_INPUT,
    "no transfers yet since turnon": Cause.SYSTEM_INITIALISATION,
    "noTransfer": Cause.SYSTEM_INITIALISATION,
    "rateOfVoltageChange": Cause.RAPID_INPUT_VOLTAGE_CHANGE,
    "selfTest": Cause.AUTOMATIC_TEST,
    "simulated power failure or UPS test": Cause.AUTOMATIC_TEST,
    "unacceptable utility voltage rate of change": Cause.RAPID_INPUT_VOLTAGE_CHANGE,
}


def cause(variables: Variables) -> Cause | None:
    """ "input voltage out of range" is told while it is so: then the voltage says which."""
    if variables.get("input.transfer.reason") == "input voltage out of range":
        return Cause.LOW_INPUT_VOLTAGE if Flag.POWER_FAILURE in flags(variables) else None
    return CAUSES.get(variables.get("input.transfer.reason", ""))


def runtime(variables: Variables) -> int | None:
    """Two dumps say 65535, which their collector marked as an overflow."""
    found: int | None = whole("battery.runtime")(variables)
    return None if found == 65535 else found


def apparent_load(variables: Variables) -> float | None:
    told: float | None = plain("output.L1.power.percent")(variables)
    power: float | None = plain("ups.power")(variables)
    rating: float | None = plain("ups.power.nominal")(variables)
    if told is not None or power is None or rating is None:
        return told
    return 100 * power / rating


SNAPSHOT: Mapping[str, Oracle] = {
    "state": state,
    "cause": cause,
    "flags": flags,
    "input_v": plain("input.voltage"),
    "input_2_v": nothing,
    "input_3_v": nothing,
    "input_hz": plain("input.frequency"),
    "input_max_v": plain("input.voltage.maximum"),
    "input_min_v": plain("input.voltage.minimum"),
    "bypass_v": nothing,
    "bypass_hz": nothing,
    "efficiency_pct": plain("ups.efficiency"),
    "efficiency_reason": chosen("ups.efficiency", {"LoadTooLow": "load_too_low"}),
    "output_v": plain("output.voltage"),
    "output_2_v": nothing,
    "output_a": plain("output.current", "output.L1.current"),
    "output_2_a": nothing,
    "output_hz": plain("output.frequency"),
    "load_pct": plain("ups.load"),
    "load_2_pct": nothing,
    "apparent_load_pct": apparent_load,
    "apparent_load_2_pct": nothing,
    "energy_wh": whole("experimental.output.energy"),
    "charge_pct": plain("battery.charge", high=100),
    "runtime_s": runtime,
    "battery_v": plain("battery.voltage"),
    "battery_negative_v": nothing,
    "battery_temp_c": plain("battery.temperature", "ups.temperature", low=-60),
    "replace_battery_on": day("battery.date.maintenance"),
    "ambient_temp_c": plain("ambient.temperature", low=-60),
    "ambient_humidity_pct": plain("ambient.humidity"),
}
"""Every field of a Snapshot but times, tests and outlets, which the tests look at by themselves."""

TESTS = {
    "InvalidTest": TestStatus.REFUSED,
    "NO": TestStatus.NONE,
    "No test initiated": TestStatus.NONE,
    "Ok": TestStatus.PASSED,
    "Passed, Source: Internal": TestStatus.PASSED,
}


def serial(variables: Variables) -> str | None:
    """Some owners crossed theirs out."""
    for name in ("ups.serial", "device.serial"):
        found = variables.get(name, "")
        if re.search("[A-Za-z0-9]", found) and found not in ("<serial>", "[deleted]"):
            return found
    return None


IDENTITY: Mapping[str, Oracle] = {
    "serial": serial,
    "model": text("ups.model", "device.model"),
    "sku": nothing,
    "firmware": text("ups.firmware"),
    "product_id": nothing,
    "name": text("ups.id"),
    "manufactured_on": day("ups.mfr.date"),
    "battery_sku": nothing,
    "external_battery_sku": nothing,
    "battery_installed_on": day("battery.date"),
    "battery_nominal_v": plain("battery.voltage.nominal", low=1),
    "battery_packs": whole("battery.packs"),
    "bad_battery_packs": whole("battery.packs.bad"),
    "apparent_power_va": whole("ups.power.nominal"),
    "real_power_w": whole("ups.realpower.nominal"),
    "nominal_output_v": whole("output.voltage.nominal"),
}

SENSITIVITIES = {"A": "auto", "H": "normal", "L": "low", "high": "normal", "medium": "reduced", "low": "low"}
SETTINGS: Mapping[str, Oracle] = {
    "transfer_high_v": whole("input.transfer.high"),
    "transfer_low_v": whole("input.transfer.low"),
    "sensitivity": chosen("input.sensitivity", SENSITIVITIES),
    "battery_test_interval": chosen("ups.test.interval", {"1209600": "start_up_14d"}),
    "output_frequency": nothing,
    "output_v": whole("output.voltage.nominal"),
    "low_battery_runtime_s": whole("battery.runtime.low"),
    "minimum_return_charge_pct": whole("battery.charge.restart"),
    "alarm_delay": chosen("battery.alarm.threshold", {"0": "5s", "L": "low_battery", "N": "never"}),
}
