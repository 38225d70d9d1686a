"""What a board makes of what a unit tells while its gateway is heard."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import sightings
from cloud_bridge.alerts.model import Phase, Seen, What, alert_id, unit_of
from cloud_bridge.alerts.terms import Terms
from drivers.ups import CATALOGUE, Severity
from tests.cloud_bridge.alerts.boards import RACK, START, Watched, event, instant, seen

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATIONAL


def test_s22_on_battery_is_told_after_ten_seconds() -> None:
    unit = Watched()
    assert unit.tells(0, "on_battery", charge_pct=100) == ["opened"]
    assert (unit.last.phase, unit.last.fires_at) == (Phase.PENDING, instant(10))
    assert unit.waits(9.999) == []
    assert unit.waits(10) == ["fired"]
    assert (unit.last.phase, unit.last.fired_at, unit.reasons) == (Phase.FIRING, instant(10), ["on battery for 10 s"])


def test_s22_an_outage_of_nine_seconds_is_told_to_nobody() -> None:
    unit = Watched()
    unit.tells(0, "on_battery")
    assert unit.tells(9, "mains_restored") == ["dropped"]
    assert unit.waits(3600) == []
    assert (unit.last.phase, unit.said) == (Phase.RESOLVED, [])


def test_an_outage_is_one_alert_from_the_mains_failing_to_the_output_being_on_again() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.tells(200, "low_battery", charge_pct=60)
    unit.tells(260, "output_off", charge_pct=55)
    unit.tells(900, "mains_restored")
    assert unit.open_ones[0].stage == "output_off"
    unit.tells(910, "output_on")
    unit.waits(1000)
    assert unit.said == ["fired", "grew", "grew", "resolved"]
    assert unit.reasons == [
        "on battery for 10 s",
        "low battery, after on battery",
        "output off, after low battery",
        "output on after 15 min 10 s",
    ]
    assert {change.alert.id for change in unit.changes} == {alert_id(RACK, "outage", "pi/events/5/1")}
    assert [change.alert.number for change in unit.changes] == list(range(1, len(unit.changes) + 1))
    assert (unit.last.worst, unit.last.phase, unit.open_ones) == (CRITICAL, Phase.RESOLVED, [])


def test_an_outage_keeps_the_cause_of_its_beginning_and_lasts_from_its_newest_onset() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", cause="low_input_voltage")
    unit.tells(12, "mains_restored", lasted_s=12, cause="acceptable_input")
    assert unit.last.details == {"lasted_s": 12, "cause": "low_input_voltage"}
    unit.tells(14, "on_battery", cause="high_input_voltage")
    assert unit.last.details == {"cause": "high_input_voltage"}
    unit.tells(20, "mains_restored", lasted_s=6, cause="acceptable_input")
    unit.waits(30)
    assert unit.last.phase is Phase.RESOLVED
    assert unit.last.details == {"lasted_s": 6, "cause": "high_input_voltage"}


@pytest.mark.parametrize("stage", ["low_battery", "output_off", "shutdown_imminent"])
def test_what_is_worse_than_on_battery_is_told_at_once_whatever_is_pending(stage: str) -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    assert unit.tells(2, stage) == ["fired"]
    assert (unit.last.severity, unit.last.stage) == (CATALOGUE[stage].severity, stage)
    assert unit.waits(299) == []


@pytest.mark.parametrize("stage", ["low_battery", "output_off", "shutdown_imminent"])
def test_what_is_worse_than_on_battery_is_told_at_once_without_it(stage: str) -> None:
    assert Watched().tells(0, stage) == ["fired"]


def test_s22_on_battery_for_five_minutes_is_critical() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.waits(299.999)
    assert (unit.said, unit.last.severity) == (["fired"], WARNING)
    assert unit.waits(300) == ["grew"]
    assert (unit.last.severity, unit.reasons[-1]) == (CRITICAL, "on battery for 5 min")
    assert unit.waits(10_000) == []


def test_s22_on_battery_under_half_a_charge_is_critical_as_soon_as_it_is_told() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=49.5)
    unit.waits(10)
    assert unit.last.severity is CRITICAL
    assert unit.reasons == ["on battery for 10 s; charge 49.5 %, under 50 %"]


def test_s22_a_charge_that_falls_under_half_makes_a_told_outage_critical() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.waits(20)
    assert unit.sees(30, seen(30, "outage", "look", stage="on_battery", details={"charge_pct": 50})) == []
    assert unit.sees(40, seen(40, "outage", "look", stage="on_battery", details={"charge_pct": 48})) == ["grew"]
    assert unit.reasons[-1] == "charge 48 %, under 50 %"
    assert unit.sees(50, seen(50, "outage", "look", stage="on_battery", details={"charge_pct": 47})) == []


def test_a_stage_that_eases_is_told_to_nobody_and_coming_back_to_it_is_no_news() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.tells(20, "low_battery")
    assert unit.tells(40, "low_battery_cleared") == ["eased"]
    assert (unit.last.stage, unit.last.severity, unit.last.worst) == ("on_battery", WARNING, CRITICAL)
    assert unit.tells(60, "low_battery") == ["updated"]
    assert unit.last.severity is CRITICAL


def test_mains_that_are_back_end_a_low_battery_before_the_gateway_says_so() -> None:
    unit = Watched()
    unit.tells(0, "on_battery")
    unit.tells(20, "low_battery")
    unit.tells(30, "mains_restored")
    assert unit.waits(35) == ["resolved"]
    assert unit.tells(40, "low_battery_cleared") == []


def test_an_end_is_told_when_it_has_lasted() -> None:
    unit = Watched(Terms(end_hold_s=5))
    unit.tells(0, "on_battery")
    assert unit.tells(60, "mains_restored") == ["fired", "updated"]
    assert (unit.last.phase, unit.last.ends_at) == (Phase.FIRING, instant(65))
    assert unit.waits(64.999) == []
    assert unit.waits(65) == ["resolved"]
    assert (unit.last.stage, unit.reasons[-1]) == ("mains_restored", "mains restored after 1 min")


def test_mains_that_fail_again_before_their_return_was_told_make_no_second_alert() -> None:
    unit = Watched()
    unit.tells(0, "on_battery")
    unit.tells(60, "mains_restored")
    assert unit.tells(63, "on_battery") == ["updated"]
    assert (unit.last.ends_at, unit.last.stage) == (None, "on_battery")
    unit.tells(120, "mains_restored")
    unit.waits(200)
    assert unit.said == ["fired", "resolved"]


def test_without_a_hold_an_end_is_told_at_once() -> None:
    unit = Watched(Terms(on_battery_hold_s=0, end_hold_s=0))
    assert unit.tells(0, "on_battery") == ["fired"]
    assert unit.tells(1, "mains_restored") == ["resolved"]


def test_another_onset_is_another_alert() -> None:
    unit = Watched()
    unit.tells(0, "overload")
    unit.tells(10, "overload_cleared")
    unit.tells(100, "overload")
    assert len({change.alert.id for change in unit.changes}) == 2
    assert unit.said == ["fired", "resolved", "fired"]


def test_conditions_of_one_unit_are_alerts_of_their_own() -> None:
    unit = Watched()
    unit.tells(0, "on_battery")
    unit.tells(0, "overload")
    unit.tells(0, "outlet_group_off", group=1)
    unit.tells(0, "outlet_group_off", group=2)
    unit.tells(5, "outlet_group_on", group=1)
    unit.waits(10)
    assert sorted(alert.condition for alert in unit.open_ones) == ["outage", "outlet_group_off:2", "overload"]


def test_a_moment_is_told_once_and_needs_no_resolve() -> None:
    unit = Watched()
    assert unit.tells(0, "unit_restarted") == ["fired"]
    assert (unit.last.phase, unit.last.number, unit.last.resolved_at) == (Phase.RESOLVED, 1, instant(0))
    assert unit.tells(5, "unit_restarted") == ["fired"]
    assert (unit.waits(10_000), unit.board.due_at(), dict(unit.board.alerts)) == ([], None, {})


def test_a_failed_test_is_over_with_the_next_that_passes() -> None:
    unit = Watched()
    assert unit.tells(0, "self_test_failed") == ["fired"]
    assert unit.tells(9000, "self_test_passed") == ["updated", "fired"]
    assert unit.waits(9010) == ["resolved"]


@pytest.mark.parametrize("clock_off_s", [-7200, 0, 90, 800_000_000], ids=["ahead", "right", "behind", "unset"])
def test_s17_a_live_record_alerts_whatever_its_clock_says(clock_off_s: float) -> None:
    unit = Watched()
    unit.tells(0, "on_battery", clock_off_s=clock_off_s, charge_pct=100)
    assert unit.waits(10) == ["fired"]
    assert (unit.last.severity, unit.waits(300)) == (WARNING, ["grew"])


def test_a_repeated_record_changes_nothing() -> None:
    board = Board(Terms())
    rows = [event("on_battery", 1), event("low_battery", 2), event("mains_restored", 3), event("on_battery", 4)]
    for row in rows:
        assert board.take(sightings(row)[0], START)
    assert [board.take(sightings(row)[0], START) for row in rows] == [[], [], [], []]


def test_an_onset_whose_predecessors_end_was_lost_is_told_again() -> None:
    unit = Watched()
    unit.tells(0, "output_off")
    assert unit.tells(86_400, "output_off") == ["grew"]
    assert unit.reasons[-1] == "output off anew: the last one's end was never heard of"
    unit.tells(86_460, "output_on")
    unit.waits(86_500)
    assert unit.said == ["fired", "grew", "resolved"]


def test_what_a_watcher_sees_again_and_again_is_one_alert() -> None:
    unit = Watched()
    assert unit.sees(0, seen(0, "gateway_lost", "since 0", subject=unit_of("pi", ""))) == ["opened"]
    assert unit.last.fires_at == instant(600)
    assert unit.sees(5, seen(0, "gateway_lost", "since 0", subject=unit_of("pi", ""))) == []
    assert unit.waits(600) == ["fired"]
    assert unit.sees(605, seen(0, "gateway_lost", "since 0", subject=unit_of("pi", ""))) == []
    assert unit.last.severity is WARNING


def test_what_a_watcher_saw_before_an_end_does_not_begin_it_again() -> None:
    unit = Watched()
    ended = seen(20, "clock_wrong", "end 1", what=Seen.ENDED)
    for second, sighting in enumerate([seen(0, "clock_wrong", "one"), ended, seen(25, "clock_wrong", "two")]):
        unit.sees(second * 10, sighting)
    assert unit.said == ["fired", "resolved", "fired"]
    assert unit.sees(30, seen(0, "clock_wrong", "one")) == []
    assert unit.sees(31, ended) == []
    assert unit.open_ones[0].mark == "two"


def test_a_watchers_hold_goes_before_the_terms() -> None:
    unit = Watched()
    unit.sees(0, seen(0, "reading_out_of_range:3", "r", hold_s=60))
    assert unit.waits(59.9) == []
    assert unit.waits(60) == ["fired"]


def test_a_date_is_told_again_at_each_limit_and_a_limit_once() -> None:
    unit = Watched()
    days = [seen(0, "battery_replacement_due", f"in {days}", severity=INFO) for days in (90, 30)]
    late = seen(0, "battery_replacement_due", "in 7", severity=WARNING)
    assert [unit.sees(second, one) for second, one in enumerate([*days, late])] == [["fired"], ["grew"], ["grew"]]
    assert [unit.sees(10, one) for one in [*days, late]] == [[], [], []]


def test_an_incident_that_gets_more_members_is_kept_with_them_but_not_told_again() -> None:
    unit = Watched()
    unit.sees(0, seen(0, "site_outage", "s", details={"members": "a, b"}))
    assert unit.sees(1, seen(0, "site_outage", "s", details={"members": "a, b, c"})) == ["updated"]
    assert unit.sees(2, seen(0, "site_outage", "s", details={"members": "a, b, c"})) == []
    assert unit.last.details == {"members": "a, b, c"}


def test_s22_a_site_on_battery_for_five_minutes_is_critical_so_that_it_covers_its_units() -> None:
    unit = Watched()
    unit.sees(0, seen(0, "site_outage", "s"))
    assert unit.waits(300) == ["grew"]
    assert unit.sees(310, seen(0, "site_outage", "s")) == []
    assert unit.last.severity is CRITICAL


def test_details_of_an_alert_are_kept_up_to_a_number() -> None:
    unit = Watched()
    unit.tells(0, "on_battery")
    for second in range(1, 101):
        kind = "low_battery" if second % 2 else "low_battery_cleared"
        more: dict[str, Any] = {f"name_{second}": second}
        unit.tells(second, kind, **more)
    assert [unit.last.details.get(name) for name in ("name_100", "name_37", "name_36")] == [100, 37, None]
    assert len(unit.last.details) == 64


def test_people_acknowledge_assign_and_note_what_is_open() -> None:
    unit = Watched()
    unit.tells(0, "overload")
    [one] = unit.board.alerts
    [seen_by] = unit.board.acknowledge(one, "ann", instant(5))
    assert (seen_by.what, seen_by.alert.acknowledged_by, seen_by.reason) == (
        What.ACKNOWLEDGED,
        "ann",
        "acknowledged by ann",
    )
    assert unit.board.acknowledge(one, "bob", instant(6)) == []
    [given] = unit.board.assign(one, "bob", "ann", instant(7))
    assert (given.alert.assigned_to, given.by, given.reason) == ("bob", "ann", "assigned to bob by ann")
    assert unit.board.assign(one, "bob", "ann", instant(7)) == []
    [noted] = unit.board.note(one, "the \x1b[31mnew\r\n heater", "bob", instant(8))
    assert (noted.what, noted.reason, noted.alert.number) == (What.NOTED, "the [31mnew heater", 4)
    assert unit.board.alerts[one].acknowledged_at == instant(5)


def test_nobody_acknowledges_what_is_over_or_never_was() -> None:
    unit = Watched()
    unit.tells(0, "unit_restarted")
    assert unit.board.acknowledge(unit.last.id, "ann", START) == []
    assert unit.board.note("0" * 32, "?", "ann", START) == []


def test_a_record_that_a_gateway_sent_again_after_a_restore_is_known_by_its_mark() -> None:
    unit = Watched()
    unit.tells(0, "overload")
    again = msgspec.structs.replace(event("overload", 1), id=50)
    assert unit.sees(10, sightings(again)[0]) == []
    unit.tells(20, "overload_cleared")
    unit.waits(30)
    assert unit.sees(40, sightings(again)[0]) == []


def test_a_board_made_of_alerts_in_any_order_goes_by_the_newest() -> None:
    unit = Watched()
    for second in range(3):
        unit.tells(second, "unit_restarted")
    kept = [change.alert for change in unit.changes]
    for order in (kept, kept[::-1]):
        assert Board(Terms(), order).take(sightings(event("unit_restarted", 3))[0], instant(9)) == []


def test_what_a_watcher_says_again_while_an_end_is_held_is_a_repeat() -> None:
    unit = Watched()
    unit.sees(0, seen(0, "clock_wrong", "one"))
    assert unit.sees(1, seen(1, "clock_wrong", "end", what=Seen.ENDED)) == ["updated"]
    assert unit.sees(2, seen(0, "clock_wrong", "one")) == []
    assert unit.sees(3, seen(3, "clock_wrong", "another end", what=Seen.ENDED)) == []
    assert unit.waits(6) == ["resolved"]


def test_an_end_of_what_is_not_open_changes_nothing() -> None:
    unit = Watched()
    unit.tells(0, "on_battery")
    unit.waits(20)
    assert unit.tells(30, "output_on") == []
    assert unit.last.stage == "on_battery"


def test_what_a_pending_alert_was_before_anybody_heard_of_it_is_news_when_it_comes_again() -> None:
    unit = Watched()
    grave, light = (
        seen(0, "reading_out_of_range:1", "r", severity=severity, hold_s=60) for severity in (CRITICAL, WARNING)
    )
    assert [unit.sees(at, one) for at, one in ((0, light), (5, grave), (10, light))] == [
        ["opened"],
        ["updated"],
        ["eased"],
    ]
    assert unit.waits(60) == ["fired"]
    assert unit.sees(70, grave) == ["grew"]
    assert unit.reasons[-1] == "critical, after warning"
    assert unit.sees(80, light) == ["eased"]
    assert (unit.last.severity, unit.last.worst) == (WARNING, CRITICAL)


def test_a_watcher_does_not_make_light_of_what_an_event_said() -> None:
    unit = Watched()
    grave = event("on_battery", 1, severity=CRITICAL)
    unit.sees(0, sightings(grave)[0])
    unit.waits(10)
    assert unit.sees(20, seen(20, "outage", "look", stage="on_battery", severity=WARNING)) == []
    assert unit.last.severity is CRITICAL


def test_the_time_on_battery_counts_from_the_transfer_not_from_what_came_before() -> None:
    unit = Watched()
    assert unit.tells(0, "shutdown_imminent", charge_pct=100) == ["fired"]
    unit.tells(400, "on_battery", charge_pct=100)
    assert unit.last.severity is WARNING
    assert unit.waits(699) == []
    assert unit.waits(700) == ["grew"]


def test_an_onset_before_the_last_one_was_told_begins_its_hold_anew() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    assert unit.tells(8, "on_battery", charge_pct=100) == ["updated"]
    assert unit.waits(17.9) == []
    assert unit.waits(18) == ["fired"]
    assert unit.reasons == ["on battery for 10 s"]
    assert unit.board.take(sightings(event("on_battery", 2))[0], instant(20)) == []


def test_the_time_on_battery_counts_from_the_last_transfer_where_an_end_was_lost() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.tells(200, "on_battery", charge_pct=100)
    unit.tells(260, "mains_restored")
    unit.waits(270)
    assert unit.reasons == [
        "on battery for 10 s",
        "on battery anew: the last one's end was never heard of",
        "mains restored after 1 min",
    ]


def test_s6_what_people_write_is_cut_to_printable_text() -> None:
    unit = Watched()
    unit.tells(0, "overload")
    [one] = unit.board.alerts
    [noted] = unit.board.note(one, "x\r\nBcc: all\x1b" * 100, "a\r\nnn" * 100, START)
    assert (noted.reason[:9], len(noted.reason), len(noted.by)) == ("xBcc: all", 500, 64)
    assert noted.reason.isprintable()
    assert noted.by.isprintable()
    assert unit.board.note(one, "\r\n\x00", "ann", START) == []


def test_what_became_due_before_a_sighting_comes_before_it_though_nobody_woke_the_board() -> None:
    board = Board(Terms())
    board.take(sightings(event("on_battery", 1))[0], START)
    changes = board.take(sightings(event("mains_restored", 2))[0], instant(60))
    assert [(change.what, change.at) for change in changes] == [
        (What.FIRED, instant(10)),
        (What.UPDATED, instant(60)),
    ]


def test_a_little_charge_is_critical_on_battery_alone() -> None:
    unit = Watched()
    assert unit.tells(0, "shutdown_imminent", charge_pct=10) == ["fired"]
    assert unit.last.severity is WARNING


def test_what_was_told_as_critical_before_is_not_told_again_for_having_lasted() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.tells(20, "low_battery")
    unit.tells(60, "low_battery_cleared")
    assert unit.waits(300) == ["updated"]
    assert unit.last.severity is CRITICAL


def test_a_watchers_word_does_not_make_a_board_forget_which_records_it_has() -> None:
    unit = Watched()
    for second, kind in enumerate(("shutdown_imminent", "on_battery", "shutdown_cancelled")):
        unit.tells(second, kind, charge_pct=100)
    assert unit.sees(20, seen(20, "outage", "look", stage="on_battery", details={"charge_pct": 40})) == ["grew"]
    assert unit.sees(21, sightings(event("shutdown_imminent", 1))[0]) == []


def test_an_alert_of_a_watcher_does_not_make_a_board_forget_which_records_the_one_before_had() -> None:
    unit = Watched()
    unit.tells(0, "overload")
    unit.tells(1, "overload_cleared")
    unit.sees(20, seen(20, "overload", "seen"))
    unit.sees(30, seen(30, "overload", "seen no more", what=Seen.ENDED))
    unit.waits(50)
    assert unit.sees(60, sightings(event("overload", 1))[0]) == []
