"""What comes and goes is told once (gateway-ota.md C4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.conditions import meant_by
from cloud_bridge.alerts.model import Phase, What
from cloud_bridge.alerts.terms import Terms
from drivers.ups import Severity
from tests.cloud_bridge.alerts.boards import Watched, instant


def blips(unit: Watched, count: int, every_s: float = 60, for_s: float = 3, since_s: float = 0) -> list[str]:
    changed: list[str] = []
    for number in range(count):
        changed += unit.tells(since_s + number * every_s, "on_battery", charge_pct=100)
        changed += unit.tells(since_s + number * every_s + for_s, "mains_restored")
    return changed


def test_the_third_onset_in_ten_minutes_is_one_unstable_alert() -> None:
    """Four begins and ends, and it begins again (gateway-ota.md C4)."""
    unit = Watched()
    blips(unit, 2)
    assert unit.said == []
    assert unit.tells(120, "on_battery") == ["unstable"]
    assert (unit.last.phase, unit.last.unstable, unit.last.stage) == (Phase.FIRING, True, "on_battery")
    assert unit.reasons == ["on battery 3 times within 10 min: it comes and goes"]
    assert meant_by(unit.last) == "unit_unstable"


def test_three_onsets_in_ten_minutes_and_more_are_three() -> None:
    unit = Watched()
    blips(unit, 8, every_s=300)
    assert unit.said == []


@pytest.mark.parametrize(("changes", "onset"), [(2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_the_first_onset_by_which_begins_and_ends_are_so_many_makes_it_unstable(changes: int, onset: int) -> None:
    unit = Watched(Terms(flap_changes=changes))
    blips(unit, onset - 1)
    assert unit.said == []
    assert unit.tells(onset * 60, "on_battery") == ["unstable"]


def test_an_unstable_unit_is_quiet_until_it_is_calm_and_then_resolved_once() -> None:
    unit = Watched()
    blips(unit, 40)
    assert unit.said == ["unstable"]
    assert len(unit.last.flips) == 3
    last_s = 39 * 60
    assert unit.waits(last_s + 599) == []
    assert unit.waits(last_s + 600) == ["resolved"]
    assert (unit.last.stage, unit.reasons[-1]) == ("mains_restored", "mains restored, calm for 10 min")
    assert meant_by(unit.last) == "unit_unstable_cleared"


def test_what_stays_on_after_it_was_unstable_goes_on_as_an_alert_like_others() -> None:
    unit = Watched(Terms(critical_after_s=86_400))
    blips(unit, 5)
    unit.tells(300, "on_battery", charge_pct=100)
    assert unit.waits(900) == ["eased"]
    assert (unit.last.phase, unit.last.unstable, unit.last.stage) == (Phase.FIRING, False, "on_battery")
    unit.tells(1000, "mains_restored")
    unit.waits(1010)
    assert unit.said == ["unstable", "resolved"]


def test_what_becomes_critical_while_it_is_unstable_is_told() -> None:
    unit = Watched()
    blips(unit, 6)
    unit.tells(400, "on_battery", charge_pct=100)
    assert unit.tells(410, "low_battery") == ["grew"]
    assert (unit.last.severity, unit.last.unstable) == (Severity.CRITICAL, True)
    assert unit.tells(420, "output_off") == ["grew"]
    assert unit.tells(430, "output_on") == ["updated"]


def test_an_alert_that_was_told_and_resolved_each_time_becomes_unstable_too() -> None:
    unit = Watched()
    blips(unit, 3, every_s=120, for_s=30)
    assert unit.said == ["fired", "resolved", "fired", "resolved", "unstable"]
    assert len(unit.said) < Terms().flood_more_than


def test_onsets_whose_ends_were_lost_make_it_unstable_too() -> None:
    unit = Watched()
    for second in range(6):
        unit.tells(second, "output_off")
    assert unit.said == ["fired", "grew", "unstable"]
    assert unit.changes[-1].what is What.UPDATED
    assert unit.board.due_at() == instant(605)


def test_returns_before_an_end_was_told_count_as_onsets() -> None:
    unit = Watched()
    unit.tells(0, "on_battery", charge_pct=100)
    unit.waits(20)
    for number in range(1, 4):
        unit.tells(20 + number * 10, "mains_restored")
        unit.tells(22 + number * 10, "on_battery", charge_pct=100)
    assert unit.said == ["fired", "unstable"]
    assert unit.last.fired_at == instant(10)
    unit.tells(60, "mains_restored")
    assert unit.tells(62, "on_battery") == ["updated"]
    assert unit.last.stage == "on_battery"


def test_a_restart_does_not_forget_what_came_and_went() -> None:
    unit = Watched()
    for number in range(2):
        blips(unit, 1, since_s=number * 60)
        unit.restarts()
    assert unit.tells(120, "on_battery") == ["unstable"]
    unit.restarts()
    unit.tells(123, "mains_restored")
    assert unit.waits(720) == ["resolved"]


@given(pauses=st.lists(st.tuples(st.floats(0.1, 30), st.floats(0.1, 30)), min_size=1, max_size=40))
def test_one_condition_is_told_at_most_five_times_in_ten_minutes(pauses: list[tuple[float, float]]) -> None:
    unit, now_s = Watched(Terms(critical_after_s=1e9, on_battery_hold_s=0, end_hold_s=0)), 0.0
    for on_s, off_s in pauses:
        unit.tells(now_s, "on_battery", charge_pct=100)
        unit.tells(now_s + on_s, "mains_restored")
        now_s += on_s + off_s
    told = [change.at for change in unit.changes if change.what in (What.FIRED, What.RESOLVED, What.UNSTABLE)]
    for first in told:
        assert len([at for at in told if first <= at < first + 600_000]) <= 5
