"""A battery that drains, charges, sags, warms and ages.

An energy model with Peukert's exponent in power: at a draw P a full battery of energy E, whose capacity is
stated for 20 h, lasts E/P * (E/20/P)^(k-1). So the runtime it states is what a constant load then takes.
"""

from __future__ import annotations

import math

import msgspec

from simulator.chemistry import Chemistry

RATED_HOURS = 20.0
"""Lead-acid capacity is stated for a discharge of 20 hours."""
RATED_TEMP_C = 25.0
YEAR_S = 365.25 * 86400
HEALTH_AT_END_OF_LIFE = 0.8
"""Industry's end of life: four fifths of the capacity left (IEEE 1188)."""
DEGREES_THAT_HALVE_LIFE = 10.0
"""A battery ages twice as fast for each 10 degrees over 25 (Arrhenius' rule of thumb)."""
CHARGE_KNEE = 0.9
"""Chargers give constant current up to here, the state a maker's recharge time is stated for."""
TAPER = 0.25
"""The charging rate above the knee, as a share of the rate below."""
WARMING_TAU_S = 3600.0
"""Time constant of kilograms of lead in a closed case."""
DISCHARGE_RISE_C = 15.0
"""Degrees that a draw of 1 C would add in the long run."""
CHARGE_RISE_C = 4.0
MIN_CAPACITY = 0.02
"""A dead battery still has this share: it keeps the arithmetic finite."""


class BatteryModel(msgspec.Struct, frozen=True, kw_only=True):
    """The battery a model has: cells in series, energy in Wh, design life, time to recharge to 90 %.

    `rest_rise_c`: degrees over ambient at rest. `split`: has a negative string that is reported by itself.
    `nominal_v`, `packs` (external ones): None where the unit does not report them.
    """

    sku: str
    chemistry: Chemistry
    cells: int
    energy_wh: float
    life_days: int
    recharge_s: float = 3 * 3600.0
    rest_rise_c: float = 5.0
    split: bool = False
    external_sku: str = ""
    nominal_v: float | None = None
    packs: int | None = None


class Battery:
    """State of one battery: `charge` and `health` are shares of 1, draws are watts taken from its poles."""

    def __init__(self, model: BatteryModel, *, ambient_c: float = 20.0) -> None:
        self.model = model
        self.charge = 1.0
        self.age_years = 0.0
        self.ambient_c = ambient_c
        self.temp_c = ambient_c + model.rest_rise_c

    @property
    def life_used(self) -> float:
        """Age as a share of the design life."""
        return self.age_years * 365.25 / self.model.life_days

    @property
    def health(self) -> float:
        """Capacity left by age, as a share of the new battery's."""
        return max(MIN_CAPACITY, 1 - (1 - HEALTH_AT_END_OF_LIFE) * self.life_used**2)

    @property
    def capacity_wh(self) -> float:
        warmth = 1 + self.model.chemistry.capacity_per_c * (self.temp_c - RATED_TEMP_C)
        return self.model.energy_wh * self.health * min(1.2, max(0.5, warmth))

    def full_runtime_s(self, draw_w: float) -> float:
        """How long a full battery carries a constant draw."""
        if draw_w <= 0:
            return math.inf
        energy_wh = self.capacity_wh
        slow_w = energy_wh / RATED_HOURS
        factor = (slow_w / draw_w) ** (self.model.chemistry.peukert - 1) if draw_w > slow_w else 1.0
        return 3600 * energy_wh / draw_w * factor

    def runtime_s(self, draw_w: float) -> float:
        return self.charge * self.full_runtime_s(draw_w) if self.charge > 0 else 0.0

    def time_to_drain_to(self, charge: float, draw_w: float) -> float:
        """Seconds until the charge has fallen to `charge`; infinity if it is there already."""
        if self.charge <= charge:
            return math.inf
        return (self.charge - charge) * self.full_runtime_s(draw_w)

    def time_to_charge_step(self) -> float:
        """Seconds until charging changes its rate: at the knee, or when full."""
        if self.charge >= 1:
            return math.inf
        goal = CHARGE_KNEE if self.charge < CHARGE_KNEE else 1.0
        return (goal - self.charge) / self._charge_rate()

    def time_to_charge_to(self, charge: float) -> float:
        """Seconds until charging reaches `charge` at the present rate; infinity if it is there already."""
        return (charge - self.charge) / self._charge_rate() if self.charge < charge <= 1 else math.inf

    def drain(self, draw_w: float, step_s: float) -> None:
        self.charge -= step_s / self.full_runtime_s(draw_w)
        if self.charge < 1e-9:
            self.charge = 0.0

    def recharge(self, step_s: float) -> None:
        """Charge for a step that does not go past time_to_charge_step."""
        self.charge += step_s * self._charge_rate()
        if self.charge > 1 - 1e-9:
            self.charge = 1.0
        elif abs(self.charge - CHARGE_KNEE) < 1e-9:
            self.charge = CHARGE_KNEE

    def _charge_rate(self) -> float:
        rate = CHARGE_KNEE / self.model.recharge_s
        return rate if self.charge < CHARGE_KNEE else rate * TAPER

    def warm_and_age(self, draw_w: float, charging: bool, step_s: float) -> None:
        goal = self.ambient_c + self.model.rest_rise_c
        goal += DISCHARGE_RISE_C * draw_w / self.model.energy_wh + (CHARGE_RISE_C if charging else 0.0)
        self.temp_c = goal + (self.temp_c - goal) * math.exp(-step_s / WARMING_TAU_S)
        self.age_years += step_s / YEAR_S * 2 ** max(0.0, (self.temp_c - RATED_TEMP_C) / DEGREES_THAT_HALVE_LIFE)

    def voltage(self, draw_w: float, charger_on: bool) -> float:
        """Volts at the poles."""
        cell = self.model.chemistry
        if charger_on:
            volts = cell.charging_v + (cell.float_v - cell.charging_v) * self.charge
        else:
            rest = cell.empty_v + (cell.full_v - cell.empty_v) * self.charge
            volts = rest - cell.sag_v_per_c * draw_w / (self.model.energy_wh * self.health)
        return self.model.cells * max(0.0, volts)
