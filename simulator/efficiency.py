"""High-efficiency mode: lost at a transfer, back after minutes of good input (apc-modbus.md 8.5)."""

from __future__ import annotations

from drivers.ups import State
from simulator.agenda import Item
from simulator.body import Body
from simulator.mains import Verdict


def lose(unit: Body) -> None:
    unit.high_efficiency = False
    unit.agenda.clear(Item.HIGH_EFFICIENCY)


def await_return(unit: Body) -> None:
    """Start waiting for it where it is lost and the unit rests on good input."""
    if not unit.high_efficiency and _rests(unit):
        unit.agenda.set_unless(Item.HIGH_EFFICIENCY, unit.now_s + unit.model.timing.high_efficiency_s)


def resume(unit: Body) -> None:
    unit.high_efficiency = _rests(unit)


def _rests(unit: Body) -> bool:
    return unit.state is State.ONLINE and unit.verdict == Verdict()
