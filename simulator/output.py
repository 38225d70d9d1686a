"""What becomes of the output: overload, a battery that gives out, bypass, and groups that switch."""

from __future__ import annotations

from drivers.ups import Cause, Flag, State, TestStatus
from simulator import efficiency, proving
from simulator.agenda import Item
from simulator.body import Body
from simulator.history import Kind as Change
from simulator.mains import Bypass
from simulator.model import Topology
from simulator.outlets import Kind, Plan
from simulator.trials import CALIBRATION_END_CHARGE, CALIBRATION_LOAD_SLACK_PCT

OVERLOAD_HOLD_S = ((150.0, 0.5), (120.0, 5.0), (100.0, 30.0))
"""How long an inverter carries a load above that many percent (our inference)."""


def set_load(unit: Body, load_pct: float) -> None:
    if load_pct != unit.load_pct:
        unit.record(Change.LOAD, "load", unit.load_pct, load_pct)
    unit.load_pct = load_pct
    moved = abs(unit.load_share_pct - unit.calibration_load_pct)
    if unit.calibration.running and moved > CALIBRATION_LOAD_SLACK_PCT:
        proving.end_calibration(unit, TestStatus.FAILED, "load_changed")
    unit.agenda.clear(Item.OVERLOAD)


def watch_overload(unit: Body) -> None:
    """Start the countdown of an inverter that carries too much, or stop it."""
    inverting = unit.state is State.ON_BATTERY or (
        unit.state is State.ONLINE and unit.model.topology is Topology.DOUBLE_CONVERSION
    )
    holds = [hold_s for above, hold_s in OVERLOAD_HOLD_S if unit.worst_load_pct > above]
    if holds and inverting:
        unit.agenda.set_unless(Item.OVERLOAD, unit.now_s + holds[0])
        return
    unit.agenda.clear(Item.OVERLOAD)
    if not holds and unit.bypass is Bypass.FAULT and Flag.INVERTER not in unit.all_faults:
        leave_bypass(unit, Cause.ERROR_CLEARED)


def give_way(unit: Body) -> None:
    """The inverter gives up: bypass takes the load where there is one, else it loses its power."""
    if unit.state is State.ONLINE and unit.bypass_usable:
        enter_bypass(unit, Bypass.FAULT, Cause.POWER_SYSTEM_ERROR)
    else:
        unit.latched |= {Flag.FAULT_STATE}
        drop(unit, Cause.POWER_SYSTEM_ERROR)


def enter_bypass(unit: Body, why: Bypass, cause: Cause) -> None:
    proving.interrupt(unit)
    unit.bypass = why
    efficiency.lose(unit)
    unit.settle(cause)


def leave_bypass(unit: Body, cause: Cause) -> None:
    unit.bypass = None
    unit.settle(cause)
    efficiency.await_return(unit)


def check_bypass(unit: Body) -> None:
    """Mains that a bypass must not pass on end it, though the rectifier may still take them."""
    if unit.bypass in (None, Bypass.UPGRADE) or unit.bypass_usable:
        return
    if unit.bypass is Bypass.COMMANDED:
        high = unit.mains.voltage_v > unit.model.nominal_v
        leave_bypass(unit, Cause.HIGH_INPUT_VOLTAGE if high else Cause.LOW_INPUT_VOLTAGE)
    else:
        unit.latched |= {Flag.FAULT_STATE}
        drop(unit, Cause.POWER_SYSTEM_ERROR)


def drop(unit: Body, cause: Cause, *, returns: bool = False) -> None:
    """All groups off at once. `returns`: they come back with the mains, by its owner's delays and minimum."""
    proving.interrupt(unit)
    unit.bypass = None
    efficiency.lose(unit)
    unit.outlets.drop(unit.now_s, _return_plans(unit) if returns else {})
    unit.settle(cause)


def _return_plans(unit: Body) -> dict[int, Plan]:
    """How groups come back whose power gave out."""
    return {
        delays.index: Plan(
            kind=Kind.SHUTDOWN,
            cause=Cause.LOW_BATTERY_VOLTAGE,
            turn_on_s=delays.turn_on_s or 0,
            minimum_runtime_s=delays.minimum_return_runtime_s or 0,
            minimum_charge_pct=unit.owner.settings.minimum_return_charge_pct or 0,
        )
        for delays in unit.owner.settings.delays
    }


def reason_to_fail(unit: Body) -> Cause | None:
    """Why the battery could not carry the load now, None if it could."""
    if not unit.battery_usable:
        return Cause.BATTERY_SYSTEM_ERROR
    return Cause.LOW_BATTERY_VOLTAGE if unit.battery.charge <= 0 else None


def check_battery(unit: Body) -> None:
    """Act on a battery that has reached a mark, or that cannot carry what hangs on it."""
    reason = reason_to_fail(unit)
    if reason is None or unit.state is not State.ON_BATTERY:
        if unit.calibration.running and unit.battery.charge <= CALIBRATION_END_CHARGE + 1e-9:
            proving.finish_calibration(unit)
    elif unit.input_usable:
        proving.fail(unit)
    else:
        drop(unit, reason, returns=True)


def switch_outlets(unit: Body) -> None:
    """Let the groups do what is due, and the unit follow them."""
    was = unit.state
    for switched in unit.outlets.run(unit.now_s, unit.supply):
        cause = switched.cause if unit.state is not was else Cause.OUTLET_GROUP_STATE_CHANGE
        if unit.state is State.OFF:
            efficiency.lose(unit)
        unit.settle(cause)
    if was is State.OFF and unit.state is not State.OFF:
        efficiency.await_return(unit)
        proving.expect_start_up_test(unit)
