"""Did a command do what it was meant to? Judged by the unit's word and by its status before and after (S1;
ups-link.md 4.2, 6, 7.1).
"""

from __future__ import annotations

from drivers.driver import Report
from drivers.ups import Command, Outcome, Snapshot, State, TestStatus, Verb

TAKEN = frozenset({"OK", "*"})
SAID_NO = frozenset({"NA", "NO"})
SPEECHLESS = frozenset({Verb.OUTLET_ON, Verb.OUTLET_OFF})
"""Doubled commands that units obey without a word (7.1)."""

Evidence = bool | None
"""True: its effect shows. False: the status contradicts it. None: the status can't tell."""


def is_testing(snapshot: Snapshot) -> bool:
    return snapshot.self_test is not None and snapshot.self_test.status is TestStatus.IN_PROGRESS


def is_calibrating(snapshot: Snapshot) -> bool:
    return snapshot.calibration is not None and snapshot.calibration.status is TestStatus.IN_PROGRESS


def _has_result(snapshot: Snapshot) -> bool:
    return snapshot.self_test is not None and snapshot.self_test.status in (TestStatus.PASSED, TestStatus.FAILED)


def _going_off(after: Snapshot) -> bool:
    return after.state is State.OFF or bool(after.main_outlet and after.main_outlet.shutting_down)


def evidence(command: Command, before: Snapshot, after: Snapshot) -> Evidence:
    """A grace delay shows in register 3 at most, and a panel test nowhere: then only the unit's word is there."""
    verb = command.verb
    if verb is Verb.SELF_TEST:
        return is_testing(after) or (_has_result(after) and after.self_test != before.self_test)
    if verb is Verb.SELF_TEST_ABORT:
        return not is_testing(after)
    if verb in (Verb.CALIBRATION, Verb.CALIBRATION_ABORT):
        return is_calibrating(after) is (verb is Verb.CALIBRATION)
    if verb is Verb.SIMULATE_POWER_FAILURE:
        return after.state is State.ON_BATTERY
    if verb is Verb.OUTLET_ON:
        return after.state in (State.ONLINE, State.ON_BATTERY, State.BYPASS)
    if verb is Verb.OUTLET_OFF and not command.use_off_delay:
        return after.state is State.OFF
    if verb in (Verb.OUTLET_OFF, Verb.SHUTDOWN):
        return True if _going_off(after) else None
    if verb is Verb.OUTLET_CANCEL:
        return None if not _going_off(after) else False
    return None


def judge(command: Command, before: Snapshot, after: Snapshot, said: str | None) -> Report:
    """`said` is the unit's word, None for silence."""
    seen = f"the unit is {after.state or 'in no known state'}"
    if said in SAID_NO:
        return Report(outcome=Outcome.REFUSED, detail=f"the unit says {said}: not now; {seen}")
    shows = evidence(command, before, after)
    if shows and (said in TAKEN or not evidence(command, before, before)):
        return Report(outcome=Outcome.DONE, detail=f"its effect shows; {seen}")
    word = "no answer" if said is None else f"it says {said[:16]!r}"
    if said in TAKEN and shows is None:
        return Report(outcome=Outcome.DONE, detail=f"the unit took it; its status can't show more; {seen}")
    if said in TAKEN:
        return Report(outcome=Outcome.NOT_TAKEN, detail=f"the unit took it, but nothing shows; {seen}")
    if said is None and shows is False and command.verb in SPEECHLESS:
        return Report(outcome=Outcome.NOT_TAKEN, detail=f"nothing shows; {seen}")
    return Report(outcome=Outcome.UNKNOWN, detail=f"{word}, and the status does not decide it; {seen}")


def unread(command: Command, said: str | None, why: str) -> Report:
    """Where the status cannot be read after it: an old unit that took a shutdown is silent until it wakes (7.2)."""
    if said in TAKEN and command.verb in (Verb.SHUTDOWN, Verb.OUTLET_OFF):
        return Report(outcome=Outcome.DONE, detail=f"the unit took it; since then it is silent: {why}")
    return Report(outcome=Outcome.UNKNOWN, detail=f"sent once; its effect could not be read: {why}")


def judge_setting(wanted: str, found: str | None, said: str | None) -> Report:
    """By reading back; blanks at the end and padding are nothing."""
    if found is None:
        return Report(outcome=Outcome.UNKNOWN, detail="it could not be read back")
    if found.strip() == wanted.strip():
        return Report(outcome=Outcome.DONE, detail="read back as written")
    if said in SAID_NO:
        return Report(outcome=Outcome.REFUSED, detail=f"the unit says {said}; it reads {found.strip()!r}")
    return Report(outcome=Outcome.NOT_TAKEN, detail=f"it reads {found.strip()!r}, not {wanted.strip()!r}")
