"""Dates that come near, and tests that do not happen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.model import Alert, Seen, Sighting
from cloud_bridge.alerts.terms import Device
from cloud_bridge.alerts.watch import dates, tests
from cloud_bridge.alerts.watch.past import UnitPast
from drivers.ups import Severity
from tests.cloud_bridge.alerts.worlds import DAY_S, NOW, RACK, UNIT, ago, alert, device, directory, noted, unit, world

BATTERY, WARRANTY, OVERDUE = "battery_replacement_due", "warranty_expires", "self_test_overdue"
TODAY = date(2026, 11, 24)
INFO, WARNING = Severity.INFORMATIONAL, Severity.WARNING


def look(
    due_on: date | None = None,
    warranty: date | None = None,
    said_on: object = None,
    alerts: tuple[Alert, ...] = (),
    now: int = NOW,
    zone: str = "Europe/Berlin",
) -> list[Sighting]:
    known = directory([device(battery_due_on=due_on, warranty_until=warranty)], zone=zone)
    row = unit(replace_battery_on=said_on)
    return list(dates.sightings(world([row], known=known, alerts=alerts), now))


@pytest.mark.parametrize(
    ("days", "limit", "battery", "warranty"),
    [
        (91, None, None, None),
        (90, 90, INFO, INFO),
        (31, 90, INFO, INFO),
        (30, 30, INFO, INFO),
        (8, 30, INFO, INFO),
        (7, 7, WARNING, INFO),
        (1, 7, WARNING, INFO),
        (0, 0, WARNING, INFO),
        (-400, 0, WARNING, INFO),
    ],
    ids=[
        "91 days before nothing is said",
        "90 days before it is mentioned",
        "so it is until 31",
        "30 days before it is mentioned again",
        "so it is until 8",
        "a week before a battery is a warning",
        "so it is the day before",
        "and on the day",
        "and for as long as the date stays",
    ],
)
def test_what_is_said_how_long_before(
    days: int, limit: int | None, battery: Severity | None, warranty: Severity | None
) -> None:
    due_on = TODAY + timedelta(days=days)
    found = {each.condition: each for each in look(due_on, due_on)}
    assert {name: each.severity for name, each in found.items()} == (
        {BATTERY: battery, WARRANTY: warranty} if battery else {}
    )
    assert dates.limit_crossed(days) == limit
    assert all(each.details == {"due_on": due_on.isoformat(), "days_left": days} for each in found.values())


def test_each_limit_has_a_mark_of_its_own_and_every_day_between_two_the_same() -> None:
    due_on = TODAY + timedelta(days=92)
    marks = [look(due_on, now=NOW + day * 86_400_000)[0].mark for day in range(2, 120)]
    assert len(set(marks)) == 4
    assert marks == sorted(marks, key=marks.index)


def test_the_owners_word_goes_before_the_units() -> None:
    (found,) = look(TODAY + timedelta(days=20), said_on="2026-11-25")
    assert found.details["days_left"] == 20
    (found,) = look(said_on="2026-11-25")
    assert (found.details["days_left"], found.severity) == (1, WARNING)
    assert look(said_on="soon") == []


@pytest.mark.parametrize(
    ("due_on", "seen"),
    [(date(2027, 6, 1), Seen.ENDED), (None, Seen.ENDED), (date(2026, 12, 20), Seen.ENDED), (TODAY, Seen.BEGAN)],
    ids=["far away", "taken back", "a little later", "the same"],
)
def test_it_ends_when_the_date_moves(due_on: date | None, seen: Seen) -> None:
    open_ = (alert(BATTERY, details={"due_on": TODAY.isoformat()}),)
    assert [each.seen for each in look(due_on, alerts=open_)] == [seen]


def test_days_are_the_owners() -> None:
    late_evening = round(datetime(2026, 11, 24, 23, 30, tzinfo=UTC).timestamp() * 1000)
    due_on = date(2026, 11, 25)
    days = {
        zone: look(due_on, now=late_evening, zone=zone)[0].details["days_left"]
        for zone in ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "No/Where")
    }
    expected = {"UTC": 1, "Europe/Berlin": 0, "America/New_York": 1, "Pacific/Kiritimati": 0, "No/Where": 1}
    assert days == expected


def test_an_onset_is_the_beginning_of_the_owners_day() -> None:
    (found,) = look(TODAY, zone="Europe/Berlin")
    assert found.at == round(datetime(2026, 11, 23, 23, tzinfo=UTC).timestamp() * 1000)


def test_the_onset_is_the_day_on_which_the_limit_was_reached() -> None:
    (found,) = look(TODAY + timedelta(days=20), zone="UTC")
    assert found.at == round(datetime(2026, 11, 14, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("devices", [[], [device(owner=None)]], ids=["no device", "no owner"])
def test_a_unit_that_nobody_owns_yet_tells_its_own_date_by_utc(devices: list[Device]) -> None:
    seen = world([unit(replace_battery_on="2026-11-25")], known=directory(devices))
    assert [each.details["days_left"] for each in dates.sightings(seen, NOW)] == [1]


@given(st.dates(), st.integers(0, 4_102_444_800_000), st.sampled_from(["UTC", "America/St_Johns", "Asia/Kolkata"]))
def test_any_date_at_any_time_is_looked_at(due_on: date, now: int, zone: str) -> None:
    for found in look(due_on, due_on, now=now, zone=zone):
        assert found.at >= 0
        assert isinstance(left := found.details["days_left"], int)
        assert left <= 90


def overdue(
    every_days: int,
    newest: Mapping[str, object] | None = None,
    seen_s: float | None = 400 * DAY_S,
    alerts: tuple[Alert, ...] = (),
) -> list[Sighting]:
    seen = world(
        [unit()],
        past={UNIT: UnitPast(newest=newest or {})},  # type: ignore[arg-type]  # noted() is what the tests hand in
        first_seen={} if seen_s is None else {UNIT: ago(seen_s)},
        known=directory([device(test_every_days=every_days)]),
        alerts=alerts,
    )
    return list(tests.sightings(seen, NOW))


@pytest.mark.parametrize(
    ("every_days", "newest", "seen_s", "is_overdue"),
    [
        (14, {"self_test_passed": noted(1, 15 * DAY_S)}, 400 * DAY_S, True),
        (14, {"self_test_passed": noted(1, 13 * DAY_S)}, 400 * DAY_S, False),
        (14, {"self_test_failed": noted(1, 1 * DAY_S)}, 400 * DAY_S, False),
        (14, {"self_test_started": noted(1, 1 * DAY_S)}, 400 * DAY_S, False),
        (14, {"self_test_refused": noted(1, 1 * DAY_S)}, 400 * DAY_S, True),
        (14, {"calibration_passed": noted(1, 1 * DAY_S)}, 400 * DAY_S, True),
        (14, {}, 15 * DAY_S, True),
        (14, {}, 14 * DAY_S, True),
        (14, {}, 13 * DAY_S, False),
        (14, {}, None, False),
        (0, {}, 400 * DAY_S, False),
    ],
    ids=[
        "tested longer ago than expected",
        "tested in time",
        "a test that failed was one",
        "so was one whose result was not told",
        "one that was refused was none",
        "nor was a calibration",
        "never tested since it was first seen",
        "just as long as that",
        "not yet seen for so long",
        "never seen at all",
        "nobody expects tests",
    ],
)
def test_when_a_test_is_overdue(
    every_days: int, newest: Mapping[str, object], seen_s: float | None, is_overdue: bool
) -> None:
    assert [each.condition for each in overdue(every_days, newest, seen_s)] == ([OVERDUE] if is_overdue else [])
    held = [each.seen for each in overdue(every_days, newest, seen_s, (alert(OVERDUE),))]
    assert held == [Seen.BEGAN if is_overdue else Seen.ENDED]


def test_an_overdue_test_began_when_it_was_due_and_keeps_its_mark() -> None:
    newest = {"self_test_passed": noted(1, 15 * DAY_S)}
    (found,), (again,) = overdue(14, newest), overdue(14, newest, seen_s=5)
    assert (found.subject, found.at, found.mark) == (RACK, ago(DAY_S), again.mark)
    assert found.details == {"last_test_at": "2026-11-09T02:30:55.000Z", "every_days": 14}
