"""From the mains to the battery and back: when a unit transfers and why."""

from __future__ import annotations

import msgspec

from drivers.ups import Cause, Flag
from simulator import efficiency, output, proving
from simulator.agenda import Item
from simulator.body import Body
from simulator.history import Kind
from simulator.mains import Bypass, Limits, Mains, judge
from simulator.model import Topology


def set_mains(unit: Body, mains: Mains, notch_s: float | None) -> None:
    if mains != unit.mains:
        unit.record(Kind.MAINS, "mains", msgspec.to_builtins(unit.mains), msgspec.to_builtins(mains))
        unit.mains = mains
    unit.agenda.clear(Item.NOTCH_END)
    if notch_s is not None:
        unit.agenda.set(Item.NOTCH_END, unit.now_s + notch_s)
    judge_input(unit)


def end_notch(unit: Body) -> None:
    set_mains(unit, msgspec.structs.replace(unit.mains, notch=False), None)


def limits_of(unit: Body) -> Limits:
    """What the unit takes from the mains, with its present settings and faults."""
    model, settings = unit.model, unit.owner.settings
    double = model.topology is Topology.DOUBLE_CONVERSION
    regulates = Flag.AVR_RELAY not in unit.all_faults
    return Limits(
        nominal_v=model.nominal_v,
        nominal_hz=model.nominal_hz,
        low_v=model.input_low_v if double else float(settings.transfer_low_v or 0),
        high_v=model.input_high_v if double else float(settings.transfer_high_v or 0),
        boosts=model.boosts if regulates else (),
        trims=model.trims if regulates else (),
        sensitivity=settings.sensitivity,
        frequency=settings.output_frequency,
        loss_cause=model.loss_cause,
    )


def judge_input(unit: Body) -> None:
    """Look at the input. A change of mind is acted on after the time that it takes this model."""
    unit.verdict = judge(unit.mains, limits_of(unit), unit.verdict.ratio, unit.all_faults)
    timing, good = unit.model.timing, unit.verdict.cause is None
    unit.agenda.clear(Item.TRANSFER if good else Item.RETURN)
    if good and not unit.input_usable:
        unit.agenda.set_unless(Item.RETURN, unit.now_s + timing.return_s)
    if not good and unit.input_usable:
        unit.agenda.set_unless(Item.TRANSFER, unit.now_s + timing.transfer_s)
    output.check_bypass(unit)
    if unit.verdict.ratio != 1:
        efficiency.lose(unit)
    efficiency.await_return(unit)


def go_to_battery(unit: Body) -> None:
    """The input has been bad for long enough to be seen; a load whose battery fails it falls at once.

    During an upgrade nothing transfers: what hangs on the output shares the fate of the input.
    """
    unit.input_usable = False
    if unit.bypass is Bypass.UPGRADE:
        unit.settle()
        return
    unit.bypass = None
    reason = output.reason_to_fail(unit)
    if reason is not None and unit.outlets.any_on:
        output.drop(unit, reason, returns=True)
        return
    proving.interrupt(unit)
    efficiency.lose(unit)
    unit.settle(unit.verdict.cause)


def accept_input(unit: Body) -> None:
    """The input has been good for long enough to be trusted."""
    unit.input_usable = True
    unit.settle(Cause.ACCEPTABLE_INPUT)
    efficiency.await_return(unit)
