"""What a unit does with an order from a wire: obeys, finds it senseless, or lacks the thing (section 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from drivers.ups import Cause, Flag, State, TestSource
from simulator import adjust, faults, output, proving
from simulator.agenda import Item
from simulator.body import Body
from simulator.mains import Bypass
from simulator.orders import Answer, Order, Task
from simulator.outlets import MAIN, Kind, Plan

PANEL_TEST_S = 2.0
"""The short test of lamps and beeper."""
MAX_SLEEP_S = 999 * 360
"""What three digits of six minutes each can say (ups-link.md 7.1)."""


def execute(unit: Body, order: Order) -> Answer:
    """Carry out one order at the unit's present instant."""
    with_order = _OUTLET_TASKS.get(order.task) or adjust.SETTINGS.get(order.task)
    return with_order(unit, order) if with_order else _TASKS[order.task](unit)


# outlet groups


def _outlets(kind: Kind) -> Callable[[Body, Order], Answer]:
    def start(unit: Body, order: Order) -> Answer:
        if not order.groups or not set(order.groups) <= unit.outlets.groups.keys():
            return Answer.ABSENT
        if any(unit.outlets.groups[index].process for index in order.groups) or not _in_order(unit, kind, order):
            return Answer.ILLEGAL
        was_going_off = unit.outlets.going_off
        for index in order.groups:
            unit.outlets.start((index,), _plan(unit, kind, order, index), unit.now_s)
        _mark(unit, was_going_off)
        return Answer.TAKEN

    return start


def _in_order(unit: Body, kind: Kind, order: Order) -> bool:
    """A switched group needs the main one, which goes off after or with all switched ones (AN177 2.3)."""
    groups = unit.outlets.groups
    main = groups.get(MAIN)
    if main is None:
        return True
    if kind is Kind.ON:
        return main.on or MAIN in order.groups
    others_on = {index for index, group in groups.items() if index != MAIN and group.on}
    return MAIN not in order.groups or others_on <= set(order.groups)


def _plan(unit: Body, kind: Kind, order: Order, index: int) -> Plan:
    delays = unit.owner.delays(index)
    return Plan(
        kind=kind,
        cause=Cause.PROTOCOL_COMMAND,
        turn_off_s=(delays.turn_off_s or 0) if order.use_off_delay else 0,
        stay_off_s=delays.stay_off_s or 0,
        turn_on_s=(delays.turn_on_s or 0) if order.use_on_delay else 0,
        cold_boot=order.cold_boot,
        minimum_runtime_s=(delays.minimum_return_runtime_s or 0) if kind is Kind.SHUTDOWN else 0,
        minimum_charge_pct=_return_charge_pct(unit) if kind is Kind.SHUTDOWN else 0,
        return_cause=Cause.PROTOCOL_COMMAND if kind is Kind.ON else Cause.AUTOMATIC_RESTART,
    )


def _return_charge_pct(unit: Body) -> int:
    return unit.owner.settings.minimum_return_charge_pct or 0


def _cancel(unit: Body, order: Order) -> Answer:
    if not set(order.groups) <= unit.outlets.groups.keys():
        return Answer.ABSENT
    was_going_off = unit.outlets.going_off
    unit.outlets.cancel(order.groups)
    _mark(unit, was_going_off)
    return Answer.TAKEN


def _mark(unit: Body, was_going_off: bool) -> None:
    """A shutdown that has begun or been called off changes the unit's status, by a command."""
    if unit.outlets.going_off is not was_going_off:
        unit.settle(Cause.PROTOCOL_COMMAND)


def _request_shutdown(unit: Body) -> Answer:
    """Off by the turn-off settings or by the model's fixed countdown; back with the mains."""
    if _cannot_shut_down(unit):
        return Answer.ILLEGAL
    fixed_s = unit.model.timing.shutdown_delay_s
    for index in unit.outlets.groups:
        delays = unit.owner.delays(index)
        plan = Plan(
            kind=Kind.SHUTDOWN,
            cause=Cause.PROTOCOL_COMMAND,
            turn_off_s=(delays.turn_off_s or 0) if fixed_s is None else fixed_s,
            stay_off_s=delays.stay_off_s or 0,
            turn_on_s=delays.turn_on_s or 0,
            minimum_runtime_s=delays.minimum_return_runtime_s or 0,
            minimum_charge_pct=_return_charge_pct(unit),
        )
        unit.outlets.start((index,), plan, unit.now_s)
    _mark(unit, False)
    return Answer.TAKEN


def _cannot_shut_down(unit: Body) -> bool:
    return any(group.process for group in unit.outlets.groups.values()) or not unit.outlets.any_on


def _sleep(unit: Body, order: Order) -> Answer:
    """Off, and back by itself after some time (UPS-Link's `@`)."""
    seconds = order.value
    if _cannot_shut_down(unit) or not isinstance(seconds, int) or not 0 <= seconds <= MAX_SLEEP_S:
        return Answer.ILLEGAL
    for index in unit.outlets.groups:
        delays = unit.owner.delays(index)
        plan = Plan(
            kind=Kind.REBOOT,
            cause=Cause.PROTOCOL_COMMAND,
            turn_off_s=(delays.turn_off_s or 0) if order.use_off_delay else 0,
            stay_off_s=seconds if order.cold_boot else 0,
            turn_on_s=0 if order.cold_boot else (delays.turn_on_s or 0) + seconds,
            cold_boot=order.cold_boot,
            minimum_charge_pct=0 if order.cold_boot else _return_charge_pct(unit),
        )
        unit.outlets.start((index,), plan, unit.now_s)
    _mark(unit, False)
    return Answer.TAKEN


def _remote_off(unit: Body) -> Answer:
    output.drop(unit, Cause.PROTOCOL_COMMAND)
    return Answer.TAKEN


def _remote_on(unit: Body) -> Answer:
    plan = Plan(kind=Kind.ON, cause=Cause.PROTOCOL_COMMAND, cold_boot=True, return_cause=Cause.PROTOCOL_COMMAND)
    off = [index for index, group in unit.outlets.groups.items() if not group.on]
    unit.outlets.start(off, plan, unit.now_s)
    return Answer.TAKEN


# bypass and faults


def _bypass_on(unit: Body) -> Answer:
    if not unit.model.bypass:
        return Answer.ABSENT
    if unit.state is not State.ONLINE or not unit.bypass_usable:
        return Answer.ILLEGAL
    output.enter_bypass(unit, Bypass.COMMANDED, Cause.PROTOCOL_COMMAND)
    return Answer.TAKEN


def _bypass_off(unit: Body) -> Answer:
    if not unit.model.bypass:
        return Answer.ABSENT
    if unit.bypass is not Bypass.COMMANDED:
        return Answer.ILLEGAL
    output.leave_bypass(unit, Cause.PROTOCOL_COMMAND)
    return Answer.TAKEN


def _clear_faults(unit: Body) -> Answer:
    faults.clear_faults(unit)
    return Answer.TAKEN


# trials


def _self_test(unit: Body) -> Answer:
    return proving.start_test(unit, TestSource.PROTOCOL)


def _self_test_abort(unit: Body) -> Answer:
    return proving.abort(unit, Item.TEST_START)


def _simulate_power_failure(unit: Body) -> Answer:
    return proving.simulate_failure(unit)


def _calibration(unit: Body) -> Answer:
    return proving.start_calibration(unit, TestSource.PROTOCOL)


def _calibration_abort(unit: Body) -> Answer:
    return proving.abort(unit, Item.CALIBRATION_START)


# the panel


def _panel_test(unit: Body) -> Answer:
    unit.panel_test = True
    unit.agenda.set(Item.PANEL_TEST_END, unit.now_s + PANEL_TEST_S)
    return Answer.TAKEN


def _panel_test_continuous(unit: Body) -> Answer:
    unit.panel_test = True
    unit.agenda.clear(Item.PANEL_TEST_END)
    return Answer.TAKEN


def end_panel_test(unit: Body) -> None:
    unit.panel_test = False


def _mute(unit: Body) -> Answer:
    """Mutes what sounds; nothing to mute is no error (AN176)."""
    unit.muted = Flag.ALARM_SOUNDING in unit.shown.flags
    return Answer.TAKEN


def _unmute(unit: Body) -> Answer:
    unit.muted = False
    return Answer.TAKEN


def _acknowledge_battery(unit: Body) -> Answer:
    unit.acknowledged = True
    return Answer.TAKEN


def _acknowledge_site_wiring(unit: Body) -> Answer:
    unit.muted = unit.muted or Flag.SITE_WIRING in unit.all_faults
    return Answer.TAKEN


_TASKS: Mapping[Task, Callable[[Body], Answer]] = MappingProxyType(
    {
        Task.SELF_TEST: _self_test,
        Task.SELF_TEST_ABORT: _self_test_abort,
        Task.SIMULATE_POWER_FAILURE: _simulate_power_failure,
        Task.CALIBRATION: _calibration,
        Task.CALIBRATION_ABORT: _calibration_abort,
        Task.REQUEST_SHUTDOWN: _request_shutdown,
        Task.REMOTE_OFF: _remote_off,
        Task.REMOTE_ON: _remote_on,
        Task.BYPASS_ON: _bypass_on,
        Task.BYPASS_OFF: _bypass_off,
        Task.CLEAR_FAULTS: _clear_faults,
        Task.PANEL_TEST: _panel_test,
        Task.PANEL_TEST_CONTINUOUS: _panel_test_continuous,
        Task.MUTE: _mute,
        Task.UNMUTE: _unmute,
        Task.ACKNOWLEDGE_BATTERY: _acknowledge_battery,
        Task.ACKNOWLEDGE_SITE_WIRING: _acknowledge_site_wiring,
        Task.FACTORY_SETTINGS: adjust.restore_factory_settings,
    }
)
_OUTLET_TASKS: Mapping[Task, Callable[[Body, Order], Answer]] = MappingProxyType(
    {
        Task.SLEEP: _sleep,
        Task.OUTLET_CANCEL: _cancel,
        Task.OUTLET_ON: _outlets(Kind.ON),
        Task.OUTLET_OFF: _outlets(Kind.OFF),
        Task.OUTLET_SHUTDOWN: _outlets(Kind.SHUTDOWN),
        Task.OUTLET_REBOOT: _outlets(Kind.REBOOT),
    }
)
