"""The living unit, on the real clock: what it says of an instant, whoever asks and however fast it lives."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from drivers.ups import State
from simulator.errors import ControlError
from simulator.history import Change, Kind
from simulator.modbus.engine import Write
from simulator.models import find_model
from simulator.orders import Answer, Order, Task
from simulator.runtime.clock import Clock
from simulator.runtime.engine import Engine
from simulator.scenario import Scenario, Step

SMT = find_model("SMT1500RM2UC")


def until(engine: Engine, kind: Kind, new: object) -> Change:
    """Look at the unit until that change has happened; a deadline of 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        engine.catch_up()
        for change in engine.unit.history.since():
            if change.kind is kind and change.new == new:
                return change
    raise AssertionError(f"no change of {kind} to {new}")


def test_losing_the_mains_is_recorded_at_the_moment_of_the_command() -> None:
    engine = Engine(SMT)
    before = datetime.now(UTC)
    engine.obey("mains off")
    after = datetime.now(UTC)
    lost = engine.unit.history.since()[0]
    assert lost.kind is Kind.MAINS
    assert before - timedelta(milliseconds=1) <= lost.at <= after + timedelta(milliseconds=1)
    transferred = until(engine, Kind.STATE, "on_battery")
    assert (transferred.at - lost.at).total_seconds() == pytest.approx(SMT.timing.transfer_s, abs=5e-6)


def test_a_change_is_dated_by_when_it_happened_and_not_by_when_somebody_looked() -> None:
    engine = Engine(SMT, speed=1000)
    stated_s = engine.snapshot().runtime_s
    assert stated_s is not None
    engine.obey("mains off")
    off = until(engine, Kind.STATE, "off")
    lost = engine.unit.history.since()[0]
    assert (off.at - lost.at).total_seconds() * 1000 == pytest.approx(stated_s, rel=0.05)
    assert off.at <= datetime.now(UTC)


def test_held_physics_stand_still_while_time_goes_on() -> None:
    engine = Engine(SMT, speed=1000)
    engine.obey("mains off")
    until(engine, Kind.STATE, "on_battery")
    engine.obey("hold")
    first = engine.snapshot()
    second = engine.snapshot()
    assert second.at > first.at
    assert (second.runtime_s, second.charge_pct, second.battery_v) == (
        first.runtime_s,
        first.charge_pct,
        first.battery_v,
    )


def test_release_goes_on_where_hold_stopped_without_a_jump() -> None:
    engine = Engine(SMT)
    engine.obey("hold")
    held_s = engine.clock.now_s()
    released_at = time.monotonic()
    engine.obey("release")
    passed_s = time.monotonic() - released_at
    assert held_s <= engine.clock.now_s() <= held_s + passed_s + 0.5


def test_a_command_to_a_held_unit_counts_from_the_frozen_instant() -> None:
    engine = Engine(SMT)
    engine.obey("hold")
    engine.obey("mains off")
    engine.obey("load 80")
    snapshot = engine.snapshot()
    assert (snapshot.state, snapshot.input_v, snapshot.load_pct) == (State.ONLINE, 0, 80)
    engine.obey("release")
    assert until(engine, Kind.STATE, "on_battery").at > engine.unit.history.since()[0].at


def test_instants_keep_their_order_through_changes_of_pace() -> None:
    engine = Engine(SMT)
    for line in ("mains off", "speed 500", "mains on", "hold", "load 30", "release", "speed 1", "mains off"):
        engine.obey(line)
    until(engine, Kind.STATE, "on_battery")
    ats = [change.at for change in engine.unit.history.since()]
    assert ats == sorted(ats)


def test_a_scenario_is_played_at_its_simulated_seconds() -> None:
    steps = (Step(at=10, do="mains off"), Step(at=40, do="mains on"))
    engine = Engine(SMT, speed=1000, scenario=Scenario(steps=steps, repeat_every=60))
    until(engine, Kind.STATE, "on_battery")
    until(engine, Kind.STATE, "online")
    lost, back = [c for c in engine.unit.history.since() if c.kind is Kind.MAINS][:2]
    assert (back.at - lost.at).total_seconds() * 1000 == pytest.approx(30, abs=6)


def test_a_line_of_a_scenario_that_cannot_be_obeyed_is_told_and_the_rest_played(
    caplog: pytest.LogCaptureFixture,
) -> None:
    steps = (Step(at=1, do="wire swallow 1"), Step(at=2, do="mains off"))
    engine = Engine(SMT, speed=1000, scenario=Scenario(steps=steps))
    until(engine, Kind.STATE, "on_battery")
    assert "scenario, second 1: wire swallow 1: this unit has no wire" in caplog.text


def test_orders_reach_the_unit_and_every_write_is_remembered() -> None:
    engine = Engine(SMT)
    order = Order(task=Task.SELF_TEST)
    assert engine.order(order) is Answer.TAKEN
    engine.record_command(Write(function=6, address=1541, words=(1,), order=order, exception=None, answered=False))
    engine.record_command(Write(function=16, address=1538, words=(0, 7), order=None, exception=4, answered=True))
    head, first, second = engine.obey("commands")
    assert head["lines"] == 2
    assert (first["number"], first["address"], first["answered"]) == (1, 1541, False)
    assert (second["number"], second["exception"], second["order"]) == (2, 4, None)


def test_the_state_as_json_has_the_snapshots_own_names_beside_who_and_how() -> None:
    engine = Engine(SMT, serial="AS1234567890", name="rack", load_pct=40)
    state = engine.obey("state")[0]["state"]
    assert (state["state"], state["charge_pct"], state["load_pct"]) == ("online", 100, 40)
    assert (state["identity"]["serial"], state["identity"]["name"]) == ("AS1234567890", "rack")
    assert state["settings"]["transfer_high_v"] == 127
    assert state["simulator"]["model"] == "SMT1500RM2UC"


def test_a_refused_line_says_why() -> None:
    with pytest.raises(ControlError, match="unknown verb 'mians', did you mean 'mains'"):
        Engine(SMT).obey("mians off")


def test_the_clock_runs_as_fast_as_it_is_told() -> None:
    clock = Clock(speed=100)
    outer, start_s, inner = time.monotonic(), clock.now_s(), time.monotonic()
    while clock.now_s() < start_s + 2:
        pass
    inner_end, end_s, outer_end = time.monotonic(), clock.now_s(), time.monotonic()
    assert (inner_end - inner) * 100 <= end_s - start_s <= (outer_end - outer) * 100


def test_a_held_clock_stands_still_and_dates_what_happens_by_the_wall() -> None:
    clock = Clock()
    clock.change(held=True)
    now_s, before = clock.now_s(), datetime.now(UTC)
    assert before <= clock.utc(now_s) <= datetime.now(UTC)
    assert clock.now_s() == now_s
