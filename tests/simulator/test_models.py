"""What captures of real units say, held against the models that stand for them."""

from __future__ import annotations

import pytest

from drivers.smartups.bits import CAUSES
from drivers.ups import GroupDelays
from simulator.errors import ModelError
from simulator.model import PortKind, Topology
from simulator.models import MODELS, find_model

from .bench import bits, look, mains, status_word, unit_of


def test_smtl_at_rest_reads_what_the_dump_of_the_real_unit_holds() -> None:
    """apc-modbus.md 13.4, registers 0 to 26 and 128 to 154, to one unit of each register's resolution."""
    unit = unit_of("SMTL1500RM3UC", load_pct=20236 / 256)
    mains(unit, 7450 / 64)
    seen = look(unit)
    assert status_word(seen) == 8194
    assert seen.cause is CAUSES[8]
    assert (bits("battery_lifetime", seen.flags), bits("input_status", seen.flags)) == (1, 1)
    assert seen.runtime_s == pytest.approx(376, abs=1)
    assert seen.charge_pct == 100
    assert seen.battery_v == pytest.approx(855 / 32, abs=1 / 32)
    assert seen.battery_temp_c == pytest.approx(2846 / 128, abs=1 / 128)
    assert seen.apparent_load_pct == pytest.approx(19704 / 256, abs=1 / 256)
    assert seen.output_a == pytest.approx(304 / 32, abs=1 / 32)
    assert (seen.output_v, seen.output_hz) == (7450 / 64, 60)
    assert seen.efficiency_pct == pytest.approx(12571 / 128, abs=1 / 128)
    assert seen.replace_battery_on is not None
    assert seen.replace_battery_on.toordinal() - 730120 == 10893


def test_smtl_is_who_the_dump_says() -> None:
    """apc-modbus.md 13.4, registers 516 to 635 and 1026 to 1038."""
    unit = unit_of("SMTL1500RM3UC")
    who, settings = unit.identity(), unit.settings()
    assert (who.firmware, who.model, who.sku) == ("UPS 15.5", "Smart-UPS 1500", "SMTL1500RM3UC")
    assert (who.battery_sku, who.external_battery_sku) == ("APCRBC164-LI", None)
    assert (who.apparent_power_va, who.real_power_w, who.nominal_output_v) == (1440, 1350, 120)
    assert (who.manufactured_on, who.battery_installed_on) != (None, None)
    assert who.manufactured_on.toordinal() - 730120 == 6784  # type: ignore[union-attr]  # told above
    assert who.battery_installed_on.toordinal() - 730120 == 6864  # type: ignore[union-attr]  # told above
    assert (who.name, who.outlet_groups) == ("APC UPS", ((0, "Unswitched Group"), (1, "Outlet Group 1")))
    assert (settings.transfer_high_v, settings.transfer_low_v, settings.sensitivity) == (127, 106, "normal")
    assert settings.delays == (
        GroupDelays(index=0, turn_off_s=0, turn_on_s=0, stay_off_s=8, minimum_return_runtime_s=0),
        GroupDelays(index=1, turn_off_s=90, turn_on_s=0, stay_off_s=8, minimum_return_runtime_s=0),
    )


def test_smx750_has_the_settings_that_were_read_of_one() -> None:
    """apc-modbus.md 13.3: 268, 212, 2 (reduced), 180, 0, 0, 8."""
    settings = unit_of("SMX750").settings()
    delays = settings.delays[0]
    assert (settings.transfer_high_v, settings.transfer_low_v, settings.sensitivity) == (268, 212, "reduced")
    assert (delays.turn_off_s, delays.turn_on_s, delays.stay_off_s) == (180, 0, 8)


def test_the_models_differ_in_what_a_driver_has_to_get_right() -> None:
    assert {len(model.group_names) for model in MODELS.values()} >= {1, 2, 4}
    assert {model.topology for model in MODELS.values()} == set(Topology)
    assert {model.nominal_v for model in MODELS.values()} == {120, 230}
    assert {model.port.kind for model in MODELS.values()} == set(PortKind)
    assert find_model("SMTL1500RM3UC").port.tcp_sessions == 1


@pytest.mark.parametrize("key", MODELS)
def test_every_model_rests_on_line_in_high_efficiency_and_within_its_own_limits(key: str) -> None:
    seen = look(unit_of(key))
    assert status_word(seen) == 0x2002
    model = find_model(key)
    low, high = model.settings.transfer_low_v, model.settings.transfer_high_v
    assert low is not None
    assert high is not None
    assert model.transfer_low_range_v[0] <= low <= model.transfer_low_range_v[1]
    assert model.transfer_high_range_v[0] <= high <= model.transfer_high_range_v[1]


def test_a_model_is_found_in_any_case_and_an_unknown_one_names_those_there_are() -> None:
    assert find_model("smx750") is MODELS["SMX750"]
    with pytest.raises(ModelError, match="SMTL1500RM3UC") as caught:
        find_model("BACK-UPS")
    assert caught.value.name == "BACK-UPS"


def test_only_double_conversion_reports_a_bypass_and_a_negative_string() -> None:
    for key, model in MODELS.items():
        seen = look(unit_of(key))
        double = model.topology is Topology.DOUBLE_CONVERSION
        assert [value is not None for value in (seen.bypass_v, seen.bypass_hz, seen.battery_negative_v)] == [double] * 3
