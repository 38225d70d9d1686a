from __future__ import annotations

import pytest

from drivers.ups import Cause, Identity, OutletGroup
from gateway.identity import identified
from tests.gateway.watched_unit import OFF, ONLINE, WatchedUnit, moment, outlets

BOTH = outlets(g1=True, g2=True)


@pytest.fixture
def unit() -> WatchedUnit:
    watched = WatchedUnit()
    watched.state, _ = identified(watched.state, Identity(outlet_groups=((1, "Racks"), (2, ""))), moment(0))
    watched.reads(0, ONLINE, Cause.ACCEPTABLE_INPUT, switched_outlets=BOTH)
    return watched


def test_a_group_that_goes_off_alone_is_told_with_its_name(unit: WatchedUnit) -> None:
    assert unit.reads(1, ONLINE, switched_outlets=outlets(g1=False, g2=True)) == ["outlet_group_off"]
    assert unit.events[-1].details == {"group": 1, "name": "Racks"}
    assert unit.reads(9, ONLINE, switched_outlets=BOTH) == ["outlet_group_on"]
    assert unit.events[-1].details == {"lasted_s": 8, "group": 1, "name": "Racks"}


def test_groups_are_told_apart(unit: WatchedUnit) -> None:
    unit.reads(1, ONLINE, switched_outlets=outlets(g1=False, g2=True))
    unit.reads(2, ONLINE, switched_outlets=outlets(g1=False, g2=False))
    unit.reads(3, ONLINE, switched_outlets=outlets(g1=True, g2=False))
    assert [(event.type, event.details["group"]) for event in unit.events] == [
        ("outlet_group_off", 1),
        ("outlet_group_off", 2),
        ("outlet_group_on", 1),
    ]


def test_groups_that_go_with_the_whole_output_are_not_told_one_by_one(unit: WatchedUnit) -> None:
    none = outlets(g1=False, g2=False)
    assert unit.glances(1, OFF, Cause.PROTOCOL_COMMAND) == ["output_off_commanded"]
    assert unit.reads(2, OFF, Cause.PROTOCOL_COMMAND, switched_outlets=none) == []
    assert unit.reads(60, ONLINE, switched_outlets=none) == ["output_on"]
    assert unit.reads(75, ONLINE, switched_outlets=outlets(g1=True, g2=False)) == []
    assert unit.reads(90, ONLINE, switched_outlets=BOTH) == []


def test_a_group_that_does_not_follow_the_output_is_told(unit: WatchedUnit) -> None:
    one = outlets(g1=True, g2=False)
    unit.reads(2, OFF, switched_outlets=outlets(g1=False, g2=False))
    unit.reads(10, ONLINE, switched_outlets=one)
    assert unit.reads(69, ONLINE, switched_outlets=one) == []
    assert unit.reads(70, ONLINE, switched_outlets=one) == ["outlet_group_off"]
    assert unit.events[-1].details == {"group": 2}


def test_a_group_whose_turn_on_countdown_runs_is_waited_for(unit: WatchedUnit) -> None:
    unit.reads(2, OFF, switched_outlets=outlets(g1=False))
    unit.reads(10, ONLINE, switched_outlets=outlets(g1=False))
    waiting = (OutletGroup(index=1, on=False, turn_on_s=5),)
    assert unit.reads(500, ONLINE, switched_outlets=waiting) == []
    assert unit.reads(505, ONLINE, switched_outlets=outlets(g1=True)) == []
    assert unit.reads(510, ONLINE, switched_outlets=outlets(g1=False)) == ["outlet_group_off"]


def test_a_group_of_unknown_state_or_gone_from_the_list_says_nothing(unit: WatchedUnit) -> None:
    unit.reads(1, ONLINE, switched_outlets=outlets(g1=False, g2=True))
    unknown = (OutletGroup(index=1), OutletGroup(index=2))
    assert unit.reads(2, ONLINE, switched_outlets=unknown) == []
    assert unit.reads(3, ONLINE) == []
    assert unit.reads(4, ONLINE, switched_outlets=BOTH) == ["outlet_group_on"]


def test_a_group_that_stays_on_while_the_output_is_off_is_not_waited_for_afterwards(unit: WatchedUnit) -> None:
    unit.reads(2, OFF, switched_outlets=outlets(g1=False))
    unit.reads(10, ONLINE, switched_outlets=outlets(g1=True))
    assert unit.reads(12, ONLINE, switched_outlets=outlets(g1=False)) == ["outlet_group_off"]


def test_an_outlet_group_that_was_off_before_the_whole_output_is_told_when_it_is_on(unit: WatchedUnit) -> None:
    unit.reads(1, ONLINE, switched_outlets=outlets(g1=False))
    unit.reads(2, OFF, switched_outlets=outlets(g1=False))
    assert unit.reads(10, ONLINE, switched_outlets=outlets(g1=True)) == ["output_on", "outlet_group_on"]


def test_a_group_is_on_again_only_by_a_reading_that_looked(unit: WatchedUnit) -> None:
    unit.reads(1, ONLINE, switched_outlets=outlets(g1=False))
    unit.reads(2, OFF, switched_outlets=outlets(g1=True))
    assert unit.glances(3, ONLINE) == ["output_on"]
    assert unit.reads(4, ONLINE, switched_outlets=outlets(g1=True)) == ["outlet_group_on"]
