"""The readings of a unit, as physics gives them: a Snapshot in its own names and units."""

from __future__ import annotations

import math
from datetime import datetime

from drivers.ups import Calibration, Flag, Snapshot, State
from simulator.body import Body
from simulator.flags import flags_of
from simulator.mains import wander
from simulator.model import Topology
from simulator.outlets import MAIN

MAINS_WANDER, LOAD_WANDER = 0.004, 0.01
"""How far seeded readings drift: about half a volt at 120 V, a hundredth of the load."""
LOW_LOAD_PCT = 3.0
"""Under this a unit says that its load is too low to state an efficiency."""


def snapshot(unit: Body, at: datetime) -> Snapshot:
    input_v = unit.mains.voltage_v * wander(unit.now_s, unit.seed, MAINS_WANDER)
    output_v = _output_v(unit, input_v)
    load = wander(unit.now_s, unit.seed + 1 if unit.seed else 0, LOAD_WANDER) if output_v else 0.0
    apparent_va = unit.apparent_load_pct * load / 100 * unit.model.apparent_power_va
    efficiency_pct, reason = _efficiency(unit)
    calibration = unit.calibration.result
    battery_v = _battery_v(unit)
    groups = {index: group.read(unit.now_s) for index, group in unit.outlets.groups.items()}
    return Snapshot(
        at=at,
        full_at=at,
        state=unit.state,
        cause=unit.cause,
        flags=flags_of(unit),
        self_test=unit.self_test.result,
        calibration=Calibration(status=calibration.status, source=calibration.source, reasons=calibration.reasons),
        input_v=input_v,
        bypass_v=input_v if unit.model.bypass else None,
        bypass_hz=_mains_hz(unit) if unit.model.bypass else None,
        efficiency_pct=efficiency_pct,
        efficiency_reason=reason,
        output_v=output_v,
        output_a=apparent_va / output_v if output_v else 0.0,
        output_hz=_output_hz(unit) if output_v else 0.0,
        load_pct=unit.load_share_pct * load,
        apparent_load_pct=unit.apparent_load_pct * load,
        energy_wh=int(unit.energy_wh),
        charge_pct=unit.battery.charge * 100,
        runtime_s=math.floor(unit.runtime_s + 1e-6),
        battery_v=battery_v,
        battery_negative_v=battery_v if unit.model.battery.split else None,
        battery_temp_c=unit.battery.temp_c,
        replace_battery_on=unit.owner.replace_battery_on,
        main_outlet=groups.pop(MAIN, None),
        switched_outlets=tuple(groups.values()),
    )


def _output_v(unit: Body, input_v: float) -> float:
    double = unit.model.topology is Topology.DOUBLE_CONVERSION
    match unit.state:
        case State.OFF:
            return 0.0
        case State.BYPASS:
            return input_v
        case State.ONLINE if not double and unit.verdict.cause is None:
            return input_v * unit.verdict.ratio
    return float(unit.owner.settings.output_v or unit.model.nominal_v)


def _output_hz(unit: Body) -> float:
    """On line the output follows the mains; else the inverter gives its nominal frequency."""
    follows = unit.state in (State.ONLINE, State.BYPASS) and unit.verdict.cause is None
    return unit.mains.frequency_hz if follows else float(unit.model.nominal_hz)


def _mains_hz(unit: Body) -> float:
    return unit.mains.frequency_hz if unit.mains_present else 0.0


def _battery_v(unit: Body) -> float:
    if Flag.BATTERY_DISCONNECTED in unit.all_faults:
        return 0.0
    return unit.battery.voltage(unit.draw_w, unit.charger_on)


def _efficiency(unit: Body) -> tuple[float | None, str | None]:
    """Percent, or the reason why there is none (register 154)."""
    reasons = (
        ("output_off", unit.state is State.OFF),
        ("on_battery", unit.state is State.ON_BATTERY),
        ("in_bypass", unit.state is State.BYPASS),
        ("battery_disconnected", Flag.BATTERY_DISCONNECTED in unit.all_faults),
        ("battery_charging", unit.charging),
        ("poor_ac_input", unit.verdict.ratio != 1 or unit.verdict.cause is not None),
        ("load_too_low", unit.load_share_pct < LOW_LOAD_PCT),
    )
    for reason, applies in reasons:
        if applies:
            return None, reason
    return unit.model.efficiency_pct, None
