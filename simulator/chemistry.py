"""Two battery chemistries as a few figures each."""

from __future__ import annotations

import msgspec


class Chemistry(msgspec.Struct, frozen=True, kw_only=True):
    """How one cell behaves.

    `peukert`: exponent in power: how much sooner a fast discharge ends than its energy says.
    Voltages of one cell at rest, empty and full, and while its charger holds it (`float_v` at full charge).
    `sag_v_per_c`: volts lost for each C (draw in W over capacity in Wh).
    `capacity_per_c`: share of capacity gained for each degree over 25.
    """

    name: str
    peukert: float
    empty_v: float
    full_v: float
    charging_v: float
    float_v: float
    sag_v_per_c: float
    capacity_per_c: float


LEAD_ACID = Chemistry(
    name="lead-acid",
    peukert=1.3,  # AGM at the rates of a UPS, minutes instead of the 20 h its capacity is stated for
    empty_v=1.93,
    full_v=2.13,
    charging_v=2.05,
    float_v=54.38 / 24,  # a 48 V string at rest in NUT#139
    sag_v_per_c=0.07,  # ends at about 1.75 V a cell at full load, the usual cut-off
    capacity_per_c=0.006,
)

LITHIUM = Chemistry(
    name="lithium iron phosphate",
    peukert=1.05,
    empty_v=3.05,
    full_v=3.33,
    charging_v=3.28,
    float_v=26.72 / 8,  # the 8 cells of SMTL at rest
    sag_v_per_c=0.03,
    capacity_per_c=0.003,
)
