"""Replies to readings, by the units of ups-link.md section 14."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from drivers.ups import Cause, Flag, Identity, Snapshot, State, TestStatus
from drivers.upslink import decode
from drivers.upslink.abilities import Abilities, known, told
from drivers.upslink.decode import Image
from drivers.upslink.status import Family, family

AT = datetime(2026, 1, 1, tzinfo=UTC)
ALL = told("3.!$%+?=#|.\x01\x0e\x1a\\/><')+-789@ABCDEFGKLMNOPQRSUVWXYZabcefghjklmnopqrstuxyz~")
OLD = known("8TI") or Abilities()


def shot(image: Image, abilities: Abilities = ALL) -> Snapshot:
    return decode.snapshot(image, abilities, at=AT, full_at=AT, answer_ms=None)


def test_the_su700_on_battery_of_section_14() -> None:
    image = {"\x01": "SMART-UPS 700", "b": "50.9.D", "Q": "10", "L": "007.1", "O": "119.6", "F": "60.00"}
    image |= {"P": "027.0", "f": "074.0", "B": "24.60", "j": "0017:", "C": "045.9", "G": "R", "X": "NO", "9": "00"}
    found = shot(image)
    assert (found.state, found.cause) == (State.ON_BATTERY, Cause.RAPID_INPUT_VOLTAGE_CHANGE)
    assert found.flags == {Flag.INPUT_NOT_ACCEPTABLE}
    assert (found.input_v, found.output_v, found.input_hz, found.output_hz) == (7.1, 119.6, 60.0, None)
    assert (found.load_pct, found.charge_pct, found.battery_v, found.battery_temp_c) == (27.0, 74.0, 24.6, 45.9)
    assert found.runtime_s == 17 * 60
    assert found.self_test is not None
    assert found.self_test.status is TestStatus.NONE


def test_the_surt1000_of_section_14() -> None:
    image = {"\x01": "Smart-UPS RT 1000 XL", "V": "5YI", "b": "411.8.I", "g": "048", ">": "001", "<": "000"}
    image |= {"m": "10/22/11", "x": "10/22/11", "n": "IS1143012345  ", "c": "UPS_IDEN", "o": "230"}
    assert decode.identity(image, ALL) == Identity(
        serial="IS1143012345",
        model="Smart-UPS RT 1000 XL",
        firmware="411.8.I",
        name="UPS_IDEN",
        manufactured_on=date(2011, 10, 22),
        battery_installed_on=date(2011, 10, 22),
        battery_nominal_v=48.0,
        battery_packs=1,
        bad_battery_packs=0,
        nominal_output_v=230,
        outlet_groups=((0, ""),),
        reported_flags=decode.reported(ALL, None),
    )
    settings = decode.settings(
        {"l": "161", "u": "253", "s": "A", "e": "00", "p": "020", "r": "000", "q": "02", "E": "OFF"}
    )
    assert (settings.transfer_low_v, settings.sensitivity, settings.low_battery_runtime_s) == (161, "auto", 120)
    assert (settings.battery_test_interval, settings.alarm_delay) == ("never", None)


@pytest.mark.parametrize(
    ("code", "model"),
    [("6TI", "Smart-UPS 600"), ("8TI", "Smart-UPS 1250"), ("0XM", "Matrix-UPS 3000"), ("FWI", None), ("5YI", None)],
)
def test_an_old_unit_without_a_name_is_told_by_its_code(code: str, model: str | None) -> None:
    assert decode.identity({"V": code}, OLD).model == model
    assert decode.identity({"V": code, "\x01": "SMART-UPS 700"}, OLD).model == "SMART-UPS 700"


def test_a_matrix_is_one_by_its_code_too() -> None:
    assert shot({"Q": "08", "~": "08", "V": "0XI"}).state is State.BYPASS


def test_what_was_not_read_is_unknown_and_0_is_a_reading() -> None:
    nothing = shot({})
    assert nothing.state is None
    assert nothing.load_pct is None
    assert nothing.self_test is None
    assert shot({"P": "000.0"}).load_pct == 0.0
    assert decode.settings({}).delays[0].turn_off_s is None


@pytest.mark.parametrize(
    ("byte", "state", "flags"),
    [
        ("08", State.ONLINE, set()),
        ("10", State.ON_BATTERY, set()),
        ("50", State.ON_BATTERY, {Flag.SHUTDOWN_IMMINENT}),
        ("00", State.OFF, set()),
        ("18", None, set()),
        ("0A", State.ONLINE, {Flag.AVR_TRIM}),
        ("0C", State.ONLINE, {Flag.AVR_BOOST}),
        ("28", State.ONLINE, {Flag.OUTPUT_OVERLOAD}),
        ("88", State.ONLINE, {Flag.REPLACE_BATTERY}),
        ("48", State.ONLINE, set()),
    ],
)
def test_the_status_byte(byte: str, state: State | None, flags: set[Flag]) -> None:
    found = shot({"Q": byte})
    assert found.state is state
    assert found.flags == flags


def test_calibration_is_no_self_test() -> None:
    found = shot({"Q": "11", "G": "S"})
    assert found.calibration is not None
    assert found.calibration.status is TestStatus.IN_PROGRESS
    assert found.self_test is None


@pytest.mark.parametrize(
    ("letter", "cause"),
    [
        ("R", Cause.RAPID_INPUT_VOLTAGE_CHANGE),
        ("H", Cause.HIGH_INPUT_VOLTAGE),
        ("L", Cause.LOW_INPUT_VOLTAGE),
        ("T", Cause.DISTORTED_INPUT),
        ("O", Cause.SYSTEM_INITIALISATION),
        ("S", Cause.AUTOMATIC_TEST),
        ("K", Cause.PROTOCOL_COMMAND),
        ("Q", None),
    ],
)
def test_the_cause_letter(letter: str, cause: Cause | None) -> None:
    assert shot({"Q": "08", "G": letter}).cause is cause


@pytest.mark.parametrize(
    ("image", "status"),
    [
        ({"Q": "08", "G": "S", "X": "OK"}, TestStatus.PASSED),
        ({"Q": "08", "X": "BT"}, TestStatus.FAILED),
        ({"Q": "08", "X": "NG"}, TestStatus.FAILED),
        ({"Q": "10", "G": "S", "X": "NO"}, TestStatus.IN_PROGRESS),
        ({"Q": "10", "G": "R", "X": "NO"}, TestStatus.NONE),
    ],
)
def test_the_self_test(image: Image, status: TestStatus) -> None:
    found = shot(image).self_test
    assert found is not None
    assert found.status is status


def test_registers_are_read_as_far_as_the_family_has_them() -> None:
    image = {"Q": "08", "'": "FF", "8": "FE"}
    smart = {Flag.TRANSFORMER_DC_IMBALANCE, Flag.BATTERY_DISCONNECTED, Flag.AVR_RELAY, Flag.OUTPUT_OVERLOAD}
    smart |= {Flag.OUTPUT_RELAY, Flag.PENDING_OUTPUT_OFF}
    late = {Flag.CHARGER, Flag.BYPASS_RELAY, Flag.OVERTEMPERATURE}
    assert shot(image).flags == smart | late
    assert shot(image, OLD).flags == smart
    matrix = shot(image | {"\x01": "Matrix-UPS"}).flags
    assert matrix == smart - {Flag.AVR_RELAY} | late | {Flag.FAN, Flag.SUBSYSTEM}


def test_bypass_is_a_state_of_the_matrix_alone() -> None:
    assert shot({"Q": "08", "~": "08", "\x01": "MATRIX-UPS 3000"}).state is State.BYPASS
    assert Flag.COMMANDED in shot({"Q": "08", "~": "08", "\x01": "MATRIX-UPS 3000"}).flags
    assert Flag.COMMANDED not in shot({"Q": "08", "~": "02", "\x01": "MATRIX-UPS 3000"}).flags
    assert shot({"Q": "08", "~": "08", "\x01": "SMART-UPS 700"}).state is State.ONLINE


def test_why_the_output_is_off_stands_in_register_3() -> None:
    assert shot({"Q": "00", "G": "R", "8": "01"}).cause is Cause.LOW_BATTERY_VOLTAGE
    for byte in ("08", "10"):
        asleep = shot({"Q": "00", "G": "R", "8": byte})
        assert asleep.cause is Cause.PROTOCOL_COMMAND
        assert asleep.main_outlet is not None
        assert (asleep.main_outlet.on, asleep.main_outlet.sleeping) == (False, True)
    going = shot({"Q": "10", "G": "R", "8": "10"})
    assert going.cause is Cause.RAPID_INPUT_VOLTAGE_CHANGE
    assert going.main_outlet is not None
    assert (going.main_outlet.on, going.main_outlet.shutting_down) == (True, True)


def test_no_flag_is_raised_that_is_not_reported() -> None:
    for name in ("SMART-UPS 700", "Matrix-UPS", "SMART-UPS v/s"):
        for abilities in (ALL, OLD, Abilities()):
            claimed = decode.reported(abilities, name)
            has = abilities.characters
            for value in range(256):
                for char in "Q~'89":
                    if char not in has or (char == "9" and value not in (0, 255)):
                        continue
                    for power in ("00", "08", "10"):
                        image = {"\x01": name, "Q": power, char: f"{value:02X}"}
                        raised = shot(image, abilities).flags
                        trim = {Flag.AVR_TRIM} if abilities.old else set()
                        assert raised - trim <= claimed, (name, image)


def test_the_frequency_is_the_outputs_where_the_extension_says_so() -> None:
    found = shot({"F": "50.00"}, told("3.!$.ABF.\x9f:\xd3"))
    assert (found.input_hz, found.output_hz) == (None, 50.0)


@pytest.mark.parametrize(
    ("reply", "day"),
    [
        ("11/29/96", date(1996, 11, 29)),
        ("11/6/03", date(2003, 11, 6)),
        ("29/11/96", date(1996, 11, 29)),
        ("02/30/05", None),
        ("13/13/05", None),
        ("unknown ", None),
        ("", None),
    ],
)
def test_dates(reply: str, day: date | None) -> None:
    assert decode.day({"x": reply}, "x") == day


def test_s6_what_a_unit_says_of_itself_is_printable_and_short() -> None:
    hostile = "\x1b[31m<b>=cmd\r\n" + "A" * 200
    assert (decode.text({"c": hostile}, "c") or "").isprintable()
    assert len(decode.text({"c": hostile}, "c") or "") <= 64


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("SMART-UPS 3000 RM", Family.SMART),
        ("Matrix-UPS", Family.MATRIX),
        ("SMART-UPS v/s 650", Family.SMALL),
        ("BACK-UPS PRO 650", Family.SMALL),
        (None, Family.SMART),
    ],
)
def test_families(model: str | None, kind: Family) -> None:
    assert family(model) is kind
