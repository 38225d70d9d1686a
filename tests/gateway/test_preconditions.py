"""S8: what has to hold before a unit is told something that may cost its load."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Calibration, Flag, Identity, OutletGroup, Snapshot, State, TestResult, TestStatus, Verb
from gateway.policy import CalibrationRules, Feed, UnitPolicy
from gateway.preconditions import (
    CALIBRATION_CHARGE_PCT,
    CHARGE_PCT,
    DAY_MS,
    LOAD_BAND_PCT,
    LOAD_STEADY_S,
    MAINS_GOOD_S,
    READ_WITHIN_S,
    Facts,
    Track,
    hindrance,
    tracked,
)
from gateway.seen import Seen
from gateway.wire import limits
from gateway.wire.messages import Clock, Stamp
from gateway.wire.orders import By, Order
from tests.gateway.commanded import IDENTITY, NOW_MS, REPORTED, well

NOW_S = 5000.0
GOOD = Track(
    snapshot=well(),
    identity=IDENTITY,
    seen_s=NOW_S,
    mains_since_s=NOW_S - MAINS_GOOD_S,
    load_since_s=NOW_S - LOAD_STEADY_S,
    load_low=40.0,
    load_high=50.0,
)
TESTS = (Verb.SELF_TEST, Verb.SIMULATE_POWER_FAILURE, Verb.CALIBRATION)
ON_MAINS = (*TESTS, Verb.BYPASS_ON)


def stamp(clock: Clock = Clock.SYNCHRONISED) -> Stamp:
    return Stamp(at=NOW_MS, boot="b", mono=round(NOW_S * 1000), clock=clock.value)


def facts(**changes: Any) -> Facts:
    return msgspec.structs.replace(Facts(now=stamp(), rules=UnitPolicy(), track=GOOD), **changes)


def order(verb: Verb, groups: tuple[int, ...] = (), role: str = "owner") -> Order:
    return Order(
        id="0" * 32,
        gateway="pi",
        unit="rack-1",
        serial="AS1",
        verb=verb,
        by=By(role=role, name="Ann"),
        issued_at=0,
        expires_at=1,
        groups=groups,
    )


def refused(verb: Verb, groups: tuple[int, ...] = (), **changes: Any) -> str:
    """Reason and detail; empty where nothing speaks against it."""
    found = hindrance(order(verb, groups), facts(**changes))
    return f"{found.reason}: {found.detail}" if found else ""


def showing(**changes: Any) -> Track:
    return msgspec.structs.replace(GOOD, snapshot=msgspec.structs.replace(GOOD.snapshot, **changes))


@pytest.mark.parametrize("verb", list(Verb))
def test_s8_nothing_speaks_against_a_unit_that_is_well(verb: Verb) -> None:
    assert refused(verb, (1,), rules=UnitPolicy(feeds={})) == ""


@pytest.mark.parametrize("verb", ON_MAINS)
def test_s8_mains_have_to_be_good_for_5_minutes(verb: Verb) -> None:
    just_short = msgspec.structs.replace(GOOD, mains_since_s=NOW_S - MAINS_GOOD_S + 1)
    assert (
        refused(verb, track=just_short)
        == "mains_not_steady: mains seen good for 299 s, mains have to be good for 300 s"
    )
    off = msgspec.structs.replace(showing(state=State.ON_BATTERY), mains_since_s=None)
    assert refused(verb, track=off) == "not_on_mains: state on_battery, mains have to be good for 300 s"


@pytest.mark.parametrize(("verb", "wanted"), [(verb, CHARGE_PCT) for verb in TESTS[:2]] + [(TESTS[2], 100.0)])
def test_s8_the_charge_is_told_beside_what_is_wanted(verb: Verb, wanted: float) -> None:
    assert refused(verb, track=showing(charge_pct=wanted)) == ""
    assert refused(verb, track=showing(charge_pct=wanted - 0.1)) == (
        f"charge_low: charge {wanted - 0.1:.1f} %, {wanted:g} % are wanted"
    )
    assert refused(verb, track=showing(charge_pct=None)).startswith("charge_unknown: charge not reported")
    assert refused(verb, track=showing(charge_pct=float("nan"))).startswith("charge_low")


@pytest.mark.parametrize("flag", sorted(REPORTED))
@pytest.mark.parametrize("verb", TESTS)
def test_s8_a_bad_battery_or_overload_or_not_knowing_of_it_refuses(verb: Verb, flag: Flag) -> None:
    assert refused(verb, track=showing(flags=frozenset({flag}))) == f"{flag}: {flag} is set"
    silent = msgspec.structs.replace(GOOD, identity=Identity(reported_flags=REPORTED - {flag}))
    assert refused(verb, track=silent) == f"{flag}_unknown: the unit does not report {flag}"
    assert refused(verb, track=msgspec.structs.replace(GOOD, identity=None)) != ""


@pytest.mark.parametrize(
    "shown",
    [
        {"flags": frozenset({Flag.TEST_IN_PROGRESS})},
        {"flags": frozenset({Flag.PENDING_OUTPUT_OFF})},
        {"flags": frozenset({Flag.PENDING_OUTPUT_ON})},
        {"flags": frozenset({Flag.SHUTDOWN_IMMINENT})},
        {"self_test": TestResult(status=TestStatus.PENDING)},
        {"calibration": Calibration(status=TestStatus.IN_PROGRESS)},
        {"main_outlet": OutletGroup(index=0, on=True, turn_off_s=20)},
        {"switched_outlets": (OutletGroup(index=1, on=False, sleeping=True),)},
    ],
)
@pytest.mark.parametrize("verb", ON_MAINS)
def test_s8_nothing_may_be_pending(verb: Verb, shown: dict[str, Any]) -> None:
    assert refused(verb, track=showing(**shown)).startswith("pending: ")


@pytest.mark.parametrize("verb", ON_MAINS)
def test_s8_a_unit_that_was_not_read_lately_is_unknown(verb: Verb) -> None:
    old = msgspec.structs.replace(GOOD, seen_s=NOW_S - READ_WITHIN_S - 1)
    assert refused(verb, track=old).startswith("unit_not_read: the unit was read 31 s ago")
    assert refused(verb, track=None).startswith("unit_not_read: the unit was read never")


def test_s8_all_that_speaks_against_it_is_told_at_once_within_the_limit() -> None:
    bad = msgspec.structs.replace(showing(charge_pct=20.0, flags=frozenset(Flag)), mains_since_s=None)
    found = refused(Verb.CALIBRATION, track=bad, peers={f"rack-{n}": None for n in range(40)})
    assert "charge 20.0 %, 100 % are wanted" in found
    assert len(found) == len("not_on_mains: ") + limits.DETAIL_LENGTH


def test_s8_a_calibration_is_never_scheduled() -> None:
    found = hindrance(order(Verb.CALIBRATION, role="schedule"), facts())
    assert found is not None
    assert found.reason == "scheduled"
    assert hindrance(order(Verb.SELF_TEST, role="schedule"), facts()) is None


def test_s8_a_calibration_wants_a_steady_load_of_30_percent() -> None:
    low = msgspec.structs.replace(GOOD, load_low=29.9, load_high=35.0)
    assert refused(Verb.CALIBRATION, track=low) == "load_low: load 29.9 %, 30 % are wanted"
    rules = UnitPolicy(calibration=CalibrationRules(load_pct=41.0))
    assert refused(Verb.CALIBRATION, rules=rules) == "load_low: load 40.0 %, 41 % are wanted"
    wavering = msgspec.structs.replace(GOOD, load_since_s=NOW_S - 12)
    assert refused(Verb.CALIBRATION, track=wavering).startswith(
        "load_not_steady: load steady for 12 s, within 10 points"
    )
    unknown = msgspec.structs.replace(showing(load_pct=None), load_since_s=None)
    assert refused(Verb.CALIBRATION, track=unknown).startswith("load_unknown")
    assert refused(Verb.SELF_TEST, track=unknown) == ""


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (GOOD, ""),
        (None, "peer_unknown"),
        (msgspec.structs.replace(GOOD, seen_s=NOW_S - READ_WITHIN_S - 1), "peer_unknown"),
        (showing(state=State.ON_BATTERY), "peer_off_mains"),
        (showing(state=None), "peer_off_mains"),
        (showing(flags=frozenset({Flag.INPUT_NOT_ACCEPTABLE})), "peer_off_mains"),
        (showing(calibration=Calibration(status=TestStatus.PENDING)), "peer_busy"),
    ],
)
def test_s8_no_other_unit_of_the_redundancy_group_may_be_off_mains(peer: Track | None, reason: str) -> None:
    assert refused(Verb.CALIBRATION, peers={"rack-2": peer}).partition(":")[0] == reason
    assert refused(Verb.SELF_TEST, peers={"rack-2": peer}) == ""


def test_s8_90_days_lie_between_two_calibrations_and_need_a_clock() -> None:
    assert refused(Verb.CALIBRATION, calibrated_at=NOW_MS - 90 * DAY_MS) == ""
    assert refused(Verb.CALIBRATION, calibrated_at=NOW_MS - 90 * DAY_MS + 1) == (
        "calibrated_lately: calibrated 90.0 days ago, 90 days have to lie between two"
    )
    assert refused(Verb.CALIBRATION, calibrated_at=NOW_MS + 1).startswith("calibrated_lately")
    unset = stamp(Clock.UNSYNCHRONISED)
    for last in (1, None):  # the first one neither: it would count as one of 1970
        assert refused(Verb.CALIBRATION, now=unset, calibrated_at=last).startswith("clock_not_set")
    longer = UnitPolicy(calibration=CalibrationRules(days_between=180))
    assert refused(Verb.CALIBRATION, rules=longer, calibrated_at=NOW_MS - 179 * DAY_MS).startswith("calibrated_lately")


@pytest.mark.parametrize("verb", [Verb.OUTLET_OFF, Verb.OUTLET_SHUTDOWN, Verb.SHUTDOWN, Verb.OUTLET_REBOOT])
def test_s8_as_long_as_nobody_said_what_the_outlets_feed_nothing_is_cut(verb: Verb) -> None:
    assert refused(verb, (1,)).startswith("feeds_unknown")


FEEDING = UnitPolicy(feeds={1: (Feed.GATEWAY,), 2: (), 3: (Feed.UPLINK,)})


@pytest.mark.parametrize(
    ("verb", "groups", "reason"),
    [
        (Verb.OUTLET_OFF, (1,), "feeds_gateway"),
        (Verb.OUTLET_OFF, (2, 3), "feeds_gateway"),
        (Verb.OUTLET_OFF, (2,), ""),
        (Verb.OUTLET_OFF, (4,), ""),
        (Verb.OUTLET_OFF, (0,), "feeds_gateway"),
        (Verb.OUTLET_OFF, (), "feeds_gateway"),
        (Verb.OUTLET_SHUTDOWN, (3,), "feeds_gateway"),
        (Verb.OUTLET_REBOOT, (1,), "feeds_gateway"),
        (Verb.OUTLET_REBOOT, (2,), ""),
        (Verb.SHUTDOWN, (), "feeds_gateway"),
        (Verb.OUTLET_ON, (1,), ""),
    ],
)
def test_s8_groups_that_feed_the_gateway_or_its_uplink_are_not_cut(
    verb: Verb, groups: tuple[int, ...], reason: str
) -> None:
    assert refused(verb, groups, rules=FEEDING).partition(":")[0] == reason


def test_s8_rebooting_what_feeds_the_gateway_needs_a_local_flag_and_switching_it_off_has_none() -> None:
    flagged = msgspec.structs.replace(FEEDING, reboot_feeds=True)
    assert refused(Verb.OUTLET_REBOOT, (1,), rules=flagged) == ""
    assert refused(Verb.OUTLET_OFF, (1,), rules=flagged).startswith("feeds_gateway")
    assert refused(Verb.SHUTDOWN, rules=flagged).startswith("feeds_gateway")


def seen(second: float, snapshot: Snapshot, *, full: bool = True, identity: Identity | None = IDENTITY) -> Seen:
    at = Stamp(at=NOW_MS, boot="b", mono=round(second * 1000))
    return Seen(unit="rack-1", snapshot=snapshot, full=full, identity=identity, stamp=at)


def followed(*readings: Seen) -> Track:
    track = None
    for reading in readings:
        track = tracked(track, reading)
    assert track is not None
    return track


def test_mains_are_good_since_the_first_of_the_readings_that_show_it() -> None:
    bad = msgspec.structs.replace(well(), state=State.ON_BATTERY)
    assert followed(seen(0, well()), seen(5, well())).mains_since_s == 0
    assert followed(seen(0, well()), seen(5, bad), seen(10, well())).mains_since_s == 10
    assert followed(seen(0, well()), seen(5, bad)).mains_since_s is None


@pytest.mark.parametrize("second", [READ_WITHIN_S + 0.1, -1.0])
def test_a_pause_in_the_readings_or_a_clock_that_runs_back_makes_the_past_unknown(second: float) -> None:
    track = followed(seen(10, well()), seen(10 + second, well()))
    assert track.mains_since_s == track.load_since_s == 10 + second


def test_s3_another_unit_under_the_same_name_has_no_past() -> None:
    other = msgspec.structs.replace(IDENTITY, serial="AS2")
    track = followed(seen(0, well()), seen(5, well(), identity=other))
    assert (track.mains_since_s, track.identity) == (5, other)
    assert followed(seen(0, well()), seen(5, well(), identity=None)).mains_since_s == 0


def test_a_load_is_steady_while_it_stays_within_its_band() -> None:
    loads = [40.0, 45.0, 40.0 + LOAD_BAND_PCT]
    readings = [seen(5 * n, msgspec.structs.replace(well(), load_pct=load)) for n, load in enumerate(loads)]
    track = followed(*readings)
    assert (track.load_since_s, track.load_low, track.load_high) == (0, 40.0, 50.0)
    broken = tracked(track, seen(15, msgspec.structs.replace(well(), load_pct=39.9)))
    assert (broken.load_since_s, broken.load_low, broken.load_high) == (15, 39.9, 39.9)
    assert tracked(track, seen(15, msgspec.structs.replace(well(), load_pct=None))).load_since_s is None


def test_a_fast_reading_says_nothing_new_of_the_load_and_keeps_who_it_is() -> None:
    track = followed(
        seen(0, well()), seen(1, msgspec.structs.replace(well(), load_pct=99.0), full=False, identity=None)
    )
    assert (track.load_high, track.identity) == (45.0, IDENTITY)


_MOSTLY = [State.ONLINE] * 30


@given(
    st.lists(
        st.tuples(st.floats(5.0, 30.5), st.sampled_from([*_MOSTLY, State.ON_BATTERY, None]), st.floats(34.0, 45.0)),
        min_size=1,
        max_size=60,
    )
)
def test_s8_no_history_passes_unless_each_reading_of_5_minutes_was_good(
    history: list[tuple[float, State | None, float]],
) -> None:
    track, now_s, readings = None, 0.0, []
    for pause_s, state, load in history:
        now_s = round(now_s + pause_s, 3)
        track = tracked(track, seen(now_s, msgspec.structs.replace(well(), state=state, load_pct=load)))
        readings.append((now_s, state, load))
    now = msgspec.structs.replace(stamp(), mono=round(now_s * 1000))
    good = _unbroken([(at, state is State.ONLINE) for at, state, _ in readings])
    assert (hindrance(order(Verb.SELF_TEST), facts(track=track, now=now)) is None) is (good >= MAINS_GOOD_S)
    if hindrance(order(Verb.CALIBRATION), facts(track=track, now=now)) is None:
        recent = [load for at, _, load in readings if now_s - at <= LOAD_STEADY_S - READ_WITHIN_S]
        assert min(recent) >= 30
        assert max(recent) - min(recent) <= LOAD_BAND_PCT


def _unbroken(readings: list[tuple[float, bool]]) -> float:
    """Seconds up to the last reading in which all were good and none was missing."""
    since = last = readings[-1][0]
    for at, good in reversed(readings):
        if not good or last - at > READ_WITHIN_S:
            break
        since = last = at
    return readings[-1][0] - since if readings[-1][1] else -1.0


def test_the_thresholds_are_those_of_the_rule() -> None:
    assert (MAINS_GOOD_S, CHARGE_PCT, CALIBRATION_CHARGE_PCT) == (300, 90, 100)
    assert CalibrationRules() == CalibrationRules(load_pct=30, days_between=90)
