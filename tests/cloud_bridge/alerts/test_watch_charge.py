"""A charge that falls under the owner's limit while an outage lasts (S22)."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import sightings
from cloud_bridge.alerts.model import Alert, What
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.alerts.watch import charge
from drivers.ups import Severity
from tests.cloud_bridge.alerts.boards import event
from tests.cloud_bridge.alerts.worlds import NOW, gateway, unit, world

TERMS = Terms(critical_after_s=86_400, critical_below_pct=50)


def outage(*kinds: str) -> Board:
    board = Board(TERMS)
    for number, kind in enumerate(kinds, start=1):
        board.take(sightings(event(kind, number, NOW - 60_000, details={"charge_pct": 90}))[0], NOW - 60_000)
    board.tick(NOW - 45_000)
    return board


def only(board: Board) -> Alert:
    [alert] = board.alerts.values()
    return alert


def test_s22_an_outage_becomes_critical_when_a_status_says_less_than_half_a_charge() -> None:
    board = outage("on_battery")
    seen = list(charge.sightings(world([unit(charge_pct=48)], alerts=board.alerts.values()), NOW))
    [change] = [change for one in seen for change in board.take(one, NOW)]
    assert (change.what, change.alert.severity, change.reason) == (
        What.GREW,
        Severity.CRITICAL,
        "charge 48 %, under 50 %",
    )
    assert [change for one in seen for change in board.take(one, NOW + 1)] == []
    assert list(charge.sightings(world([unit(charge_pct=47)], alerts=board.alerts.values()), NOW)) == []


@pytest.mark.parametrize(
    ("kinds", "values"),
    [
        (["on_battery"], {"charge_pct": 50}),
        (["on_battery"], {}),
        (["on_battery"], {"charge_pct": "low"}),
        (["on_battery"], {"charge_pct": 10, "age_s": 120.0}),
        (["on_battery", "mains_restored"], {"charge_pct": 10}),
        (["shutdown_imminent"], {"charge_pct": 10}),
        (["on_battery", "low_battery"], {"charge_pct": 10}),
        (["overload"], {"charge_pct": 10}),
        ([], {"charge_pct": 10}),
    ],
    ids=[
        "half a charge is enough",
        "a unit that does not report its charge says nothing of it",
        "what is no number is no charge",
        "a status of two minutes ago says what was",
        "mains that are back are no outage",
        "a countdown on mains is not on battery",
        "what is critical already is not told again",
        "another condition has nothing to do with it",
        "without an outage a low charge is none",
    ],
)
def test_what_makes_no_outage_critical(kinds: list[str], values: dict[str, Any]) -> None:
    board = outage(*kinds)
    assert list(charge.sightings(world([unit(**values)], alerts=board.alerts.values()), NOW)) == []


def test_a_unit_whose_gateway_is_not_heard_says_nothing_of_its_charge() -> None:
    silent = world([unit(charge_pct=10)], [gateway(silent_s=600)], alerts=outage("on_battery").alerts.values())
    assert list(charge.sightings(silent, NOW)) == []


def test_an_alert_whose_unit_is_not_known_is_left_alone() -> None:
    board = outage("on_battery")
    assert list(charge.sightings(world([], alerts=board.alerts.values()), NOW)) == []
    assert only(board).severity is Severity.WARNING
