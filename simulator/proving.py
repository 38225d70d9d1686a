"""Self-test and runtime calibration as the unit lives through them; their rules are in trials."""

from __future__ import annotations

from drivers.smartups.bits import FLAG_BITS
from drivers.ups import Cause, Flag, State, TestSource, TestStatus
from simulator import efficiency
from simulator.agenda import Item
from simulator.body import Body
from simulator.orders import Answer
from simulator.trials import (
    PENDING_S,
    WORN_OUT_HEALTH,
    Conditions,
    reasons_against_calibration,
    reasons_against_test,
)

START_UP_TEST_S = 30.0
"""A start-up self-test begins this long after the output came on."""
SIMULATED_FAILURE_S = 10.0
"""How long a simulated power failure lasts (our inference: ups-link.md 6 says no more than "later")."""
DAY_S = 86400.0
_DISABLING = frozenset(FLAG_BITS["power_system_error"].values()) | {Flag.BATTERY_DISCONNECTED}
"""Faults that keep a unit from trying its battery."""


def conditions_of(unit: Body) -> Conditions:
    return Conditions(
        online=unit.state is State.ONLINE,
        shutdown_pending=unit.outlets.going_off,
        busy=unit.self_test.active or unit.calibration.active or _failing(unit),
        input_ok=unit.input_usable and unit.verdict.cause is None,
        faulty=bool(unit.all_faults & _DISABLING) or unit.worst_load_pct > 100,
        charge=unit.battery.charge,
        load_pct=unit.load_share_pct,
    )


def start_test(unit: Body, source: TestSource) -> Answer:
    """Ask for a self-test: its status tells a refusal. ILLEGAL while one is under way."""
    if unit.self_test.active:
        return Answer.ILLEGAL
    if reasons := reasons_against_test(conditions_of(unit)):
        unit.self_test.refuse(reasons)
    else:
        unit.self_test.begin(source)
        unit.agenda.set(Item.TEST_START, unit.now_s + PENDING_S)
    return Answer.TAKEN


def start_calibration(unit: Body, source: TestSource) -> Answer:
    if unit.calibration.active:
        return Answer.ILLEGAL
    if reasons := reasons_against_calibration(conditions_of(unit), unit.model.minimum_calibration_load_pct):
        unit.calibration.refuse(reasons)
    else:
        unit.calibration.begin(source)
        unit.agenda.set(Item.CALIBRATION_START, unit.now_s + PENDING_S)
    return Answer.TAKEN


def simulate_failure(unit: Body) -> Answer:
    """Ask for an outage in play: ILLEGAL where a self-test would be refused."""
    if reasons_against_test(conditions_of(unit)):
        return Answer.ILLEGAL
    unit.agenda.set(Item.SIMULATED_FAILURE_START, unit.now_s + PENDING_S)
    return Answer.TAKEN


def _failing(unit: Body) -> bool:
    return unit.simulating_failure or unit.agenda.has(Item.SIMULATED_FAILURE_START)


def run_simulated_failure(unit: Body) -> None:
    unit.simulating_failure = True
    unit.agenda.set(Item.SIMULATED_FAILURE_END, unit.now_s + SIMULATED_FAILURE_S)
    efficiency.lose(unit)
    unit.settle(Cause.AUTOMATIC_TEST)


def end_simulated_failure(unit: Body) -> None:
    was_running = _close_simulated_failure(unit)
    _back_to_mains(unit, was_running)


def _close_simulated_failure(unit: Body) -> bool:
    was_running, unit.simulating_failure = unit.simulating_failure, False
    unit.agenda.clear(Item.SIMULATED_FAILURE_START)
    unit.agenda.clear(Item.SIMULATED_FAILURE_END)
    return was_running


def run_test(unit: Body) -> None:
    unit.self_test.run()
    unit.agenda.set(Item.TEST_END, unit.now_s + unit.model.timing.self_test_s)
    efficiency.lose(unit)
    unit.settle(Cause.AUTOMATIC_TEST)


def run_calibration(unit: Body) -> None:
    unit.calibration.run()
    unit.calibration_load_pct = unit.load_share_pct
    efficiency.lose(unit)
    unit.settle(Cause.AUTOMATIC_TEST)


def finish_test(unit: Body) -> None:
    if _worn_out(unit):
        fail(unit)
    else:
        unit.latched -= {Flag.REPLACE_BATTERY}
        end_test(unit, TestStatus.PASSED)


def finish_calibration(unit: Body) -> None:
    if _worn_out(unit):
        fail(unit)
    else:
        end_calibration(unit, TestStatus.PASSED)


def _worn_out(unit: Body) -> bool:
    return unit.battery.health < WORN_OUT_HEALTH or Flag.REPLACE_BATTERY in unit.faults


def fail(unit: Body) -> None:
    """The battery did not carry the trial through."""
    unit.latched |= {Flag.REPLACE_BATTERY}
    if unit.self_test.running:
        end_test(unit, TestStatus.FAILED)
    if unit.calibration.running:
        end_calibration(unit, TestStatus.FAILED)
    if unit.simulating_failure:
        end_simulated_failure(unit)


def end_test(unit: Body, status: TestStatus, *reasons: str, source: TestSource | None = None) -> None:
    """The self-test is over. `source`: who ended it, if not he who began it."""
    was_running = _close_test(unit, status, reasons, source)
    _back_to_mains(unit, was_running)


def end_calibration(unit: Body, status: TestStatus, *reasons: str, source: TestSource | None = None) -> None:
    was_running = _close_calibration(unit, status, reasons, source)
    _back_to_mains(unit, was_running)


def _close_test(unit: Body, status: TestStatus, reasons: tuple[str, ...], source: TestSource | None) -> bool:
    was_running = unit.self_test.running
    unit.agenda.clear(Item.TEST_START)
    unit.agenda.clear(Item.TEST_END)
    unit.self_test.end(status, source, reasons)
    return was_running


def _close_calibration(unit: Body, status: TestStatus, reasons: tuple[str, ...], source: TestSource | None) -> bool:
    was_running = unit.calibration.running
    unit.agenda.clear(Item.CALIBRATION_START)
    unit.calibration.end(status, source, reasons)
    return was_running


def _back_to_mains(unit: Body, was_running: bool) -> None:
    unit.settle(Cause.TEST_ENDED if was_running else None)
    efficiency.await_return(unit)


def interrupt(unit: Body) -> None:
    """Battery or output are needed elsewhere: the unit aborts what runs or waits, and tells it later."""
    if unit.self_test.active:
        _close_test(unit, TestStatus.ABORTED, ("invalid_state",), TestSource.INTERNAL)
    if unit.calibration.active:
        _close_calibration(unit, TestStatus.ABORTED, ("input_not_acceptable",), TestSource.INTERNAL)
    _close_simulated_failure(unit)


def abort(unit: Body, what: Item) -> Answer:
    """Abort over a wire: `what` is TEST_START or CALIBRATION_START. ILLEGAL if there is nothing to abort."""
    if what is Item.TEST_START and unit.self_test.active:
        end_test(unit, TestStatus.ABORTED, source=TestSource.PROTOCOL)
    elif what is Item.CALIBRATION_START and unit.calibration.active:
        end_calibration(unit, TestStatus.ABORTED, source=TestSource.PROTOCOL)
    else:
        return Answer.ILLEGAL
    return Answer.TAKEN


def interval_s(setting: str | None) -> float | None:
    """The interval of scheduled tests, None if there is none."""
    for days in (7, 14):
        if setting and f"_{days}d" in setting:
            return days * DAY_S
    return None


def schedule_test(unit: Body) -> None:
    """The next scheduled test, counted from now."""
    interval = interval_s(unit.owner.settings.battery_test_interval)
    unit.agenda.clear(Item.SCHEDULED_TEST)
    if interval is not None:
        unit.agenda.set(Item.SCHEDULED_TEST, unit.now_s + interval)


def expect_start_up_test(unit: Body) -> None:
    if unit.owner.settings.battery_test_interval != "never":
        unit.agenda.set(Item.SCHEDULED_TEST, unit.now_s + START_UP_TEST_S)


def scheduled_test(unit: Body) -> None:
    start_test(unit, TestSource.INTERNAL)
    schedule_test(unit)
