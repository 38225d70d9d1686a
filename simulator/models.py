"""The Smart-UPS models that can be simulated, as a table.

Identities and settings marked SMTL, SMT-DOC, SRT-DOC or NUT#139 are captures of real units (apc-modbus.md
section 1); what no source gives is chosen to be plausible for a unit of that size and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from drivers.smartups.bits import TEST_INTERVALS
from drivers.ups import Cause, GroupDelays, Settings
from simulator.battery import BatteryModel
from simulator.chemistry import LEAD_ACID, LITHIUM
from simulator.errors import ModelError
from simulator.legacy_models import SU600I, SUA1500I
from simulator.model import NMC_PORT, SMARTCONNECT_PORT, Model, Timing, Topology, UpgradeOutput

_ALL_INTERVALS = tuple(TEST_INTERVALS.values())
_INTERVALS_OF_SMT = tuple(i for i in _ALL_INTERVALS if i not in ("start_up_7d", "start_up_14d"))
"""SMT 04.1 refuses the two (apc-modbus.md 7.13)."""
_BOOSTS, _TRIMS = (1.12, 1.29), (0.88,)
"""With limits of 106 and 127 V these give the 82 to 144 V of the maker's data sheets."""

UNSWITCHED, SWITCHED = "Unswitched Group", "Outlet Group {}"


def _groups(switched: int) -> tuple[tuple[int, str], ...]:
    return ((0, UNSWITCHED), *((n, SWITCHED.format(n)) for n in range(1, switched + 1)))


def _delays(switched: int, main_off_s: int = 0, stay_off_s: int = 8) -> tuple[GroupDelays, ...]:
    """AN177's typical defaults: main group off at once, switched ones after 90 s, stay-off 8 s."""
    return tuple(
        GroupDelays(
            index=n,
            turn_off_s=90 if n else main_off_s,
            turn_on_s=0,
            stay_off_s=stay_off_s,
            minimum_return_runtime_s=0,
        )
        for n in range(switched + 1)
    )


def _settings(high_v: int, low_v: int, delays: tuple[GroupDelays, ...], sensitivity: str | None = "normal") -> Settings:
    """No scheduled self-test by default, so that a test or a demonstration is never surprised by one."""
    return Settings(
        transfer_high_v=high_v,
        transfer_low_v=low_v,
        sensitivity=sensitivity,
        battery_test_interval="never",
        output_frequency=None if sensitivity else "auto",
        delays=delays,
    )


_SMT1500 = Model(  # rating and groups: SMT-DOC; transfer points as SMTL's
    key="SMT1500RM2UC",
    summary="line-interactive, 120 V, one switched group",
    model="Smart-UPS 1500",
    sku="SMT1500RM2UC",
    firmware="UPS 04.1",
    product_id=1015,  # chosen: no source gives it
    apparent_power_va=1440,
    real_power_w=1000,
    nominal_v=120,
    nominal_hz=60,
    topology=Topology.LINE_INTERACTIVE,
    battery=BatteryModel(sku="APCRBC133", chemistry=LEAD_ACID, cells=12, energy_wh=432, life_days=1461),
    settings=_settings(127, 106, _delays(1)),
    group_names=_groups(1),
    transfer_high_range_v=(127, 136),
    transfer_low_range_v=(97, 106),
    test_intervals=_INTERVALS_OF_SMT,
    boosts=_BOOSTS,
    trims=_TRIMS,
)

_SMX3000 = Model(  # groups: NUT#139's kind of unit; the rest chosen for a 3 kVA unit with a 96 V battery
    key="SMX3000RMLV2U",
    summary="line-interactive, 120 V, three switched groups, management card",
    model="Smart-UPS X 3000",
    sku="SMX3000RMLV2U",
    firmware="UPS 10.1",
    product_id=21,
    apparent_power_va=2880,
    real_power_w=2700,
    nominal_v=120,
    nominal_hz=60,
    topology=Topology.LINE_INTERACTIVE,
    battery=BatteryModel(
        sku="APCRBC117",
        external_sku="APCRBC118",
        chemistry=LEAD_ACID,
        cells=48,
        energy_wh=960,
        life_days=1461,
    ),
    settings=_settings(127, 106, _delays(3)),
    group_names=_groups(3),
    transfer_high_range_v=(127, 136),
    transfer_low_range_v=(97, 106),
    test_intervals=_ALL_INTERVALS,
    boosts=_BOOSTS,
    trims=_TRIMS,
    load_shed=True,
    own_draw_w=25.0,
    port=NMC_PORT,
)

_SMX750 = Model(  # settings: NUT#139 (read 1026/7: 268, 212, 2, 180, 0, 0, 8); frame 13.3
    key="SMX750",
    summary="line-interactive, 230 V, unswitched outlets only",
    model="Smart-UPS X 750",
    sku="SMX750",
    firmware="UPS 10.0",
    product_id=11,
    apparent_power_va=750,
    real_power_w=600,
    nominal_v=230,
    nominal_hz=50,
    topology=Topology.LINE_INTERACTIVE,
    battery=BatteryModel(sku="APCRBC116", chemistry=LEAD_ACID, cells=12, energy_wh=216, life_days=1461),
    settings=_settings(268, 212, _delays(0, main_off_s=180), sensitivity="reduced"),
    group_names=_groups(0),
    transfer_high_range_v=(253, 272),
    transfer_low_range_v=(195, 212),
    test_intervals=_ALL_INTERVALS,
    boosts=_BOOSTS[:1],
    trims=_TRIMS,
    load_shed=True,
    upgrade_outputs=(UpgradeOutput.OFF,),
)

_SRT1000 = Model(  # firmware, product id, behaviour in time: SRT-DOC
    key="SRT1000XLA",
    summary="double conversion with bypass, 120 V, one switched group",
    model="Smart-UPS SRT 1000",
    sku="SRT1000XLA",
    firmware="UPS 16.5",
    product_id=1043,
    apparent_power_va=1000,
    real_power_w=900,
    nominal_v=120,
    nominal_hz=60,
    topology=Topology.DOUBLE_CONVERSION,
    battery=BatteryModel(
        sku="APCRBC155",
        external_sku="SRT48BP",
        chemistry=LEAD_ACID,
        cells=24,
        energy_wh=240,
        life_days=1826,
        rest_rise_c=10.75,
        split=True,
    ),
    settings=_settings(140, 100, _delays(1, main_off_s=0, stay_off_s=15), sensitivity=None),
    group_names=_groups(1),
    transfer_high_range_v=(130, 150),
    transfer_low_range_v=(80, 110),
    test_intervals=_ALL_INTERVALS,
    output_frequencies=("auto", "50 Hz +-0.1", "50 Hz +-3", "60 Hz +-0.1", "60 Hz +-3"),
    input_low_v=60.0,
    input_high_v=150.0,
    loss_cause=Cause.RAPID_INPUT_VOLTAGE_CHANGE,
    bypass=True,
    load_shed=True,
    power_factor=0.9,
    efficiency_pct=91.25,  # NUT#139's figure, of a unit of the same kind
    timing=Timing(transfer_s=0.002, self_test_s=20.0, sequence_gap_s=15.0, shutdown_delay_s=60),
)

_SMTL1500 = Model(  # SMTL: the whole image of apc-modbus.md 13.4
    key="SMTL1500RM3UC",
    summary="line-interactive, lithium, 120 V, one switched group, SmartConnect port",
    model="Smart-UPS 1500",
    sku="SMTL1500RM3UC",
    firmware="UPS 15.5",
    product_id=1026,
    apparent_power_va=1440,
    real_power_w=1350,
    nominal_v=120,
    nominal_hz=60,
    topology=Topology.LINE_INTERACTIVE,
    battery=BatteryModel(  # energy and life from 376 s at 79.05 % and a replacement date of 10893 days
        sku="APCRBC164-LI",
        chemistry=LITHIUM,
        cells=8,
        energy_wh=162.55,
        life_days=10893 - 6864,
        rest_rise_c=2.234,
    ),
    settings=_settings(127, 106, _delays(1)),
    group_names=_groups(1),
    transfer_high_range_v=(127, 136),
    transfer_low_range_v=(97, 106),
    test_intervals=_INTERVALS_OF_SMT,
    boosts=_BOOSTS,
    trims=_TRIMS,
    load_shed=True,
    manufactured_on=date(2018, 7, 29),
    battery_installed_on=date(2018, 10, 17),
    power_factor=0.9628,  # 79.05 % of 1350 W beside 76.97 % of 1440 VA
    efficiency_pct=98.21,
    port=SMARTCONNECT_PORT,
)

MODELS: Mapping[str, Model] = MappingProxyType(
    {model.key: model for model in (_SMT1500, _SMX3000, _SMX750, _SRT1000, _SMTL1500, SUA1500I, SU600I)}
)
DEFAULT_MODEL, DEFAULT_UPSLINK_MODEL = _SMT1500.key, SUA1500I.key


def find_model(key: str) -> Model:
    """The model of that key, in any case of letters; ModelError names those there are."""
    for name, model in MODELS.items():
        if name.lower() == key.strip().lower():
            return model
    raise ModelError(key, MODELS)
