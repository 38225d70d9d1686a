"""Whether what was stored is what happened: the judge of every end-to-end run must not be fooled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drivers.ups import Flag, State
from simulator.history import Change, Kind
from simulator.rig.truth import (
    Happened,
    Legs,
    Stored,
    legs,
    match,
    out_of_order,
    risings,
    surplus,
    transfers,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
STREAM = "00c0ffee00c0ffee"


def after(milliseconds: float) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def change(number: int, kind: Kind, name: str, old: object, new: object) -> Change:
    return Change(number=number, at=after(1000 * number), kind=kind, name=name, old=old, new=new)  # type: ignore[arg-type]  # any value a history may hold


def stored(seq: int, kind: str, at_ms: float, unit: str = "rack-1") -> Stored:
    return Stored(
        gateway="demo",
        unit=unit,
        lane="events",
        stream=STREAM,
        seq=seq,
        type=kind,
        severity="warning",
        at=after(at_ms),
        sent_at=after(at_ms + 2),
        received_at=after(at_ms + 5),
        stored_at=after(at_ms + 9),
        read_ms=30.0,
    )


OUTAGE = [Happened("rack-1", "on_battery", after(1000)), Happened("rack-1", "mains_restored", after(5000))]


def test_a_transfer_and_its_return_are_read_from_a_history() -> None:
    changes = [
        change(1, Kind.STATE, "state", State.ONLINE, State.ON_BATTERY),
        change(2, Kind.FLAG, Flag.FAN, False, True),
        change(5, Kind.STATE, "state", State.ON_BATTERY, State.ONLINE),
    ]
    assert transfers("rack-1", changes) == OUTAGE


def test_going_from_battery_to_off_is_no_return_of_the_mains() -> None:
    changes = [
        change(1, Kind.STATE, "state", State.ON_BATTERY, State.OFF),
        change(2, Kind.STATE, "state", State.OFF, State.ONLINE),
    ]
    assert transfers("rack-1", changes) == []


def test_the_rise_and_fall_of_a_flag_are_two_events() -> None:
    changes = [
        change(1, Kind.FLAG, Flag.FAN, False, True),
        change(2, Kind.FLAG, Flag.CHARGER, False, True),
        change(3, Kind.FLAG, Flag.FAN, True, False),
    ]
    found = risings("rack-1", changes, {Flag.FAN: ("fan_fault", "fan_fault_cleared")})
    assert [(each.type, each.at) for each in found] == [
        ("fan_fault", after(1000)),
        ("fan_fault_cleared", after(3000)),
    ]


def test_what_was_not_stored_has_no_partner() -> None:
    pairs = match(OUTAGE, [stored(1, "on_battery", 1100)])
    assert [pair.stored is None for pair in pairs] == [False, True]


def test_an_event_stored_twice_is_surplus() -> None:
    events = [stored(1, "on_battery", 1100), stored(2, "on_battery", 1200), stored(3, "mains_restored", 5100)]
    assert [event.seq for event in surplus(OUTAGE, events)] == [2]


def test_an_event_of_another_unit_stands_in_for_nobody() -> None:
    events = [stored(1, "on_battery", 1100, unit="rack-2")]
    assert match(OUTAGE, events)[0].stored is None
    assert [event.seq for event in surplus(OUTAGE, events)] == [1]


def test_an_event_behind_a_later_one_of_its_unit_is_out_of_order() -> None:
    events = [stored(1, "mains_restored", 5000), stored(2, "on_battery", 1000), stored(3, "on_battery", 900, "rack-2")]
    assert [event.seq for event in out_of_order(events)] == [2]


def test_the_legs_of_an_event_add_up_to_its_whole_lateness() -> None:
    (pair, _) = match(OUTAGE, [stored(1, "on_battery", 1100)])
    found = legs(pair)
    assert found == Legs(wait=70.0, read=30.0, outbox=2.0, broker=3.0, ingest=4.0)
    assert found.total == pytest.approx(109.0)
    assert found.carried == pytest.approx(39.0)
