from __future__ import annotations

import pytest

from drivers.ups import Cause, Flag
from simulator.history import Kind
from simulator.models import MODELS
from simulator.orders import Task

from .bench import OFF, ON_BATTERY, ONLINE, bits, look, mains, second, states, status_word, tell, unit_of, wait


def test_an_outage_reads_as_it_did_on_a_real_unit() -> None:
    """apc-modbus.md 8.5, an SRT: 0x2002, 0x0244 with cause 4 and register 18 = 1, back to 0x0002, cause 8, HE later."""
    unit = unit_of("SRT1000XLA")
    seen = look(unit)
    assert (status_word(seen), seen.bypass_v, seen.bypass_hz) == (0x2002, 120, 60)
    mains(unit, 0)
    seen = wait(unit, 1)
    assert (status_word(seen), seen.cause) == (0x0244, Cause.RAPID_INPUT_VOLTAGE_CHANGE)
    assert (bits("simple_signaling", seen.flags), seen.input_v) == (1, 0)
    assert (seen.bypass_v, seen.bypass_hz) == (0, 0)
    mains(unit)
    seen = wait(unit, 1)
    assert (status_word(seen), seen.input_v) == (0x0244, 120)
    assert Flag.INPUT_PENDING_ACCEPTABLE in seen.flags
    seen = wait(unit, 5)
    assert (status_word(seen), seen.cause) == (0x0002, Cause.ACCEPTABLE_INPUT)
    assert bits("simple_signaling", seen.flags) == 0
    assert status_word(wait(unit, 290)) == 0x0002
    assert status_word(wait(unit, 10)) == 0x2002


@pytest.mark.parametrize("key", MODELS)
def test_each_model_transfers_within_milliseconds_of_losing_its_mains(key: str) -> None:
    unit = unit_of(key)
    wait(unit, 10)
    mains(unit, 0)
    wait(unit, 1)
    lost = next(change for change in unit.history.since() if change.kind is Kind.MAINS)
    assert second(lost) == 10
    at_s, state, cause = states(unit)[0]
    assert 10 < at_s <= 10.01
    assert (state, cause) == ("on_battery", unit.model.loss_cause)


@pytest.mark.parametrize(
    ("volts", "hertz", "distortion_pct", "cause"),
    [
        (70, 60, 0, Cause.LOW_INPUT_VOLTAGE),
        (150, 60, 0, Cause.HIGH_INPUT_VOLTAGE),
        (120, 50, 0, Cause.LOW_INPUT_FREQUENCY),
        (120, 66, 0, Cause.HIGH_INPUT_FREQUENCY),
        (120, 60, 40, Cause.DISTORTED_INPUT),
    ],
)
def test_a_transfer_tells_its_cause(volts: float, hertz: float, distortion_pct: float, cause: Cause) -> None:
    unit = unit_of()
    mains(unit, volts, hertz=hertz, distortion_pct=distortion_pct)
    seen = wait(unit, 1)
    assert (seen.state, seen.cause) == (ON_BATTERY, cause)
    assert (seen.output_v, seen.output_hz) == (120, 60)


def test_a_dip_shorter_than_the_unit_can_see_is_ridden_through() -> None:
    unit = unit_of()
    mains(unit, 0)
    wait(unit, 0.003)
    mains(unit)
    assert wait(unit, 10).state is ONLINE
    assert states(unit) == []


def test_mains_that_fail_again_while_being_watched_start_the_watching_over() -> None:
    unit = unit_of()
    mains(unit, 0)
    wait(unit, 10)
    mains(unit)
    wait(unit, 3)
    mains(unit, 0)
    wait(unit, 3)
    mains(unit)
    assert wait(unit, 3.5).state is ON_BATTERY
    assert wait(unit, 1).state is ONLINE


def test_sags_and_swells_are_regulated_on_line_and_cost_high_efficiency() -> None:
    unit = unit_of()
    mains(unit, 100)
    seen = wait(unit, 1)
    assert seen.state is ONLINE
    assert seen.output_v == pytest.approx(112)
    assert Flag.AVR_BOOST in seen.flags
    assert Flag.HIGH_EFFICIENCY not in seen.flags
    assert seen.efficiency_reason == "poor_ac_input"
    mains(unit, 135)
    assert Flag.AVR_TRIM in wait(unit, 1).flags
    mains(unit)
    assert Flag.HIGH_EFFICIENCY in wait(unit, 301).flags


def test_double_conversion_holds_its_output_through_a_sag_without_regulator_or_battery() -> None:
    unit = unit_of("SRT1000XLA")
    mains(unit, 80)
    seen = wait(unit, 10)
    assert (seen.state, seen.output_v, seen.input_v) == (ONLINE, 120, 80)
    assert not seen.flags & {Flag.AVR_BOOST, Flag.BYPASS_ACCEPTABLE}
    assert Flag.BYPASS_VOLTAGE_LOW in seen.flags


def test_a_notch_transfers_for_a_moment_and_ends_by_itself() -> None:
    unit = unit_of()
    unit.set_mains(type(unit.mains)(voltage_v=120, frequency_hz=60, notch=True), 0.2)
    wait(unit, 10)
    assert [(state, cause) for _, state, cause in states(unit)] == [
        ("on_battery", Cause.RAPID_INPUT_VOLTAGE_CHANGE),
        ("online", Cause.ACCEPTABLE_INPUT),
    ]
    assert states(unit)[1][0] == pytest.approx(4.2, abs=0.001)


def test_a_full_outage_goes_low_then_off_then_restarts_with_the_mains() -> None:
    unit = unit_of(load_pct=90)
    foretold_s = look(unit).runtime_s
    assert foretold_s is not None
    mains(unit, 0)
    wait(unit, 3600)
    (_, _, _), (off_s, state, cause) = states(unit)
    assert (state, cause) == ("off", Cause.LOW_BATTERY_VOLTAGE)
    assert off_s == pytest.approx(foretold_s, rel=0.05)
    low = next(c for c in unit.history.since() if c.name == Flag.SHUTDOWN_IMMINENT)
    assert off_s - second(low) == pytest.approx(120, rel=0.05)
    seen = look(unit)
    assert (status_word(seen), seen.output_v, seen.load_pct, seen.charge_pct) == (0x0150, 0, 0, 0)
    mains(unit)
    seen = wait(unit, 10)
    assert (seen.state, seen.cause) == (ONLINE, Cause.OUTLET_GROUP_STATE_CHANGE)
    assert states(unit)[-1][2] == Cause.AUTOMATIC_RESTART


def test_a_battery_set_to_nothing_drops_the_load_at_once() -> None:
    unit = unit_of()
    mains(unit, 0)
    wait(unit, 1)
    unit.set_charge(0)
    seen = look(unit)
    assert (seen.state, seen.cause) == (OFF, Cause.LOW_BATTERY_VOLTAGE)


def test_a_unit_waits_for_its_minimum_return_runtime_before_it_restarts() -> None:
    unit = unit_of(load_pct=90)
    tell(unit, Task.SET_MINIMUM_RETURN_RUNTIME, 0, value=60)
    mains(unit, 0)
    wait(unit, 1000)
    mains(unit)
    assert wait(unit, 60).state is OFF
    assert status_word(look(unit)) == 0x0110
    wait(unit, 3600)
    assert look(unit).state is ONLINE
    at_s = states(unit)[-1][0]
    charged = (at_s - 1004) / unit.model.battery.recharge_s * 0.9
    assert charged * unit.battery.full_runtime_s(unit.full_draw_w) == pytest.approx(60, rel=0.02)


def test_charge_voltage_and_runtime_fall_on_battery_and_recover_on_line() -> None:
    unit = unit_of()
    before = look(unit)
    mains(unit, 0)
    during = wait(unit, 300)
    mains(unit)
    after = wait(unit, 3600)
    for name in ("charge_pct", "battery_v", "runtime_s"):
        assert getattr(during, name) < getattr(after, name) <= getattr(before, name), name
    assert during.battery_temp_c is not None
    assert before.battery_temp_c is not None
    assert during.battery_temp_c > before.battery_temp_c


def test_energy_counts_what_the_load_took() -> None:
    unit = unit_of(load_pct=50)
    assert wait(unit, 7200).energy_wh == 1000
