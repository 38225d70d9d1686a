"""What other programs write, in our words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import dialects
from drivers.ups import Cause, TestResult, TestSource, TestStatus


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2013-04-19", date(2013, 4, 19)),
        ("2011/08/19", date(2011, 8, 19)),
        ("09/02/08", date(2008, 9, 2)),
        ("10/25/93", date(1993, 10, 25)),
        ("11/6/03", date(2003, 11, 6)),
        ("08/08/2015", date(2015, 8, 8)),
        ("31/12/07", date(2007, 12, 31)),
        ("2026-11-24 04:54:52 +0000", date(2026, 11, 24)),
        ("13/32/07", None),
        ("02/30/07", None),
        ("0000-00-00", None),
        ("1899-12-30", None),
        ("not set", None),
        ("11/2007", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_read_in_every_form_that_apc_writes(text: str | None, found: date | None) -> None:
    assert dialects.day(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("023.4", 23.4),
        ("000.0", 0.0),
        ("-1", None),
        ("120.0 Volts", 120.0),
        ("25.3 C Internal", 25.3),
        ("NA", None),
        ("", None),
        (None, None),
        ("0x05", None),
        ("1e3", None),
        ("12:34", None),
        ("nan", None),
        ("inf", None),
        ("1,5", None),
        ("2007-09-02", None),
        ("1001", None),
    ],
)
def test_a_number_is_what_a_text_begins_with_or_nothing(text: str | None, found: float | None) -> None:
    assert dialects.number(text, 0, 1000) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("OK", TestResult(status=TestStatus.PASSED)),
        ("Ok", TestResult(status=TestStatus.PASSED)),
        ("Done and passed", TestResult(status=TestStatus.PASSED)),
        ("Done and warning", TestResult(status=TestStatus.FAILED, reasons=("warning",))),
        ("done and error", TestResult(status=TestStatus.FAILED)),
        ("BT", TestResult(status=TestStatus.FAILED, reasons=("capacity_too_low",))),
        ("NG", TestResult(status=TestStatus.FAILED, reasons=("internal_fault_or_overload",))),
        ("NO", TestResult(status=TestStatus.NONE)),
        ("No test initiated", TestResult(status=TestStatus.NONE)),
        ("In progress", TestResult(status=TestStatus.IN_PROGRESS)),
        ("TestInProgress", TestResult(status=TestStatus.IN_PROGRESS)),
        ("InvalidTest", TestResult(status=TestStatus.REFUSED, reasons=("invalid_state",))),
        ("Test scheduled", TestResult(status=TestStatus.PENDING)),
        ("Aborted", TestResult(status=TestStatus.ABORTED)),
        ("Passed, Source: Internal", TestResult(status=TestStatus.PASSED, source=TestSource.INTERNAL)),
        (
            "Refused, Source: Protocol, Modifier: StateOfChargeNotAcceptable",
            TestResult(status=TestStatus.REFUSED, source=TestSource.PROTOCOL, reasons=("charge_not_acceptable",)),
        ),
        ("??", None),
        ("", None),
        (None, None),
    ],
)
def test_a_test_result_is_understood_in_every_dialect(text: str | None, found: TestResult | None) -> None:
    assert dialects.self_test(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("S", Cause.AUTOMATIC_TEST),
        ("selfTest", Cause.AUTOMATIC_TEST),
        ("simulated power failure or UPS test", Cause.AUTOMATIC_TEST),
        ("Automatic or explicit self test", Cause.AUTOMATIC_TEST),
        ("T", Cause.DISTORTED_INPUT),
        ("Line voltage notch or spike", Cause.DISTORTED_INPUT),
        ("R", Cause.RAPID_INPUT_VOLTAGE_CHANGE),
        ("rateOfVoltageChange", Cause.RAPID_INPUT_VOLTAGE_CHANGE),
        ("blackout", Cause.LOW_INPUT_VOLTAGE),
        ("High line voltage", Cause.HIGH_INPUT_VOLTAGE),
        ("AcceptableInput", Cause.ACCEPTABLE_INPUT),
        ("LocalUICommand", Cause.LOCAL_UI_COMMAND),
        ("EPOInterface", Cause.EPO_INTERFACE),
        ("RapidChangeOfInputVoltage", Cause.RAPID_INPUT_VOLTAGE_CHANGE),
        ("FreqAndOrPhaseDifference", Cause.FREQUENCY_OR_PHASE_DIFFERENCE),
        ("SystemInitialization", Cause.SYSTEM_INITIALISATION),
        ("Unknown", None),
        ("UNKNOWN EVENT", None),
        ("", None),
        (None, None),
    ],
)
def test_a_cause_is_understood_in_every_dialect(text: str | None, found: Cause | None) -> None:
    assert dialects.cause(text) is found


@pytest.mark.parametrize("text", ["", "   ", "####", "********", "....", "<serial>", "unknown", "N/A", None])
def test_what_stands_in_place_of_a_serial_number_is_none(text: str | None) -> None:
    assert dialects.serial_number(text) is None


def test_s6_a_serial_number_is_cut_to_printable_characters() -> None:
    assert dialects.serial_number("  AS12\x1b\r\n34  ") == "AS1234"
    assert dialects.serial_number("x" * 500) == "x" * 64


@given(st.text(max_size=40))
def test_any_text_is_understood_or_none(text: str) -> None:
    dialects.day(text)
    dialects.number(text, 0, 1000)
    dialects.whole(text, 0, 1000)
    dialects.cause(text)
    dialects.self_test(text)
    dialects.serial_number(text)
