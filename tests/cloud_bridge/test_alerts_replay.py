"""The telemetry database was restored: what is read again is told once, and what is new is told."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.model import Alert, Change, Phase, Seen, Sighting, Subject, What, unit_of
from cloud_bridge.alerts.replay import Merged, by_condition, merged
from cloud_bridge.alerts.terms import Terms
from drivers.ups import Severity

NOW = 1_795_487_455_000
TERMS = Terms(on_battery_hold_s=0, end_hold_s=0, flap_changes=100)
UNIT = unit_of("pi-a", "rack-1")


def fan(number: int, record: int, *, ends: bool = False) -> Sighting:
    """A fan's fault, or its end; `number` names it, `record` is where it stands in the database."""
    return Sighting(
        subject=UNIT,
        condition="fan_fault",
        seen=Seen.ENDED if ends else Seen.BEGAN,
        stage="fan_fault_cleared" if ends else "fan_fault",
        severity=Severity.WARNING,
        at=NOW,
        mark=f"pi-a/events/aa/{number}",
        record=record,
    )


def read(*seen: Sighting) -> dict[tuple[Subject, str], Alert]:
    """The newest alerts after these, by a board of its own."""
    board, newest = Board(TERMS), list[Alert]()
    for number, one in enumerate(seen):
        newest += [change.alert for change in (*board.take(one, NOW + number), *board.tick(NOW + number))]
    return by_condition(newest)


def merge(before: Iterable[Sighting], again: Iterable[Sighting]) -> Merged:
    registry, replayed = read(*before), read(*again)
    known = {change.id for change in registry.values()}
    fresh = {key: alert for key, alert in replayed.items() if alert.id not in known}
    return merged({**registry, **fresh} if fresh and not registry else registry, replayed, known, NOW + 100)


def whats(changes: Iterable[Change]) -> list[What]:
    return [change.what for change in changes]


def test_what_both_know_goes_on_as_the_registry_has_it_by_the_new_rows_numbers() -> None:
    both = merge([fan(1, 100)], [fan(1, 7)])
    (alert,) = both.newest
    assert (alert.phase, alert.record, both.changes) == (Phase.FIRING, 7, ())
    assert whats(Board(TERMS, both.newest).take(fan(2, 8, ends=True), NOW + 200)) == [What.RESOLVED]


def test_an_end_that_is_in_the_restored_database_alone_is_told() -> None:
    both = merge([fan(1, 100)], [fan(1, 7), fan(2, 8, ends=True)])
    assert whats(both.changes) == [What.RESOLVED]
    assert [alert.phase for alert in both.newest] == [Phase.RESOLVED]


def test_an_end_that_has_just_been_read_and_is_held_is_told_when_it_has_lasted() -> None:
    registry = read(fan(1, 100))
    board, newest = Board(Terms(end_hold_s=5)), dict[tuple[Subject, str], Alert]()
    for one in (fan(1, 7), fan(2, 8, ends=True)):
        newest |= by_condition(change.alert for change in board.take(one, NOW + 100))
    both = merged(registry, newest, {alert.id for alert in registry.values()}, NOW + 200)
    assert both.changes == ()
    assert whats(Board(Terms(end_hold_s=5), both.newest).tick(NOW + 5100)) == [What.RESOLVED]


def test_an_alert_that_the_restored_database_does_not_have_stays_as_it_was() -> None:
    both = merge([fan(1, 100)], [])
    (alert,) = both.newest
    assert (alert.phase, alert.record, both.changes) == (Phase.FIRING, 0, ())
    assert whats(Board(TERMS, both.newest).take(fan(2, 3, ends=True), NOW + 200)) == [What.RESOLVED]


def test_an_alert_whose_end_has_not_been_sent_again_yet_does_not_begin_anew() -> None:
    both = merge([fan(1, 100), fan(2, 101, ends=True)], [fan(1, 7)])
    (alert,) = both.newest
    assert (alert.phase, both.changes) == (Phase.RESOLVED, ())


def test_an_alert_that_is_new_is_the_newest_and_what_was_open_before_it_is_over() -> None:
    both = merge([fan(1, 100)], [fan(1, 7), fan(2, 8, ends=True), fan(3, 9)])
    (alert,) = both.newest
    assert (alert.mark, alert.phase) == ("pi-a/events/aa/3", Phase.FIRING)
    assert [(change.what, change.alert.mark) for change in both.changes] == [(What.RESOLVED, "pi-a/events/aa/1")]


@pytest.mark.parametrize("phase", list(Phase), ids=[f"{phase}" for phase in Phase])
def test_nothing_changes_where_both_are_the_same(phase: Phase) -> None:
    seen = {Phase.FIRING: [fan(1, 5)], Phase.RESOLVED: [fan(1, 5), fan(2, 6, ends=True)], Phase.PENDING: []}[phase]
    both = merge(seen, seen)
    assert not both.changes
    assert by_condition(both.newest) == read(*seen)
