"""What a command did, judged from the status before and after."""

from __future__ import annotations

import pytest

from drivers import ups
from drivers.ups import (
    Calibration,
    Command,
    Flag,
    Outcome,
    OutletGroup,
    Snapshot,
    State,
    TestStatus,
    Verb,
)
from drivers.verdict import hindrance, judge
from tests.drivers.memory import EPOCH

DONE, NOT_TAKEN, UNKNOWN, REFUSED = Outcome.DONE, Outcome.NOT_TAKEN, Outcome.UNKNOWN, Outcome.REFUSED


def seen(**fields: object) -> Snapshot:
    return Snapshot(at=EPOCH, **({"state": State.ONLINE} | fields))  # type: ignore[arg-type]  # real fields


def group(**fields: object) -> Snapshot:
    return seen(switched_outlets=(OutletGroup(index=1, **fields),))  # type: ignore[arg-type]  # real fields


def after_test(status: TestStatus, *reasons: str) -> Snapshot:
    return seen(self_test=ups.TestResult(status=status, reasons=reasons))


def calibrated(status: TestStatus) -> Snapshot:
    return seen(calibration=Calibration(status=status))


PENDING = frozenset({Flag.PENDING_OUTPUT_OFF})
IMMINENT = frozenset({Flag.SHUTDOWN_IMMINENT})
SOUNDING = frozenset({Flag.ALARM_SOUNDING})
MUTED = frozenset({Flag.ALARM_MUTED})
T = TestStatus

CASES = [
    (Verb.SELF_TEST, after_test(T.NONE), after_test(T.IN_PROGRESS), DONE, DONE),
    (Verb.SELF_TEST, after_test(T.FAILED), after_test(T.PASSED), DONE, DONE),
    (Verb.SELF_TEST, after_test(T.PASSED), after_test(T.PASSED), NOT_TAKEN, UNKNOWN),
    (Verb.SELF_TEST, after_test(T.REFUSED, "invalid_state"), after_test(T.REFUSED, "invalid_state"), REFUSED, UNKNOWN),
    (Verb.SELF_TEST, after_test(T.NONE), after_test(T.REFUSED, "invalid_state"), REFUSED, REFUSED),
    (Verb.SELF_TEST_ABORT, after_test(T.IN_PROGRESS), after_test(T.ABORTED), DONE, DONE),
    (Verb.SELF_TEST_ABORT, after_test(T.IN_PROGRESS), after_test(T.IN_PROGRESS), NOT_TAKEN, UNKNOWN),
    (Verb.SELF_TEST_ABORT, after_test(T.PASSED), after_test(T.PASSED), DONE, UNKNOWN),
    (Verb.CALIBRATION, calibrated(T.NONE), calibrated(T.IN_PROGRESS), DONE, DONE),
    (Verb.CALIBRATION, calibrated(T.NONE), calibrated(T.REFUSED), REFUSED, REFUSED),
    (Verb.CALIBRATION_ABORT, calibrated(T.IN_PROGRESS), calibrated(T.ABORTED), DONE, DONE),
    (Verb.OUTLET_OFF, group(on=True), group(on=False), DONE, DONE),
    (Verb.OUTLET_OFF, group(on=True), group(on=True, turn_off_s=90), DONE, DONE),
    (Verb.OUTLET_OFF, group(on=True), group(on=True), NOT_TAKEN, UNKNOWN),
    (Verb.OUTLET_OFF, group(on=False), group(on=False), DONE, UNKNOWN),
    (Verb.OUTLET_ON, group(on=False), group(on=True), DONE, DONE),
    (Verb.OUTLET_ON, group(on=False), group(on=False, turn_on_s=5), DONE, DONE),
    (Verb.OUTLET_ON, group(on=False), group(on=False), NOT_TAKEN, UNKNOWN),
    (Verb.OUTLET_REBOOT, group(on=True), group(on=True, rebooting=True), DONE, DONE),
    (Verb.OUTLET_SHUTDOWN, group(on=True), group(on=True, shutting_down=True), DONE, DONE),
    (Verb.OUTLET_CANCEL, group(on=True, turn_off_s=9), group(on=True), DONE, DONE),
    (Verb.OUTLET_CANCEL, group(on=True, turn_off_s=9), group(on=True, turn_off_s=8), NOT_TAKEN, UNKNOWN),
    (Verb.SHUTDOWN, seen(), seen(flags=PENDING), DONE, DONE),
    (Verb.SHUTDOWN, seen(), seen(state=State.OFF), DONE, DONE),
    (Verb.SHUTDOWN, seen(), seen(), NOT_TAKEN, UNKNOWN),
    (Verb.SHUTDOWN, seen(flags=PENDING), seen(flags=PENDING | IMMINENT), DONE, DONE),
    (Verb.SHUTDOWN, seen(flags=PENDING | IMMINENT), seen(flags=PENDING | IMMINENT), DONE, UNKNOWN),
    (Verb.MUTE, seen(flags=SOUNDING), seen(flags=MUTED), DONE, DONE),
    (Verb.MUTE, seen(flags=SOUNDING), seen(flags=SOUNDING), NOT_TAKEN, UNKNOWN),
    (Verb.MUTE, seen(), seen(), DONE, UNKNOWN),
    (Verb.UNMUTE, seen(flags=MUTED), seen(flags=SOUNDING), DONE, DONE),
    (Verb.UNMUTE, seen(flags=MUTED), seen(flags=MUTED), NOT_TAKEN, UNKNOWN),
    (Verb.BEEP, seen(), seen(), DONE, UNKNOWN),
    (Verb.BEEP, seen(), seen(flags=SOUNDING), DONE, DONE),
    (Verb.BYPASS_ON, seen(), seen(state=State.BYPASS), DONE, DONE),
    (Verb.BYPASS_ON, seen(), seen(), NOT_TAKEN, UNKNOWN),
    (Verb.BYPASS_OFF, seen(state=State.BYPASS), seen(), DONE, DONE),
    (Verb.CLEAR_FAULTS, seen(), seen(), DONE, UNKNOWN),
]


@pytest.mark.parametrize(
    ("verb", "before", "after", "answered", "unanswered"),
    CASES,
    ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)],
)
def test_s1_a_command_is_judged_by_the_status(
    verb: Verb, before: Snapshot, after: Snapshot, answered: Outcome, unanswered: Outcome
) -> None:
    command = Command(verb=verb, serial="S", groups=(1,) if verb.startswith("outlet") else ())
    assert judge(command, before, after, answered=True).outcome is answered
    assert judge(command, before, after, answered=False).outcome is unanswered


HINDERED = [
    (Verb.SHUTDOWN, group(on=True, turn_off_s=9), "busy"),
    (Verb.OUTLET_ON, group(on=False, sleeping=True), "busy"),
    (Verb.OUTLET_ON, seen(state=State.OFF), "off"),
    (Verb.SELF_TEST, after_test(T.IN_PROGRESS), "already"),
    (Verb.CALIBRATION, seen(state=State.ON_BATTERY), "on_battery"),
    (Verb.SELF_TEST_ABORT, after_test(T.PASSED), "nothing to end"),
    (Verb.CALIBRATION_ABORT, calibrated(T.NONE), "nothing to end"),
    (Verb.MUTE, seen(), "nothing to end"),
    (Verb.UNMUTE, seen(flags=SOUNDING), "nothing to end"),
    (Verb.BYPASS_OFF, seen(), "nothing to end"),
]


@pytest.mark.parametrize(("verb", "before", "why"), HINDERED)
def test_a_refusal_that_the_state_explains_is_not_for_ever(verb: Verb, before: Snapshot, why: str) -> None:
    command = Command(verb=verb, serial="S", groups=(1,) if verb.startswith("outlet") else ())
    assert why in (hindrance(command, before) or "")


@pytest.mark.parametrize(
    ("verb", "before"),
    [
        (Verb.SHUTDOWN, group(on=True)),
        (Verb.OUTLET_OFF, group(on=True)),
        (Verb.OUTLET_CANCEL, group(on=True, turn_off_s=9)),
        (Verb.SELF_TEST, after_test(T.PASSED)),
        (Verb.SELF_TEST_ABORT, after_test(T.IN_PROGRESS)),
        (Verb.MUTE, seen(flags=SOUNDING)),
        (Verb.BEEP, seen()),
    ],
)
def test_a_refusal_that_nothing_explains_is(verb: Verb, before: Snapshot) -> None:
    command = Command(verb=verb, serial="S", groups=(1,) if verb.startswith("outlet") else ())
    assert hindrance(command, before) is None
