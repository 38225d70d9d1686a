"""Did a command do what it was meant to? Judged from the status before and after, never from the answer alone
(S1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from drivers.driver import Report
from drivers.ups import Command, Flag, Outcome, OutletGroup, Snapshot, State, TestResult, TestStatus, Verb

OUTLET_VERBS = frozenset(verb for verb in Verb if verb.startswith("outlet_"))
_RUNNING = (TestStatus.PENDING, TestStatus.IN_PROGRESS)

Evidence = bool | None
"""True: its effect shows. False: the status contradicts it. None: the status can't tell."""


def groups_of(snapshot: Snapshot) -> dict[int, OutletGroup]:
    main = (snapshot.main_outlet,) if snapshot.main_outlet else ()
    return {group.index: group for group in (*main, *snapshot.switched_outlets)}


def pending(group: OutletGroup) -> bool:
    """A process runs in the group, so that it refuses another one (AN177 2.3)."""
    counting = (group.turn_off_s, group.turn_on_s, group.stay_off_s)
    moving = group.rebooting or group.shutting_down or group.sleeping
    return moving or any(count is not None for count in counting)


def _going_off(group: OutletGroup) -> bool:
    moving = group.shutting_down or group.rebooting or group.sleeping
    return group.on is False or moving or group.turn_off_s is not None


class Look(msgspec.Struct, frozen=True):
    """A command and the status before and after it."""

    command: Command
    before: Snapshot
    after: Snapshot

    @property
    def news(self) -> frozenset[Flag]:
        """Flags that rose."""
        return self.after.flags - self.before.flags


Judge = Callable[[Look], Evidence]


def _outlets(effect: Callable[[OutletGroup], bool]) -> Judge:
    def judge(look: Look) -> Evidence:
        groups = groups_of(look.after)
        return all(index in groups and effect(groups[index]) for index in look.command.groups)

    return judge


def _test_started(before: TestResult | None, after: TestResult | None) -> Evidence:
    if after is None:
        return None
    return after.status in _RUNNING or (after != before and after.status is TestStatus.PASSED)


def _self_test(look: Look) -> Evidence:
    if Flag.TEST_IN_PROGRESS in look.after.flags:
        return True
    return _test_started(look.before.self_test, look.after.self_test)


def _aborted(before: TestResult | None, after: TestResult | None) -> Evidence:
    if before is None or after is None or before.status not in _RUNNING:
        return None
    return after.status not in _RUNNING


def _shutdown(look: Look) -> Evidence:
    """On battery "pending output off" and "shutdown imminent" can be set without any command (7.1, 7.4)."""
    groups = groups_of(look.after).values()
    counting = any(group.turn_off_s is not None or group.shutting_down for group in groups)
    risen = look.news & {Flag.SHUTDOWN_IMMINENT, Flag.PENDING_OUTPUT_OFF}
    if look.after.state is State.OFF or counting or risen:
        return True
    return None if Flag.SHUTDOWN_IMMINENT in look.before.flags else False


def _muted(look: Look) -> Evidence:
    if Flag.ALARM_MUTED in look.after.flags:
        return True
    return False if Flag.ALARM_SOUNDING in look.before.flags & look.after.flags else None


def _unmuted(look: Look) -> Evidence:
    return Flag.ALARM_MUTED not in look.after.flags if Flag.ALARM_MUTED in look.before.flags else None


def _beeped(look: Look) -> Evidence:
    """A short test is over before it can be seen for sure."""
    return True if look.news & {Flag.PANEL_TEST_RUNNING, Flag.ALARM_SOUNDING} else None


_EVIDENCE: Mapping[Verb, Judge] = MappingProxyType(
    {
        Verb.BEEP: _beeped,
        Verb.MUTE: _muted,
        Verb.UNMUTE: _unmuted,
        Verb.SELF_TEST: _self_test,
        Verb.SELF_TEST_ABORT: lambda look: _aborted(look.before.self_test, look.after.self_test),
        Verb.CALIBRATION: lambda look: _test_started(look.before.calibration, look.after.calibration),
        Verb.CALIBRATION_ABORT: lambda look: _aborted(look.before.calibration, look.after.calibration),
        Verb.OUTLET_ON: _outlets(lambda group: group.on is True or group.turn_on_s is not None),
        Verb.OUTLET_OFF: _outlets(_going_off),
        Verb.OUTLET_REBOOT: _outlets(_going_off),
        Verb.OUTLET_SHUTDOWN: _outlets(_going_off),
        Verb.OUTLET_CANCEL: _outlets(lambda group: not pending(group)),
        Verb.SHUTDOWN: _shutdown,
        Verb.BYPASS_ON: lambda look: look.after.state is State.BYPASS,
        Verb.BYPASS_OFF: lambda look: look.after.state is not State.BYPASS,
    }
)
"""Clearing faults leaves no trace of its own."""


def evidence(command: Command, before: Snapshot, after: Snapshot) -> Evidence:
    judge_one = _EVIDENCE.get(command.verb)
    return judge_one(Look(command, before, after)) if judge_one else None


def hindrance(command: Command, before: Snapshot) -> str | None:
    """Why a unit that can do this would refuse it just now (AN177 2.3; apc-modbus.md 7.8); None if it should not.

    Exception 4 means both "not now" and "never here": this tells them apart.
    """
    verb, groups = command.verb, groups_of(before)
    if verb is Verb.SHUTDOWN or verb in OUTLET_VERBS:
        asked = command.groups or tuple(groups)
        busy = [index for index in asked if index in groups and pending(groups[index])]
        if busy and verb is not Verb.OUTLET_CANCEL:
            return f"outlet group {busy[0]} is busy; cancel that first"
        return None if before.state is not State.OFF else "the output is off"
    if verb in (Verb.SELF_TEST, Verb.CALIBRATION):
        tests = (before.self_test, before.calibration)
        if any(test is not None and test.status in _RUNNING for test in tests):
            return "a test or calibration runs already"
        return None if before.state is State.ONLINE else f"the unit is {before.state or 'in no known state'}"
    return _nothing_to_end(verb, before)


def _nothing_to_end(verb: Verb, before: Snapshot) -> str | None:
    test = before.calibration if verb is Verb.CALIBRATION_ABORT else before.self_test
    running = test is not None and test.status in _RUNNING
    idle: Mapping[Verb, bool] = {
        Verb.SELF_TEST_ABORT: not running,
        Verb.CALIBRATION_ABORT: not running,
        Verb.MUTE: Flag.ALARM_SOUNDING not in before.flags,
        Verb.UNMUTE: Flag.ALARM_MUTED not in before.flags,
        Verb.BYPASS_OFF: before.state is not State.BYPASS,
    }
    return "there is nothing to end just now" if idle.get(verb) else None


def _refused_test(command: Command, before: Snapshot, after: Snapshot, answered: bool) -> Report | None:
    """Registers 23 and 24 say so themselves, and why; they latch, so an old refusal proves nothing about a
    lost write.
    """
    if command.verb not in (Verb.SELF_TEST, Verb.CALIBRATION):
        return None
    test = command.verb is Verb.SELF_TEST
    old, result = (before.self_test, after.self_test) if test else (before.calibration, after.calibration)
    if result is None or result.status is not TestStatus.REFUSED or (result == old and not answered):
        return None
    why = ", ".join(result.reasons) or "no reason given"
    return Report(outcome=Outcome.REFUSED, detail=f"the unit refused it: {why}")


def judge(command: Command, before: Snapshot, after: Snapshot, *, answered: bool) -> Report:
    """`answered`: the unit took the write; else its answer was lost and only the status can tell (S1)."""
    if refused := _refused_test(command, before, after, answered):
        return refused
    shows = evidence(command, before, after)
    seen = f"the unit is {after.state or 'in no known state'}"
    if shows and (answered or not evidence(command, before, before)):
        return Report(outcome=Outcome.DONE, detail=f"its effect shows; {seen}")
    if not answered:
        return Report(outcome=Outcome.UNKNOWN, detail=f"no answer, and the status does not decide it; {seen}")
    if shows is None:
        return Report(outcome=Outcome.DONE, detail=f"the unit took it; its status can't show more; {seen}")
    return Report(outcome=Outcome.NOT_TAKEN, detail=f"the unit answered, but nothing shows; {seen}")


def judge_setting(written: tuple[int, ...], found: tuple[int, ...] | None) -> Report:
    """By reading back: `found` is None if that was not possible."""
    if found is None:
        return Report(outcome=Outcome.UNKNOWN, detail="it could not be read back")
    if found == written:
        return Report(outcome=Outcome.DONE, detail="read back as written")
    return Report(outcome=Outcome.NOT_TAKEN, detail="read back, and it is not what was written")
