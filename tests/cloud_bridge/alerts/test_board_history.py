"""Backlogs (S17): what a gateway kept while it was not heard."""

from __future__ import annotations

import pytest

from cloud_bridge.alerts.model import Phase
from cloud_bridge.alerts.timing import PATIENCE_S
from drivers.ups import Severity
from tests.cloud_bridge.alerts.boards import Watched, instant, seen

DAY_S = 86_400.0


def test_s17_what_is_still_so_at_the_end_of_a_backlog_alerts_at_once_however_old() -> None:
    unit = Watched()
    assert unit.tells(0, "on_battery", history=True, clock_off_s=2 * DAY_S) == ["opened"]
    assert (unit.last.phase, unit.last.fires_at) == (Phase.PENDING, None)
    assert unit.waits(120) == []
    assert unit.backlog_over(120) == ["fired"]
    assert unit.last.severity is Severity.CRITICAL
    assert unit.reasons == [
        "on battery, and still so at the end of the gateway's backlog; on battery for 5 min",
    ]


def test_s17_what_began_and_ended_in_a_backlog_gives_one_summary() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", history=True, clock_off_s=900)
    unit.tells(0, "low_battery", history=True, clock_off_s=500)
    unit.tells(0, "mains_restored", history=True, clock_off_s=300)
    assert unit.said == []
    assert unit.backlog_over(1) == ["summary"]
    assert (unit.last.phase, unit.last.stage, unit.last.worst) == (
        Phase.RESOLVED,
        "low_battery",
        Severity.CRITICAL,
    )
    assert unit.reasons == ["low battery: it came and went while the gateway was not heard"]
    assert "times" not in unit.last.details
    assert (unit.backlog_over(2), unit.waits(10_000)) == ([], [])


def test_s17_several_outages_of_one_backlog_are_one_summary_that_counts_them() -> None:
    unit = Watched()
    for hour in range(7):
        unit.tells(0, "on_battery", history=True, clock_off_s=(20 - hour) * 3600)
        unit.tells(0, "mains_restored", history=True, clock_off_s=(20 - hour) * 3600 - 60)
    unit.backlog_over(1)
    assert unit.said == ["summary"]
    assert unit.last.details["times"] == 7
    assert unit.reasons == ["on battery: it came and went 7 times while the gateway was not heard"]


@pytest.mark.parametrize("restarts", [False, True], ids=["without a restart", "with a restart"])
def test_s17_one_that_goes_on_after_others_ended_is_told_and_the_others_are_counted(restarts: bool) -> None:
    unit = Watched()
    unit.tells(0, "low_battery", history=True, clock_off_s=40)
    for kind in ("mains_restored", "low_battery_cleared", "on_battery", "mains_restored", "on_battery"):
        unit.tells(0, kind, history=True, clock_off_s=30)
    assert unit.backlog_over(1) == ["fired", "summary"]
    summary, [going_on] = unit.last, unit.open_ones
    assert (summary.phase, summary.stage, summary.severity) == (Phase.RESOLVED, "low_battery", Severity.CRITICAL)
    assert (summary.open, summary.details["times"]) == ({}, 2)
    assert (going_on.phase, going_on.mark, going_on.number) == (Phase.FIRING, "pi/events/5/6", 1)
    assert (going_on.onset_at, going_on.times, going_on.worst) == (instant(-30), 0, Severity.WARNING)
    if restarts:
        unit.restarts()
    unit.tells(60, "mains_restored")
    unit.waits(70)
    assert unit.said == ["fired", "summary", "resolved"]


def test_s17_what_was_worse_in_a_backlog_and_nobody_was_told_is_news_when_it_comes_again() -> None:
    unit = Watched()
    for kind in ("on_battery", "low_battery", "low_battery_cleared"):
        unit.tells(0, kind, history=True)
    assert unit.backlog_over(1) == ["fired"]
    assert (unit.last.severity, unit.last.worst) == (Severity.WARNING, Severity.WARNING)
    assert unit.tells(9, "low_battery") == ["grew"]


def test_s17_a_live_record_of_the_same_condition_shows_that_the_backlog_is_over() -> None:
    unit = Watched()
    unit.tells(0, "overload", history=True)
    assert unit.tells(5, "overload_cleared") == ["fired", "updated"]
    assert unit.waits(10) == ["resolved"]
    assert unit.backlog_over(11) == []


def test_s17_a_backlog_grows_an_alert_that_was_told_before_it_and_ends_it() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.waits(20)
    assert unit.tells(200, "low_battery", history=True) == ["grew"]
    assert unit.tells(200, "mains_restored", history=True) == ["resolved"]
    assert unit.reasons[-1] == "mains restored while the gateway was not heard"
    assert unit.tells(200, "on_battery", history=True) == ["opened"]
    assert unit.tells(200, "mains_restored", history=True) == ["updated"]
    assert unit.backlog_over(201) == ["summary"]


def test_s17_a_moment_of_a_backlog_is_told_at_its_end_once() -> None:
    unit = Watched()
    unit.tells(0, "gateway_cloned", history=True)
    unit.tells(0, "gateway_cloned", history=True)
    assert unit.said == []
    assert unit.backlog_over(3) == ["summary"]
    assert (unit.last.severity, unit.last.details["times"]) == (Severity.CRITICAL, 2)


def test_s17_the_end_of_one_gateways_backlog_is_no_other_gateways() -> None:
    unit = Watched()
    unit.tells(0, "overload", history=True)
    assert unit.board.backlog_over("pi-2", instant(1)) == []
    assert unit.backlog_over(1) == ["fired"]


def test_s17_outages_of_a_backlog_do_not_make_a_unit_unstable() -> None:
    unit = Watched()
    for _ in range(10):
        unit.tells(0, "on_battery", history=True)
        unit.tells(0, "mains_restored", history=True)
    unit.backlog_over(1)
    unit.tells(60, "on_battery")
    assert unit.waits(70) == ["fired"]


def test_s17_the_clock_of_a_backlog_that_was_never_set_makes_no_outage_of_fifty_years() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", history=True, clock_off_s=50 * 365 * DAY_S)
    unit.backlog_over(1)
    assert unit.last.severity is Severity.WARNING
    assert unit.waits(300) == ["grew"]


def test_a_backlog_whose_end_never_comes_does_not_silence_what_it_told() -> None:
    unit = Watched()
    unit.tells(0, "low_battery", history=True)
    assert unit.waits(PATIENCE_S - 1) == []
    assert unit.waits(PATIENCE_S) == ["fired"]


def test_a_watcher_does_not_end_the_waiting_for_a_backlog() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", history=True)
    assert unit.sees(1, seen(1, "outage", "look", stage="on_battery", details={"charge_pct": 20})) == []
    assert unit.said == []


def test_a_backlog_survives_a_restart_in_its_middle() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", history=True)
    unit.tells(0, "mains_restored", history=True)
    unit.restarts()
    unit.tells(1, "on_battery", history=True)
    unit.tells(1, "mains_restored", history=True)
    unit.restarts()
    assert unit.backlog_over(2) == ["summary"]
    assert unit.last.details["times"] == 2


def test_s17_a_clock_that_is_ahead_does_not_put_off_what_becomes_critical() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", history=True, clock_off_s=-7200)
    unit.backlog_over(1)
    assert unit.waits(300) == ["grew"]


def test_s17_returns_that_a_backlog_tells_do_not_make_an_alert_unstable_that_was_told_before() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.waits(20)
    for number in range(6):
        unit.tells(20 + number, "mains_restored")
        assert unit.tells(20.5 + number, "on_battery", history=True) == ["updated"]
    assert unit.said == ["fired"]


def test_s17_an_onset_that_a_backlog_tells_of_what_is_open_is_told_to_nobody() -> None:
    unit = Watched()
    unit.tells(0, "overload")
    assert unit.tells(1, "overload", history=True) == []
    waiting = Watched()
    waiting.tells(0, "overload", history=True)
    assert waiting.tells(0, "overload", history=True) == []


def test_an_end_without_its_onset_is_nothing() -> None:
    unit = Watched()
    assert unit.tells(0, "mains_restored", history=True) == []
    assert unit.tells(1, "mains_restored") == []
