"""NUT's variables in our words: what the dumps of real units do not show."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nut import decode, identity
from drivers.ups import Calibration, Cause, Flag, GroupDelays, OutletGroup, Snapshot, State, TestStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = [
    *("ups.status", "ups.alarm", "ups.load", "ups.serial", "battery.charge", "battery.runtime", "battery.date"),
    *("input.voltage", "input.transfer.low", "input.transfer.reason", "ups.test.result", "outlet.1.status"),
    *("outlet.group.1.name", "ups.timer.shutdown", "ups.efficiency", "ups.beeper.status", "ups.test.interval"),
]


def snapshot(variables: dict[str, str]) -> Snapshot:
    return decode.snapshot(variables, at=NOW, full_at=NOW, answer_ms=None)


@pytest.mark.parametrize(
    ("status", "state", "flags"),
    [
        ("OL", State.ONLINE, set()),
        ("OL CHRG", State.ONLINE, set()),
        ("OL LB CHRG", State.ONLINE, set()),
        ("OB DISCHRG", State.ON_BATTERY, set()),
        ("OB LB", State.ON_BATTERY, {Flag.SHUTDOWN_IMMINENT}),
        ("FSD OB LB", State.ON_BATTERY, {Flag.SHUTDOWN_IMMINENT, Flag.PENDING_OUTPUT_OFF}),
        ("FSD OL", State.ONLINE, {Flag.PENDING_OUTPUT_OFF}),
        ("OL BYPASS", State.BYPASS, set()),
        ("OL OFF", State.OFF, set()),
        ("OFF OB", State.OFF, set()),
        ("OL OVER", State.ONLINE, {Flag.OUTPUT_OVERLOAD}),
        ("OL TRIM", State.ONLINE, {Flag.AVR_TRIM}),
        ("OL BOOST", State.ONLINE, {Flag.AVR_BOOST}),
        ("OL RB", State.ONLINE, {Flag.REPLACE_BATTERY}),
        ("OL HB", State.ONLINE, {Flag.BATTERY_OVERVOLTAGE}),
        ("OB TEST", State.ON_BATTERY, {Flag.TEST_IN_PROGRESS}),
        ("OL ECO", State.ONLINE, {Flag.HIGH_EFFICIENCY}),
        ("OL OB", None, set()),
        ("CHRG", None, set()),
        ("", None, set()),
        ("SOMETHING OL NEW", State.ONLINE, set()),
    ],
)
def test_each_status_word_has_its_meaning(status: str, state: State | None, flags: set[Flag]) -> None:
    found = snapshot({"ups.status": status})
    assert found.state is state
    assert set(found.flags) == flags


@pytest.mark.parametrize(
    ("alarm", "flag"),
    [
        ("Replace battery!", Flag.REPLACE_BATTERY),
        ("No battery installed!", Flag.BATTERY_DISCONNECTED),
        ("Battery charger fail! Fan failure!", Flag.FAN),
        ("Temperature too high!", Flag.OVERTEMPERATURE),
        ("Input not acceptable", Flag.INPUT_NOT_ACCEPTABLE),
        ("General fault", Flag.FAULT_PRESENT),
    ],
)
def test_an_alarm_counts_while_the_status_says_alarm(alarm: str, flag: Flag) -> None:
    assert flag in snapshot({"ups.status": "ALARM OL", "ups.alarm": alarm}).flags
    assert flag not in snapshot({"ups.status": "OL", "ups.alarm": alarm}).flags


def test_s19_an_input_beyond_the_transfer_points_is_a_power_failure_in_a_test_too() -> None:
    test = {"ups.status": "OB TEST", "input.transfer.low": "208", "input.transfer.high": "253"}
    assert Flag.POWER_FAILURE not in snapshot(test | {"input.voltage": "230"}).flags
    assert Flag.POWER_FAILURE in snapshot(test | {"input.voltage": "0.0"}).flags
    assert Flag.POWER_FAILURE in snapshot(test | {"input.voltage": "260"}).flags
    assert Flag.POWER_FAILURE not in snapshot(test | {"input.voltage": "0.0", "ups.status": "OL"}).flags


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"driver.name": "apcsmart"}, Cause.AUTOMATIC_TEST),
        ({"driver.name": "usbhid-ups"}, None),
        ({"driver.name": "usbhid-ups", "ups.status": "OB TEST"}, Cause.AUTOMATIC_TEST),
        ({"driver.name": "usbhid-ups", "ups.test.result": "In progress"}, Cause.AUTOMATIC_TEST),
        ({"driver.name": "snmp-ups", "ups.test.result": "Ok"}, None),
        ({"driver.name": "snmp-ups", "ups.status": "OL"}, Cause.AUTOMATIC_TEST),
    ],
)
def test_s19_a_test_is_the_cause_only_where_the_reason_is_as_new_as_the_status(
    more: dict[str, str], cause: Cause | None
) -> None:
    assert snapshot({"ups.status": "OB", "input.transfer.reason": "selfTest"} | more).cause is cause


def test_a_calibration_runs_is_over_or_is_not_known() -> None:
    assert snapshot({"ups.status": "CAL OB"}).calibration == Calibration(status=TestStatus.IN_PROGRESS)
    told = {"ups.status": "OL", "driver.name": "usbhid-ups"}
    assert snapshot(told).calibration == Calibration(status=TestStatus.NONE)
    assert snapshot({"ups.status": "OL", "driver.name": "blazer_usb"}).calibration is None


def test_outlets_are_groups_with_their_countdowns() -> None:
    variables = {
        "ups.status": "OL",
        "ups.timer.shutdown": "17",
        "ups.timer.start": "-1",
        "outlet.1.status": "off",
        "outlet.1.desc": "PowerShare 1",
        "outlet.1.timer.start": "0",
        "outlet.group.2.name": "Racks",
        "outlet.group.2.timer.shutdown": "30",
        "outlet.9.status": "on",
    }
    found = snapshot(variables)
    assert found.main_outlet == OutletGroup(index=0, on=True, turn_off_s=17)
    assert found.switched_outlets == (
        OutletGroup(index=1, on=False, turn_on_s=0),
        OutletGroup(index=2, turn_off_s=30),
    )
    assert identity.identity(variables).outlet_groups == ((0, ""), (1, "PowerShare 1"), (2, "Racks"))


def test_delays_are_told_for_each_group() -> None:
    variables = {
        "ups.delay.shutdown": "020",
        "battery.runtime.restart": "60",
        "outlet.group.1.delay.reboot": "8",
        "outlet.group.2.delay.reboot": "-1",
    }
    assert identity.settings(variables).delays == (
        GroupDelays(index=0, turn_off_s=20, minimum_return_runtime_s=60),
        GroupDelays(index=1, stay_off_s=8),
    )


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("battery.charge", "101", "charge_pct"),
        ("battery.charge", "", "charge_pct"),
        ("battery.runtime", "65535", "runtime_s"),
        ("battery.runtime", "-1", "runtime_s"),
        ("ambient.humidity", "-1.00", "ambient_humidity_pct"),
        ("input.voltage", "NA", "input_v"),
        ("input.voltage", "6553.5", "input_v"),
        ("input.frequency", "nan", "input_hz"),
        ("ups.temperature", "-273", "battery_temp_c"),
    ],
)
def test_a_strange_value_is_not_reported(name: str, value: str, field: str) -> None:
    assert getattr(snapshot({name: value}), field) is None


def test_zero_is_a_reading() -> None:
    found = snapshot({"input.voltage": "000.0", "ups.load": "0", "battery.charge": "0"})
    assert (found.input_v, found.load_pct, found.charge_pct) == (0, 0, 0)


def test_the_second_name_of_a_reading_counts_where_the_first_says_nothing() -> None:
    variables = {
        "input.voltage": "NA",
        "input.L1-N.voltage": "231",
        "input.L2-N.voltage": "229",
        "ups.temperature": "30",
    }
    found = snapshot(variables)
    assert (found.input_v, found.input_2_v, found.battery_temp_c) == (231, 229, 30)


def test_s6_texts_are_cut_to_what_can_be_shown() -> None:
    found = identity.identity({"ups.model": "Smart\x1b[31m\r\nUPS" + "x" * 100, "ups.id": "=cmd|' /C calc'!A0"})
    assert found.model == ("Smart[31mUPS" + "x" * 100)[:64]
    assert found.name == "=cmd|' /C calc'!A0"


@given(st.dictionaries(st.sampled_from(KNOWN), st.text(max_size=30)))
def test_any_variables_are_a_snapshot_an_identity_and_settings(variables: dict[str, str]) -> None:
    found = snapshot(variables)
    assert found.at == NOW
    identity.identity(variables)
    identity.settings(variables)
    assert decode.not_live(variables) is None or "WAIT" in variables["ups.status"].upper()
