from __future__ import annotations

import msgspec
import pytest

from drivers.ups import Flag, Identity
from gateway.identity import accepted, identified, other_unit, seen_twice
from gateway.unit_state import UnitState, encode, resume
from tests.gateway.watched_unit import ONLINE, WatchedUnit, moment


@pytest.fixture
def known() -> UnitState:
    state, events = identified(UnitState(), Identity(serial="A1", firmware="UPS 15.4"), moment(0))
    assert events == ()
    return state


def test_another_firmware_is_told_with_both_versions(known: UnitState) -> None:
    state, events = identified(known, Identity(firmware="UPS 15.5"), moment(9))
    assert [(event.type, event.details) for event in events] == [
        ("firmware_changed", {"from": "UPS 15.4", "to": "UPS 15.5"})
    ]
    assert identified(state, Identity(firmware="UPS 15.5"), moment(10)) == (state, ())


def test_a_firmware_that_is_not_reported_is_no_change(known: UnitState) -> None:
    state, events = identified(known, Identity(), moment(9))
    assert (state.firmware, events) == ("UPS 15.4", ())


def test_a_firmware_changed_during_a_restart_is_found_afterwards(known: UnitState) -> None:
    _, events = identified(resume(encode(known)), Identity(firmware="UPS 15.5"), moment(9))
    assert [event.found_afterwards for event in events] == [True]


def test_s3_another_unit_is_told_once_across_a_restart(known: UnitState) -> None:
    state, events = other_unit(known, moment(5), "A1", "B2")
    assert [(event.type, event.details) for event in events] == [
        ("unit_identity_changed", {"expected": "A1", "found": "B2"})
    ]
    assert other_unit(resume(encode(state)), moment(6), "A1", "B2")[1] == ()
    assert [event.type for event in other_unit(state, moment(7), "A1", "C3")[1]] == ["unit_identity_changed"]


def test_s3_the_right_unit_coming_back_makes_the_next_stranger_news_again(known: UnitState) -> None:
    state, _ = other_unit(known, moment(5), "A1", "B2")
    state, _ = identified(state, Identity(serial="A1"), moment(6))
    assert len(other_unit(state, moment(7), "A1", "B2")[1]) == 1


def test_s3_a_unit_that_is_read_under_another_name_is_told_once_until_it_is_alone_again(known: UnitState) -> None:
    state, events = seen_twice(known, moment(5), "A1", "rack-1")
    assert [(event.type, event.details) for event in events] == [
        ("unit_seen_twice", {"serial": "A1", "other": "rack-1"})
    ]
    assert seen_twice(resume(encode(state)), moment(6), "A1", "rack-1")[1] == ()
    assert [event.type for event in seen_twice(state, moment(7), "A1", "rack-3")[1]] == ["unit_seen_twice"]
    state, events = identified(state, Identity(serial="A1"), moment(8))
    assert [(event.type, event.details) for event in events] == [("unit_seen_once", {"other": "rack-1"})]
    assert identified(state, Identity(serial="A1"), moment(9))[1] == ()


def test_a_lost_unit_that_is_found_under_another_name_is_not_lost_any_more(known: UnitState) -> None:
    lost = msgspec.structs.replace(known, lost_at=moment(1), failed_polls=9)
    state, events = seen_twice(lost, moment(5), "A1", "rack-1")
    assert [event.type for event in events] == ["communication_restored", "unit_seen_twice"]
    assert (state.lost_at, state.failed_polls) == (None, 0)


def test_s3_a_stranger_after_a_twin_ends_the_twin(known: UnitState) -> None:
    state, _ = seen_twice(known, moment(5), "A1", "rack-1")
    state, events = other_unit(state, moment(6), "A1", "C3", {"known_as": "rack-9"})
    assert [event.type for event in events] == ["unit_seen_once", "unit_identity_changed"]
    assert events[-1].details == {"expected": "A1", "found": "C3", "known_as": "rack-9"}
    assert (state.twin, state.stranger) == (None, "C3")


def test_an_accepted_unit_shares_no_history_but_ends_what_the_old_one_had_begun(known: UnitState) -> None:
    unit = WatchedUnit()
    unit.state = known
    unit.reads(1, ONLINE, flags=frozenset({Flag.REPLACE_BATTERY}))
    unit.state, events = accepted(unit.state, moment(60), "B2")
    assert [(event.type, event.details) for event in events] == [("unit_accepted", {"serial": "B2"})]
    assert unit.state.firmware is None
    assert identified(unit.state, Identity(firmware="UPS 09.0"), moment(61))[1] == ()
    unit.reads(62, ONLINE)
    assert unit.reads(67, ONLINE) == ["replace_battery_cleared"]


def test_s6_texts_of_a_unit_are_cut_and_cleaned(known: UnitState) -> None:
    _, events = identified(known, Identity(firmware="\x1b[31m" + "x" * 200), moment(9))
    assert events[0].details["to"] == "[31m" + "x" * 60
