"""What has to hold before a unit enters its boot loader (gateway-ota.md A5; A7, invariants 1, 2, 5, 18, 19, 20, 21)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Calibration, Flag, Identity, OutletGroup, State, TestResult, TestStatus
from gateway.firmware import look
from gateway.firmware.hindrance import FINAL, Hindrance
from gateway.firmware.look import Link, Readings, enough, in_a_row
from gateway.firmware.preconditions import hindrances
from gateway.firmware.topology import Rules, Supply, Topology
from gateway.preconditions import Track
from gateway.wire.firmware import Before, OutputMode
from gateway.wire.health import DISK_LOW_BYTES, Host
from gateway.wire.messages import Clock, Stamp
from tests.gateway.firmware.upgrading import (
    ANYTHING,
    HOUR_MS,
    NOW_MS,
    REPORTED,
    SAFE,
    facts,
    identity,
    order,
    readings,
    snapshot,
    stamp,
)

NOW = stamp()
NOW_S = NOW.mono / 1000
NAN = float("nan")


def found(
    seen: Readings | None = None,
    *,
    now: Stamp = NOW,
    topology: Topology = SAFE,
    rules: Rules = ANYTHING,
    of: dict[str, Any] | None = None,
    built_at: int = 0,
    **asked: Any,
) -> tuple[Hindrance, ...]:
    """`of`: what is other about the facts; `asked`: about the order."""
    seen = readings(NOW) if seen is None else seen
    return hindrances(order(**asked), facts(**(of or {})), seen, now, topology, rules, built_at)


def reasons(seen: Readings | None = None, **changes: Any) -> list[str]:
    return [each.reason for each in found(seen, **changes)]


def with_track(**changes: Any) -> Readings:
    seen = readings(NOW)
    assert seen.track is not None
    return msgspec.structs.replace(seen, track=msgspec.structs.replace(seen.track, **changes))


def with_identity(who: Identity | None) -> Readings:
    return msgspec.structs.replace(readings(NOW), identity=who)


def showing(**shown: Any) -> Readings:
    return readings(NOW, **shown)


@pytest.mark.parametrize("mode", list(OutputMode))
def test_nothing_speaks_against_a_unit_that_is_well(mode: OutputMode) -> None:
    load = 0.5 if mode is OutputMode.OFF else 40.0
    assert found(showing(load_pct=load), output=mode) == ()


def test_invariant_1_mains_are_judged_from_a_reading_at_most_a_second_old() -> None:
    assert reasons(with_track(seen_s=NOW_S - 1.0)) == []
    (late,) = found(with_track(seen_s=NOW_S - 1.001))
    assert late.detail == "the unit was read: 1.001 s ago, wanted: all of it, at most 1 s ago"
    assert reasons(with_track(seen_s=NOW_S + 0.001)) == ["unit_not_read"]
    assert look.READ_WITHIN_S == 1.0


def test_invariant_1_a_reading_of_another_boot_or_in_part_or_none_is_no_reading() -> None:
    assert set(reasons(now=stamp(boot="b2"))) == {"unit_not_read", "identity_unknown"}
    older = snapshot().at - timedelta(seconds=5)
    assert reasons(with_track(snapshot=snapshot(full_at=older))) == ["unit_not_read"]
    assert reasons(msgspec.structs.replace(readings(NOW), track=None)) == ["unit_not_read"]


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ({"state": State.ON_BATTERY}, "on_battery"),
        ({"state": State.BYPASS}, "bypass"),
        ({"state": State.OFF}, "off"),
        ({"state": None}, "unknown"),
        ({"flags": frozenset({Flag.INPUT_NOT_ACCEPTABLE})}, "bad"),
        ({"flags": frozenset({Flag.BAD_MAINS_STATE})}, "bad"),
        ({"flags": frozenset({Flag.POWER_FAILURE})}, "bad"),
    ],
)
def test_invariant_1_anything_but_good_mains_refuses_and_is_never_overridable(
    shown: dict[str, Any], value: str
) -> None:
    first = found(showing(**shown))[0]
    assert (first.reason, first.value, first.threshold) == ("not_on_mains", value, "online and good")
    assert not first.overridable


def test_mains_have_to_be_good_for_as_long_as_the_release_asks() -> None:
    assert reasons(readings(NOW, good_for_s=900.0)) == []
    (short,) = found(readings(NOW, good_for_s=899.5))
    assert (short.reason, short.value, short.threshold, short.overridable) == ("mains_not_steady", 899.5, 900, False)
    assert reasons(readings(NOW, good_for_s=899.5), of={"before": Before(mains_stable_s=60)}) == []
    assert reasons(with_track(mains_since_s=None)) == ["mains_not_steady"]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"input_v": 79.9}, "input_v_out_of_bounds"),
        ({"input_v": 280.1}, "input_v_out_of_bounds"),
        ({"input_v": None}, "input_v_unknown"),
        ({"input_v": NAN}, "input_v_unknown"),
        ({"input_hz": 44.9}, "input_hz_out_of_bounds"),
        ({"input_hz": 65.1}, "input_hz_out_of_bounds"),
        ({"input_hz": NAN}, "input_hz_unknown"),
        ({"charge_pct": 89.9}, "charge_pct_out_of_bounds"),
        ({"charge_pct": None}, "charge_pct_unknown"),
        ({"charge_pct": NAN}, "charge_pct_unknown"),
        ({"runtime_s": 899}, "runtime_s_out_of_bounds"),
        ({"runtime_s": None}, "runtime_s_unknown"),
        ({"load_pct": 80.1}, "load_pct_out_of_bounds"),
        ({"load_pct": -1.0}, "load_pct_out_of_bounds"),
        ({"load_pct": None}, "load_pct_unknown"),
        ({"load_pct": float("inf")}, "load_pct_unknown"),
        ({"flags": frozenset({Flag.TEST_IN_PROGRESS})}, "pending"),
        ({"flags": frozenset({Flag.PENDING_OUTPUT_OFF})}, "pending"),
        ({"flags": frozenset({Flag.SHUTDOWN_IMMINENT})}, "pending"),
        ({"self_test": TestResult(status=TestStatus.PENDING)}, "pending"),
        ({"calibration": Calibration(status=TestStatus.IN_PROGRESS)}, "pending"),
        ({"main_outlet": OutletGroup(index=0, on=True, turn_off_s=20)}, "pending"),
        ({"switched_outlets": (OutletGroup(index=1, on=False, sleeping=True),)}, "pending"),
        ({"flags": frozenset({Flag.INVERTER})}, "internal_fault"),
        ({"flags": frozenset({Flag.FAULT_STATE})}, "internal_fault"),
        ({"flags": frozenset({Flag.OUTPUT_OVERLOAD})}, "overload"),
        ({"flags": frozenset({Flag.OVERLOAD_STATE})}, "overload"),
        ({"flags": frozenset({Flag.BATTERY_DISCONNECTED})}, "battery_disconnected"),
    ],
)
def test_invariant_19_what_is_bad_or_unknown_is_refused(shown: dict[str, Any], reason: str) -> None:
    assert reasons(showing(**shown)) == [reason]


def test_what_just_holds_holds() -> None:
    assert reasons(showing(charge_pct=90.0, runtime_s=900, load_pct=80.0, input_v=80.0, input_hz=45.0)) == []
    assert reasons(showing(input_v=280.0, input_hz=65.0, load_pct=0.0)) == []


def test_the_input_is_compared_with_the_nominal_voltage_where_it_is_known() -> None:
    who = identity(nominal_output_v=120)
    assert reasons(with_identity(who)) == ["input_v_out_of_bounds"]
    for volts, expected in (
        (96.0, []),
        (95.9, ["input_v_out_of_bounds"]),
        (144.0, []),
        (144.1, ["input_v_out_of_bounds"]),
    ):
        seen = msgspec.structs.replace(showing(input_v=volts), identity=who)
        assert reasons(seen) == expected


@pytest.mark.parametrize("flag", sorted(REPORTED))
def test_invariant_19_a_flag_that_the_unit_does_not_report_is_unknown(flag: Flag) -> None:
    blind = msgspec.structs.replace(identity(), reported_flags=REPORTED - {flag})
    (one,) = reasons(with_track(identity=blind))
    assert one.endswith("_unknown")
    assert len(reasons(with_track(identity=None))) == 3


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (None, "identity_unknown"),
        (identity(serial=None), "serial_unknown"),
        (identity(serial="AS2"), "serial_wrong"),
        (identity(firmware=None), "unit_unknown"),
        (identity("15.5"), "already_installed"),
        (identity("14.9"), "from_version"),
        (identity("15.6"), "from_version"),
    ],
)
def test_invariant_2_another_unit_or_version_is_refused(who: Identity | None, reason: str) -> None:
    assert reason in reasons(with_identity(who))


def test_invariant_2_another_hardware_id_is_never_served() -> None:
    (wrong,) = (each for each in found(with_identity(identity(product_id=1027))) if each.reason == "hardware_id")
    assert wrong.final
    assert (wrong.value, wrong.threshold) == ("1027", "1026")


def test_invariant_2_who_it_is_was_read_within_2_seconds() -> None:
    seen = readings(NOW)
    assert reasons(msgspec.structs.replace(seen, identity_s=NOW_S - 2.0)) == []
    for identity_s in (NOW_S - 2.001, NOW_S + 0.001, None):
        assert reasons(msgspec.structs.replace(seen, identity_s=identity_s)) == ["identity_unknown"]


def test_a_version_that_needs_a_stepping_stone_is_told_which() -> None:
    (step,) = found(with_identity(identity("14.9")), of={"step_before": "1026/stone.bin"})
    assert (step.reason, step.value, step.threshold) == ("step_before", "14.9", "1026/stone.bin")
    assert step.final


def test_invariant_5_a_lower_counter_is_never_installed() -> None:
    seen = readings(NOW)
    assert reasons(msgspec.structs.replace(seen, counter=41, floor=41)) == []
    assert reasons(msgspec.structs.replace(seen, counter=42)) == ["counter"]
    assert reasons(msgspec.structs.replace(seen, floor=42)) == ["counter_floor"]
    assert {"counter", "counter_floor"} <= FINAL


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (None, ["link_unproven"]),
        (Link(frames=199, bad=0), ["link_unproven"]),
        (Link(frames=200, bad=1), []),
        (Link(frames=200, bad=2), ["link_errors"]),
    ],
)
def test_a_line_with_a_hundredth_of_bad_frames_is_too_bad(link: Link | None, reason: list[str]) -> None:
    assert reasons(msgspec.structs.replace(readings(NOW), link=link)) == reason


@pytest.mark.parametrize("gateway", list(Supply))
@pytest.mark.parametrize("uplink", list(Supply))
def test_invariant_20_with_the_output_off_nothing_may_hang_on_it(gateway: Supply, uplink: Supply) -> None:
    safe = {Supply.UPSTREAM, Supply.OWN_BATTERY}
    topology = Topology(gateway=gateway, uplink=uplink)
    expected = [name for name, supply in (("gateway_power", gateway), ("uplink_power", uplink)) if supply not in safe]
    off = found(showing(load_pct=0.0), topology=topology, output=OutputMode.OFF)
    assert [each.reason for each in off] == expected
    assert not any(each.overridable for each in off)
    assert found(topology=topology, output=OutputMode.ON_UNPROTECTED) == ()


def test_where_nobody_said_how_the_power_runs_it_is_unknown() -> None:
    assert reasons(showing(load_pct=0.0), topology=Topology(), output=OutputMode.OFF) == [
        "gateway_power",
        "uplink_power",
    ]


def test_what_may_happen_to_the_load_is_allowed_here_and_asked_for_there() -> None:
    dead = showing(load_pct=1.0)
    assert reasons(dead, output=OutputMode.OFF, rules=Rules()) == ["output_off_not_allowed"]
    assert reasons(dead, output=OutputMode.OFF, load_is_down=False) == ["load_not_said_down"]
    assert reasons(showing(load_pct=1.1), output=OutputMode.OFF) == ["load_down_pct_out_of_bounds"]
    assert reasons(rules=Rules()) == ["unprotected_not_allowed"]
    assert reasons(accept_unprotected=False) == ["unprotected_not_accepted"]
    assert reasons(rules=Rules(), output=OutputMode.ON_PROTECTED, accept_unprotected=False) == []


def test_an_output_mode_that_the_model_does_not_have_is_refused_for_good() -> None:
    (one,) = found(of={"output": (OutputMode.ON_PROTECTED,)})
    assert (one.reason, one.final) == ("output_not_of_model", True)


def peer(**changes: Any) -> Readings:
    good = Track(snapshot=snapshot(), identity=identity(), seen_s=NOW_S)
    return msgspec.structs.replace(readings(NOW), peers={"rack-2": msgspec.structs.replace(good, **changes)})


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (peer(), []),
        (peer(seen_s=NOW_S - 31), ["peer_not_well"]),
        (peer(snapshot=snapshot(state=State.ON_BATTERY)), ["peer_not_well"]),
        (peer(snapshot=snapshot(flags=frozenset({Flag.TEST_IN_PROGRESS}))), ["peer_not_well"]),
        (peer(snapshot=snapshot(flags=frozenset({Flag.INVERTER}))), ["peer_not_well"]),
        (peer(snapshot=snapshot(flags=frozenset({Flag.OUTPUT_OVERLOAD}))), ["peer_not_well"]),
        (msgspec.structs.replace(readings(NOW), peers={"rack-2": None}), ["peer_not_well"]),
    ],
)
def test_the_peers_of_its_redundancy_group_have_to_carry_the_load(seen: Readings, expected: list[str]) -> None:
    assert reasons(seen) == expected


def test_invariant_21_an_untrusted_clock_refuses() -> None:
    assert reasons(now=stamp(clock=Clock.UNSYNCHRONISED)) == ["clock_not_trusted"]
    assert reasons(built_at=NOW_MS) == []
    assert reasons(built_at=NOW_MS + 1) == ["clock_not_trusted"]
    assert reasons(issued_at=NOW_MS + 1) == ["clock_not_trusted"]
    assert reasons(of={"issued_at": NOW_MS + 1}) == ["clock_not_trusted"]


def test_the_window_has_a_first_and_no_last_moment() -> None:
    assert reasons(begin_at=NOW_MS, end_at=NOW_MS + 1) == []
    assert reasons(begin_at=NOW_MS + 1, end_at=NOW_MS + HOUR_MS) == ["window_closed"]
    assert reasons(begin_at=NOW_MS - HOUR_MS, end_at=NOW_MS) == ["window_closed"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (Host(disk_free_bytes=DISK_LOW_BYTES, cpu_temp_c=79.9), []),
        (Host(disk_free_bytes=DISK_LOW_BYTES), []),
        (Host(disk_free_bytes=DISK_LOW_BYTES - 1), ["disk_low"]),
        (Host(), ["disk_low"]),
        (Host(disk_free_bytes=DISK_LOW_BYTES, cpu_temp_c=80.0), ["gateway_hot"]),
    ],
)
def test_the_gateway_itself_must_be_able_to_see_it_through(host: Host, expected: list[str]) -> None:
    assert reasons(msgspec.structs.replace(readings(NOW), host=host)) == expected


NEVER = {
    "unit_not_read",
    "not_on_mains",
    "mains_not_steady",
    "gateway_power",
    "uplink_power",
    "serial_wrong",
    "pending",
}
SPOILS: tuple[Callable[[], tuple[Hindrance, ...]], ...] = (
    lambda: found(Readings(boot="b1")),
    lambda: found(showing(state=None, charge_pct=NAN, runtime_s=None, load_pct=None, flags=frozenset(Flag))),
    lambda: found(
        with_identity(identity("15.5", serial="AS2", product_id=7)), topology=Topology(), output=OutputMode.OFF
    ),
    lambda: found(rules=Rules(), accept_unprotected=False, now=stamp(clock=Clock.UNSYNCHRONISED)),
)


@pytest.mark.parametrize("spoil", SPOILS, ids=["no reading", "nonsense", "another unit", "no consent"])
def test_invariant_18_every_reason_names_its_value_and_what_is_wanted(
    spoil: Callable[[], tuple[Hindrance, ...]],
) -> None:
    told = spoil()
    assert told
    for each in told:
        assert each.reason
        assert each.detail
        assert each.value not in (None, "")
        assert each.threshold not in (None, "")
        assert not (each.overridable and each.reason in NEVER)
        assert b"null" not in msgspec.json.encode(each)


@given(
    name=st.sampled_from(["input_v", "charge_pct", "runtime_s", "load_pct"]),
    value=st.sampled_from([None, NAN, float("inf"), float("-inf")]),
    mode=st.sampled_from(list(OutputMode)),
)
def test_invariant_19_no_required_number_passes_unknown(name: str, value: float | None, mode: OutputMode) -> None:
    assert f"{name}_unknown" in reasons(showing(**{name: value}), output=mode)


def test_three_readings_in_a_row_over_a_minute_are_enough_and_no_fewer() -> None:
    polls: tuple[float, ...] = ()
    for seen_s, expected in ((10.0, False), (40.0, False), (40.0, False), (69.9, False), (70.0, True)):
        polls = in_a_row(polls, seen_s)
        assert enough(polls) is expected
    assert not enough((10.0, 70.0))
    assert in_a_row((10.0, 40.0), 40.0) == (10.0, 40.0)
    assert in_a_row((10.0, 40.0), 100.0) == (10.0, 40.0, 100.0)
    assert in_a_row((10.0, 40.0), 100.1) == (100.1,)
