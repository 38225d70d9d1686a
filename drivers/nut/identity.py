"""NUT's variables to who a unit is and what is set in it."""

from __future__ import annotations

from collections.abc import Mapping

from drivers import dialects
from drivers.nut import outlets, words
from drivers.ups import Flag, Identity, Settings

SERIALS = ("ups.serial", "device.serial")
"""Variables that tell the serial number, in the order in which they are believed."""

_PLAIN = ("RB", "OVER", "TRIM", "BOOST", words.FORCED_SHUTDOWN)
_ANY_DRIVER = frozenset(words.STATUS_FLAGS[word] for word in _PLAIN) | {Flag.SHUTDOWN_IMMINENT, Flag.POWER_FAILURE}
_BY_DRIVER: Mapping[str, frozenset[Flag]] = {
    "apc_modbus": frozenset(
        {Flag.TEST_IN_PROGRESS, Flag.HIGH_EFFICIENCY, Flag.FAULT_PRESENT, Flag.INPUT_NOT_ACCEPTABLE}
    ),
    "usbhid-ups": frozenset(words.ALARM_FLAGS.values()) - {Flag.FAULT_PRESENT, Flag.INPUT_NOT_ACCEPTABLE},
}


def serial(variables: Mapping[str, str]) -> str | None:
    found = (dialects.serial_number(variables.get(name)) for name in SERIALS)
    return next((text for text in found if text is not None), None)


def identity(variables: Mapping[str, str]) -> Identity:
    driver = variables.get("driver.name", "")
    return Identity(
        serial=serial(variables),
        model=_first(variables, "ups.model", "device.model"),
        sku=_first(variables, "device.part"),
        firmware=_first(variables, "ups.firmware"),
        name=_first(variables, "ups.id"),
        manufactured_on=dialects.day(variables.get("ups.mfr.date")),
        battery_installed_on=dialects.day(variables.get("battery.date")),
        outlet_groups=outlets.names(variables),
        reported_flags=_ANY_DRIVER | _BY_DRIVER.get(driver, frozenset()),
        **dialects.numbers(words.IDENTITY_ROWS, variables),  # type: ignore[arg-type]  # named by IDENTITY_ROWS
    )


def _first(variables: Mapping[str, str], *names: str) -> str | None:
    found = (dialects.words(variables.get(name)) for name in names)
    return next((text for text in found if text is not None), None)


def settings(variables: Mapping[str, str]) -> Settings:
    interval_s = dialects.whole(variables.get("ups.test.interval"), 0, outlets.LONGEST_S)
    return Settings(
        sensitivity=dialects.SENSITIVITIES.get(dialects.squashed(variables.get("input.sensitivity"))),
        battery_test_interval=dialects.TEST_INTERVALS.get(-1 if interval_s is None else interval_s),
        alarm_delay=dialects.ALARM_DELAYS.get(dialects.squashed(variables.get("battery.alarm.threshold"))),
        delays=outlets.delays(variables),
        **dialects.numbers(words.SETTING_ROWS, variables),  # type: ignore[arg-type]  # named by SETTING_ROWS
    )
