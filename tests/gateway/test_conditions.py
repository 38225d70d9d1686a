from __future__ import annotations

from collections import Counter

import pytest

from drivers.ups import CATALOGUE, FROM_THE_CLOUD, Cause, Flag, Severity, State
from gateway.conditions import EVIDENCE, FLAG_CONDITIONS, NO_EVENT, STATE_CONDITIONS, Condition
from tests.gateway.watched_unit import ONLINE, WatchedUnit

QUIET_STATES = {State.ONLINE}
ALL = (*STATE_CONDITIONS, *FLAG_CONDITIONS)


def by_onset(condition: Condition) -> str:
    return condition.onset


def test_every_flag_begins_a_condition_or_is_named_with_the_reason_why_not() -> None:
    begins = [flag for condition in FLAG_CONDITIONS for flag in condition.flags]
    named = [*begins, *EVIDENCE, *(flag for flags in NO_EVENT.values() for flag in flags)]
    assert [flag for flag, times in Counter(named).items() if times > 1] == []
    assert set(named) == set(Flag)


def test_every_state_but_online_has_a_condition_of_its_own() -> None:
    onsets = {condition.onset for condition in STATE_CONDITIONS}
    expected = {State.ON_BATTERY: "on_battery", State.BYPASS: "bypass", State.OFF: "output_off"}
    assert set(expected) == set(State) - QUIET_STATES
    assert set(expected.values()) <= onsets


@pytest.mark.parametrize("condition", ALL, ids=by_onset)
def test_a_condition_is_ended_by_the_event_type_that_the_catalogue_pairs_it_with(
    condition: Condition,
) -> None:
    assert CATALOGUE[condition.clear].clears == condition.onset
    assert CATALOGUE[condition.clear].severity is Severity.INFORMATIONAL


def test_every_pair_of_the_catalogue_that_a_unit_can_show_is_in_the_table() -> None:
    not_the_units = {"communication_lost", "unit_identity_changed", "unit_seen_twice", "gateway_lost"}
    told = [kind for kind in CATALOGUE.values() if kind.name not in FROM_THE_CLOUD]
    pairs = {kind.clears for kind in told if kind.clears} - not_the_units
    assert pairs == {condition.onset for condition in ALL}


def test_only_what_keeps_a_condition_on_may_stand_among_the_flags_without_event() -> None:
    quiet = {flag for flags in NO_EVENT.values() for flag in flags}
    for condition in FLAG_CONDITIONS:
        assert not condition.flags & quiet
        assert not condition.flags & condition.kept_by


def test_a_transfer_is_never_held_and_a_fault_is_held_for_seconds() -> None:
    assert {condition.hold_s for condition in STATE_CONDITIONS if condition.onset != "low_battery"} == {0.0}
    assert all(1 <= condition.hold_s <= 30 for condition in FLAG_CONDITIONS)


@pytest.mark.parametrize("flag", sorted({*EVIDENCE, *(f for fs in NO_EVENT.values() for f in fs)} - {
    Flag.SHUTDOWN_IMMINENT, Flag.PENDING_OUTPUT_OFF}), ids=str)  # fmt: skip
def test_s20_a_flag_without_event_is_told_neither_when_it_comes_nor_when_it_goes(flag: Flag) -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE)
    unit.reads(5, ONLINE, flags=frozenset({flag}))
    unit.reads(60, ONLINE)
    # a unit without test register can say by this flag alone that it tests itself
    assert unit.told == (["self_test_started"] if flag is Flag.TEST_IN_PROGRESS else [])


@pytest.mark.parametrize("cause", [Cause.ALERT_ASSERTED, Cause.ALERT_CLEARED, Cause.OUTLET_GROUP_STATE_CHANGE])
def test_s20_causes_26_27_and_29_are_no_events(cause: Cause) -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE, Cause.ACCEPTABLE_INPUT)
    assert unit.reads(1, ONLINE, cause) == []


@pytest.mark.parametrize("condition", FLAG_CONDITIONS, ids=by_onset)
def test_a_flag_condition_begins_at_once_and_ends_after_its_hold(condition: Condition) -> None:
    for flag in condition.flags:
        unit = WatchedUnit()
        unit.reads(0, ONLINE)
        assert unit.reads(1, ONLINE, flags=frozenset({flag})) == [condition.onset]
        assert unit.reads(2, ONLINE) == []
        assert unit.reads(2 + condition.hold_s - 0.1, ONLINE) == []
        assert unit.reads(2 + condition.hold_s, ONLINE) == [condition.clear]
        assert unit.events[0].severity is CATALOGUE[condition.onset].severity
