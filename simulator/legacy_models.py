"""Smart-UPS of before about 2009, whose serial line speaks UPS-Link, as a table.

Identities, settings and readings follow what NUT read from real units of the kind; powers and batteries are the
maker's nominal ones.
"""

from __future__ import annotations

from datetime import date

from drivers.ups import GroupDelays, Settings
from simulator.battery import BatteryModel
from simulator.chemistry import LEAD_ACID
from simulator.model import Model, Topology, UpgradeOutput
from simulator.upslink import profile

_GROUPS = ((0, "UPS Outlets"),)
_INTERVALS = ("never", "start_up", "start_up_7d", "start_up_14d")
"""OFF, ON, 168 and 336 hours."""


def _delays(off_s: int, on_s: int) -> tuple[GroupDelays, ...]:
    """No stay-off and no minimum runtime: UPS-Link knows neither."""
    return (GroupDelays(index=0, turn_off_s=off_s, turn_on_s=on_s, stay_off_s=0, minimum_return_runtime_s=0),)


SUA1500I = Model(
    key="SUA1500I",
    summary="UPS-Link, third generation, line-interactive, 230 V",
    model="Smart-UPS 1500",
    sku="SUA1500I",
    firmware=f"{profile.NEW.new_code}",
    product_id=0,  # known to Modbus only
    apparent_power_va=1440,
    real_power_w=980,
    nominal_v=230,
    nominal_hz=50,
    topology=Topology.LINE_INTERACTIVE,
    battery=BatteryModel(
        sku="RBC7",
        chemistry=LEAD_ACID,
        cells=12,
        energy_wh=408,
        life_days=1461,
        rest_rise_c=11.0,
        nominal_v=24.0,
        packs=0,
    ),
    settings=Settings(
        transfer_high_v=253,
        transfer_low_v=208,
        sensitivity="normal",
        battery_test_interval="never",
        output_v=230,
        low_battery_runtime_s=120,
        minimum_return_charge_pct=0,
        alarm_delay="5s",
        delays=_delays(20, 0),
    ),
    group_names=_GROUPS,
    transfer_high_range_v=(253, 280),
    transfer_low_range_v=(188, 208),
    test_intervals=_INTERVALS,
    output_voltages=(220, 225, 230, 240),
    boosts=(1.12,),
    trims=(0.88,),
    unit_name="UPS_IDEN",
    manufactured_on=date(2005, 9, 6),
    upslink=profile.NEW,
    upgrade_outputs=(UpgradeOutput.OFF,),
)

SU600I = Model(
    key="SU600I",
    summary="UPS-Link, first generation, line-interactive, 230 V",
    model="Smart-UPS 600",
    sku="SU600I",
    firmware=profile.OLD.old_code,
    product_id=0,
    apparent_power_va=600,
    real_power_w=400,
    nominal_v=230,
    nominal_hz=50,
    topology=Topology.LINE_INTERACTIVE,
    battery=BatteryModel(
        sku="RBC5", chemistry=LEAD_ACID, cells=12, energy_wh=168, life_days=1461, rest_rise_c=3.8, nominal_v=24.0
    ),
    settings=Settings(
        transfer_high_v=260,
        transfer_low_v=196,
        sensitivity="low",
        battery_test_interval="never",
        output_v=225,
        low_battery_runtime_s=120,
        minimum_return_charge_pct=0,
        alarm_delay="5s",
        delays=_delays(20, 0),
    ),
    group_names=_GROUPS,
    transfer_high_range_v=(253, 264),
    transfer_low_range_v=(188, 208),
    test_intervals=_INTERVALS,
    output_voltages=(220, 225, 230, 240),
    boosts=(1.12,),
    unit_name="UPS_IDEN",
    manufactured_on=date(1993, 2, 22),
    upslink=profile.OLD,
    upgrade_outputs=(),
)
