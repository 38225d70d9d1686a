"""Tests and calibrations that go on."""

from __future__ import annotations

import pytest

from cloud_bridge.alerts.watch.past import Noted, UnitPast
from cloud_bridge.alerts.watch.planned import planned
from tests.cloud_bridge.alerts.worlds import NOW, UNIT, ago, directory, noted, rule, world

MINUTE_S, HOUR_S = 60.0, 3600.0


@pytest.mark.parametrize(
    ("newest", "why"),
    [
        ({"self_test_started": noted(1, 5)}, "a self-test"),
        ({"self_test_started": noted(1, 10 * MINUTE_S)}, ""),
        ({"self_test_started": noted(1, 5), "self_test_passed": noted(2, 1)}, ""),
        ({"self_test_started": noted(1, 5), "self_test_aborted": noted(2, 1)}, ""),
        ({"self_test_started": noted(3, 5), "self_test_failed": noted(2, 900)}, "a self-test"),
        ({"calibration_started": noted(1, 5 * HOUR_S)}, "a runtime calibration"),
        ({"calibration_started": noted(1, 6 * HOUR_S)}, ""),
        ({"calibration_started": noted(1, 99), "calibration_refused": noted(2, 98)}, ""),
        ({"calibration_started": noted(1, 99), "self_test_started": noted(2, 98)}, "a runtime calibration"),
        ({"on_battery": noted(1, 5)}, ""),
    ],
    ids=[
        "a test that runs",
        "a test whose end was missed covers nothing after ten minutes",
        "a test that passed",
        "a test that was stopped",
        "a new test after an old result",
        "a calibration takes hours",
        "but not more than six",
        "one that was refused did not run",
        "a calibration outlasts a test within it",
        "an outage is not planned",
    ],
)
def test_what_goes_on_at_a_unit(newest: dict[str, Noted], why: str) -> None:
    found = planned(world(past={UNIT: UnitPast(newest=newest)}), NOW)
    assert {unit: each.why for unit, each in found.items()} == ({UNIT: why} if why else {})


def test_s19_a_test_covers_what_it_moves_and_never_an_outage() -> None:
    rules = [rule(id=1, reading="charge_pct"), rule(id=2, reading="load_pct"), rule(id=3, reading="runtime_s")]
    seen = world(past={UNIT: UnitPast(newest={"self_test_started": noted(1, 5)})}, known=directory([], rules))
    (each,) = planned(seen, NOW).values()
    assert each.conditions == {"battery_depleting_fast", "reading_out_of_range:1", "reading_out_of_range:3"}
    assert each.until == ago(5) + 600_000
