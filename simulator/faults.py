"""Faults that are injected, what each brings about, and how they are cleared."""

from __future__ import annotations

from types import MappingProxyType

from drivers.ups import Cause, Flag, State
from simulator import output, transfer
from simulator.body import Body
from simulator.flags import FAULT_CAUSES
from simulator.mains import WIRING_CAUSES

_CUTTING = MappingProxyType({Flag.EPO_ACTIVE: Cause.EPO_INTERFACE, Flag.OUTPUT_SHORT_CIRCUIT: Cause.POWER_SYSTEM_ERROR})
"""Faults that take the output away; it stays away until it is switched on again."""
_JUDGED = frozenset({*WIRING_CAUSES, Flag.AVR_RELAY})
"""Faults that change what the unit thinks of its input."""


def set_fault(unit: Body, flag: Flag, on: bool) -> None:
    before = unit.all_faults
    if on:
        unit.faults |= {flag}
        unit.muted = False
    else:
        unit.faults -= {flag}
        unit.latched -= {flag}
    if unit.all_faults == before:
        return
    if flag in _JUDGED:
        transfer.judge_input(unit)
    if on and flag in _CUTTING and unit.state is not State.OFF:
        output.drop(unit, _CUTTING[flag])
    elif on and flag is Flag.INVERTER and unit.model.bypass and unit.state is State.ONLINE:
        output.give_way(unit)  # a double-conversion unit lives by its inverter
    unit.settle(_cause(flag, on))


def _cause(flag: Flag, on: bool) -> Cause | None:
    if flag is Flag.INFORMATIONAL_ALERT:
        return Cause.ALERT_ASSERTED if on else Cause.ALERT_CLEARED
    if flag not in FAULT_CAUSES or flag in _CUTTING:
        return None
    return FAULT_CAUSES[flag] if on else Cause.ERROR_CLEARED


def clear_faults(unit: Body) -> None:
    """What the command of that name does: latched faults go, injected ones are still there."""
    if unit.latched:
        unit.latched = frozenset()
        unit.settle(Cause.ERROR_CLEARED)


def replace_battery(unit: Body) -> None:
    """A new and full battery; what was wrong with the old one is gone."""
    unit.battery.charge, unit.battery.age_years = 1.0, 0.0
    unit.owner.battery_installed_on = unit.utc(unit.now_s).date()
    unit.acknowledged = False
    old = frozenset({Flag.REPLACE_BATTERY, Flag.BATTERY_DISCONNECTED, Flag.BATTERY_GENERAL})
    had = unit.all_faults & old
    unit.faults -= old
    unit.latched -= old
    unit.settle(Cause.ERROR_CLEARED if had else None)
