"""Ends whose events were lost: the unit's newest status shows them, and nothing less than that."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import sightings
from cloud_bridge.alerts.model import Change, Kind, Subject, What
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.alerts.watch.look import look_for_lost_ends
from cloud_bridge.alerts.watch.world import Full, World
from cloud_bridge.rows import UnitRow
from drivers.ups import CATALOGUE, Flag, Identity, Severity
from gateway.wire.messages import IdentityBody, Scalar
from tests.cloud_bridge.alerts.boards import event
from tests.cloud_bridge.alerts.worlds import NOW, UNIT, ago, alert, unit, world

WELL: dict[str, Any] = {"state": "online", "flags": []}


def told(*kinds: str, since_s: float = 120, terms: Terms | None = None, **details: Scalar) -> Board:
    """A board that took these events, as records 1 and on, one a second from so long ago on."""
    board = Board(terms or Terms(critical_after_s=86_400))
    for number, kind in enumerate(kinds, start=1):
        at = ago(since_s) + 1000 * (number - 1)
        for one in sightings(event(kind, number, at, details=details)):
            board.take(one, at)
    return board


def seen(board: Board, row: UnitRow, *, full: int = 90, full_age_s: float = 30, terms: Terms | None = None) -> World:
    """`full`: record of the newest full report, 0 for none; it came so long ago."""
    now = world([row], alerts=board.alerts.values(), terms=terms or Terms(critical_after_s=86_400))
    reports = {UNIT: Full(record=full, received_at=ago(full_age_s))} if full else {}
    return msgspec.structs.replace(now, heard=msgspec.structs.replace(now.heard, full=reports))


def ends(board: Board, looked: World) -> list[Change]:
    """As the role does it: what is seen first, then what time alone changes."""
    found = look_for_lost_ends(looked, NOW)
    assert found.failures == []
    changes = [change for one in found.sightings for change in board.take(one, one.at)]
    return changes + board.tick(NOW + 10_000)


def said(changes: list[Change]) -> list[str]:
    return [change.what.value for change in changes]


def test_an_outage_whose_end_was_lost_is_over_when_the_status_says_online() -> None:
    board = told("on_battery")
    board.tick(ago(100))
    changes = ends(board, seen(board, unit(**WELL)))
    assert said(changes) == ["updated", "resolved"]
    assert (changes[-1].alert.stage, board.alerts) == ("mains_restored", {})


def test_s22_a_blip_whose_end_was_lost_and_that_nobody_heard_of_is_dropped() -> None:
    terms = Terms(on_battery_hold_s=300)
    board = told("on_battery", terms=terms)
    assert said(ends(board, seen(board, unit(**WELL)))) == ["dropped"]


def test_s22_an_outage_that_was_over_unheard_does_not_become_critical_by_time() -> None:
    """Nobody was there for an hour: what time makes of an outage is not made of one that is over."""
    terms = Terms()
    board = told("on_battery", since_s=3600, terms=terms)
    changes = ends(board, seen(board, unit(**WELL), terms=terms))
    assert said(changes) == ["fired", "updated", "resolved"]
    assert {change.alert.worst for change in changes} == {Severity.WARNING}


def test_all_stages_of_an_outage_are_over_and_the_mains_are_the_news() -> None:
    board = told("on_battery", "low_battery", "output_off")
    changes = ends(board, seen(board, unit(**WELL)))
    assert (changes[-1].what, changes[-1].alert.stage, board.alerts) == (What.RESOLVED, "mains_restored", {})


def test_a_countdown_that_runs_under_mains_goes_on() -> None:
    board = told("on_battery", "shutdown_imminent")
    counting = unit(state="online", flags=["shutdown_imminent"])
    ends(board, seen(board, counting))
    (alert,) = board.alerts.values()
    assert set(alert.open) == {"shutdown_imminent"}
    ends(board, seen(board, unit(**WELL, age_s=0.5)))
    assert board.alerts == {}


def test_an_outage_that_the_output_s_return_ended_in_part_ends_by_the_mains() -> None:
    board = told("on_battery", "output_off", "output_on")
    assert said(ends(board, seen(board, unit(**WELL))))[-1] == "resolved"


@pytest.mark.parametrize("kind", ["fan_fault", "overload", "battery_near_end_of_life", "avr_boost"])
def test_a_fault_whose_flag_is_gone_is_over(kind: str) -> None:
    board = told(kind)
    changes = ends(board, seen(board, unit(**WELL)))
    assert (said(changes)[-1], changes[-1].alert.condition, board.alerts) == ("resolved", kind, {})
    assert CATALOGUE[changes[-1].alert.stage].clears == kind


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        ("fan_fault", "fan"),
        ("overload", "output_overload"),
        ("battery_near_end_of_life", "battery_life_near_end_acknowledged"),
    ],
)
def test_a_fault_with_a_flag_that_keeps_it_on_goes_on(kind: str, flag: str) -> None:
    board = told(kind)
    assert Flag(flag) in Flag
    assert ends(board, seen(board, unit(state="online", flags=[flag]))) == []


def test_a_flag_that_the_unit_s_protocol_does_not_have_says_nothing() -> None:
    board = told("fan_fault")
    mute = IdentityBody(identity=Identity(serial="AS1", reported_flags=frozenset({Flag.OVERLOAD_STATE})))
    row = msgspec.structs.replace(unit(**WELL), identity=mute)
    assert ends(board, seen(board, row)) == []


@pytest.mark.parametrize("kind", ["communication_lost", "bypass"])
def test_a_unit_that_answers_is_lost_no_more_and_one_that_is_online_is_not_in_bypass(kind: str) -> None:
    board = told(kind)
    assert said(ends(board, seen(board, unit(**WELL))))[-1] == "resolved"


def outlets(*groups: tuple[int, bool | None]) -> list[dict[str, Any]]:
    return [{"index": index, **({} if on is None else {"on": on})} for index, on in groups]


def test_an_outlet_group_that_is_on_by_the_status_is_off_no_more_and_the_other_one_stays() -> None:
    board = Board(Terms(critical_after_s=86_400))
    for number, group in enumerate((1, 2), start=1):
        for one in sightings(event("outlet_group_off", number, ago(120), details={"group": group})):
            board.take(one, ago(120))
    changes = ends(board, seen(board, unit(**WELL, switched_outlets=outlets((1, False), (2, True)))))
    assert said(changes)[-1] == "resolved"
    assert (changes[-1].alert.condition, changes[-1].alert.stage) == ("outlet_group_off:2", "outlet_group_on")
    assert [alert.condition for alert in board.alerts.values()] == ["outlet_group_off:1"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"switched_outlets": outlets((2, False))}, id="it is off"),
        pytest.param({"switched_outlets": outlets((2, None))}, id="whether it is on is unknown"),
        pytest.param({"switched_outlets": outlets((1, True), (12, True))}, id="other groups are on"),
        pytest.param({}, id="no outlets are told"),
        pytest.param({"switched_outlets": []}, id="it has none any more"),
        pytest.param({"switched_outlets": "on"}, id="what is told are no outlets"),
        pytest.param({"main_outlet": {"index": 2, "on": True}}, id="the main group is no switched one"),
        pytest.param({"state": "off", "switched_outlets": outlets((2, True))}, id="the whole output is off"),
        pytest.param({"state": None, "switched_outlets": outlets((2, True))}, id="the unit's state is unknown"),
    ],
)
def test_an_outlet_group_that_may_be_off_stays_off(values: dict[str, Any]) -> None:
    board = told("outlet_group_off", group=2)
    assert ends(board, seen(board, unit(**(WELL | values)))) == []


def test_an_outlet_group_of_which_the_event_said_no_number_ends_by_its_event_alone() -> None:
    board = told("outlet_group_off")
    assert ends(board, seen(board, unit(**WELL, switched_outlets=outlets((0, True), (1, True))))) == []


@pytest.mark.parametrize(
    ("values", "more"),
    [
        pytest.param({"state": "on_battery", "flags": []}, {}, id="the state says that it lasts"),
        pytest.param({"state": "off", "flags": []}, {}, id="an output that is off is no end"),
        pytest.param({"flags": []}, {}, id="no state is told"),
        pytest.param({"state": "online"}, {}, id="flags are not told: there might be a countdown"),
        pytest.param({**WELL, "age_s": 100.0}, {}, id="the status is too old to say what is"),
        pytest.param({**WELL, "age_s": 60.0}, {}, id="it was read before the alert changed last"),
        pytest.param(WELL, {"full": 0}, id="no full report came yet, and what was reported by exception may be lost"),
        pytest.param(WELL, {"full": 1}, id="the full report is older than the event"),
        pytest.param(WELL, {"full_age_s": 5}, id="the event of the end may still be on its way"),
        pytest.param(
            {**WELL, "at": "2026-11-24T02:30:54Z", "full_at": "2026-11-24T02:29:50Z"},
            {},
            id="a fast reading renewed the state, and its other parts are older than the alert",
        ),
    ],
)
def test_what_may_not_be_over_goes_on(values: dict[str, Any], more: dict[str, Any]) -> None:
    board = told("on_battery", since_s=60)
    board.tick(ago(50))
    looked = seen(board, unit(**values), **more)
    assert look_for_lost_ends(looked, NOW) == ([], [])


def test_one_that_waits_for_its_backlogs_end_is_left_to_it() -> None:
    """S17: whatever is live may be of a later moment than the backlog is at."""
    board = Board(Terms())
    for one in sightings(event("on_battery", 1, ago(60), history=True)):
        board.take(one, ago(60))
    assert ends(board, seen(board, unit(**WELL))) == []


def test_the_real_end_that_comes_late_changes_nothing_more() -> None:
    board = told("fan_fault")
    ends(board, seen(board, unit(**WELL)))
    (late,) = (one for one in sightings(event("fan_fault_cleared", 99, NOW)))
    assert board.take(late, NOW + 20_000) == []
    (anew,) = sightings(event("fan_fault", 100, NOW))
    assert said(board.take(anew, NOW + 30_000)) == ["fired"]


def test_an_instant_without_a_zone_is_none() -> None:
    """S6: it is a gateway's word, and can't be compared with the others."""
    board = told("fan_fault")
    odd = unit(**WELL, at="2026-11-24T02:30:54Z", full_at="2026-11-24T02:29:50")
    assert said(ends(board, seen(board, odd)))[-1] == "resolved"


def test_a_unit_whose_status_can_t_be_judged_stops_no_other_unit_s_end() -> None:
    board = told("fan_fault")
    (good,) = board.alerts.values()
    bad = alert("fan_fault", Subject(Kind.UNIT, "pi/rack-0"), record=1, changed_at="lately")
    looked = world([unit("pi/rack-0", **WELL), unit(**WELL)], alerts=[bad, good])
    full = dict.fromkeys((UNIT, "pi/rack-0"), Full(record=90, received_at=ago(30)))
    found = look_for_lost_ends(
        msgspec.structs.replace(looked, heard=msgspec.structs.replace(looked.heard, full=full)), NOW
    )
    assert [str(one.subject) for one in found.sightings] == [f"unit:{UNIT}"]
    (failure,) = found.failures
    assert failure.who == "lost ends of pi/rack-0"
    assert failure.why.startswith("TypeError: ")
