from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.battery import CHARGE_KNEE, Battery
from simulator.models import MODELS, find_model

MODEL = find_model("SMT1500RM2UC").battery
draws = st.floats(5, 4000)
charges = st.floats(0.01, 1)


def battery(charge: float = 1.0) -> Battery:
    fresh = Battery(MODEL)
    fresh.charge = charge
    return fresh


@given(charges, draws)
def test_the_runtime_foretold_is_the_time_a_constant_draw_takes(charge: float, draw_w: float) -> None:
    drained = battery(charge)
    drained.drain(draw_w, drained.runtime_s(draw_w) * 0.999)
    assert 0 < drained.charge < 0.0011
    drained.drain(draw_w, drained.runtime_s(draw_w) * 1.001)
    assert drained.charge == 0


@given(charges, draws, st.floats(0.01, 0.99))
def test_draining_in_two_steps_is_draining_in_one(charge: float, draw_w: float, share: float) -> None:
    once, twice = battery(charge), battery(charge)
    step_s = once.runtime_s(draw_w) * 0.9
    once.drain(draw_w, step_s)
    twice.drain(draw_w, step_s * share)
    twice.drain(draw_w, step_s * (1 - share))
    assert twice.charge == pytest.approx(once.charge, abs=1e-9)


@given(charges, draws, draws)
def test_more_draw_is_less_runtime_by_more_than_the_energy_says(charge: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    held = battery(charge)
    assert held.runtime_s(high) * high <= held.runtime_s(low) * low * (1 + 1e-9)


@given(charges, draws)
def test_a_draw_sags_the_voltage_and_a_charger_lifts_it(charge: float, draw_w: float) -> None:
    held = battery(charge)
    assert held.voltage(draw_w, False) < held.voltage(0, False) < held.voltage(0, True)


def test_voltage_falls_with_the_charge_and_ends_near_the_usual_cut_off_under_full_load() -> None:
    volts = [battery(charge).voltage(1126, False) / MODEL.cells for charge in (1.0, 0.75, 0.5, 0.25, 0.0)]
    assert volts == sorted(volts, reverse=True)
    assert volts[-1] == pytest.approx(1.75, abs=0.02)


def test_recharging_takes_the_time_of_the_model_to_nine_tenths_and_slows_above() -> None:
    charged = battery(0.0)
    assert charged.time_to_charge_step() == pytest.approx(MODEL.recharge_s)
    charged.recharge(MODEL.recharge_s)
    assert charged.charge == CHARGE_KNEE
    taper_s = charged.time_to_charge_step()
    assert taper_s > MODEL.recharge_s / 9
    charged.recharge(taper_s)
    assert charged.charge == 1
    assert charged.time_to_charge_step() == math.inf


def test_at_the_end_of_its_life_a_battery_has_four_fifths_of_its_capacity_and_of_its_runtime() -> None:
    old = battery()
    new_s = old.runtime_s(500)
    old.age_years = MODEL.life_days / 365.25
    assert old.health == pytest.approx(0.8)
    assert old.runtime_s(500) < 0.8 * new_s


def test_discharging_and_charging_warm_a_battery_and_rest_cools_it_to_its_place() -> None:
    held = battery()
    rest_c = held.temp_c
    held.warm_and_age(1000, False, 600)
    assert rest_c < held.temp_c < rest_c + 10
    warm_c = held.temp_c
    held.warm_and_age(0, False, 600)
    assert rest_c < held.temp_c < warm_c
    held.warm_and_age(0, True, 1e6)
    assert held.temp_c > rest_c


def test_a_hot_battery_ages_twice_as_fast_for_each_ten_degrees() -> None:
    cool, hot = battery(), battery()
    cool.ambient_c, cool.temp_c = 20, 25
    hot.ambient_c, hot.temp_c = 40, 45
    for held in (cool, hot):
        held.warm_and_age(0, False, 86400)
    assert hot.age_years == pytest.approx(4 * cool.age_years, rel=0.01)


@pytest.mark.parametrize("key", MODELS)
def test_every_model_carries_full_load_for_minutes_and_half_of_it_more_than_twice_as_long(key: str) -> None:
    model = find_model(key)
    held = Battery(model.battery)
    full_s = held.runtime_s(model.real_power_w / model.inverter_efficiency)
    half_s = held.runtime_s(model.real_power_w / model.inverter_efficiency / 2)
    assert 120 < full_s < 1200
    assert half_s > 2 * full_s
