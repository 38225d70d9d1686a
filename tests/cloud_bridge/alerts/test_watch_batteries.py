"""Batteries that empty too fast, or that gave less than they had promised."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from cloud_bridge.alerts.model import Alert, Seen, Sighting
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.alerts.watch import depletion, shortfall
from cloud_bridge.alerts.watch.past import UnitPast
from cloud_bridge.rows import UnitRow
from drivers.ups import Severity
from tests.cloud_bridge.alerts.worlds import (
    NOW,
    RACK,
    UNIT,
    ago,
    alert,
    noted,
    on_battery,
    reporting,
    said,
    spent,
    unit,
    world,
)

FAST, SHORT = "battery_depleting_fast", "battery_ran_short"


def outage(row: UnitRow, past: UnitPast, alerts: tuple[Alert, ...] = (), terms: Terms | None = None) -> list[Sighting]:
    return list(depletion.sightings(world([row], past={UNIT: past}, alerts=alerts, terms=terms), NOW))


@pytest.mark.parametrize(
    ("elapsed_s", "onset", "values", "fast"),
    [
        (301.0, {"runtime_s": 1200.0}, {"runtime_s": 500}, True),
        (301.0, {"runtime_s": 1200.0}, {"runtime_s": 540}, False),
        (301.0, {"runtime_s": 1200.0}, {"runtime_s": 900}, False),
        (21.0, {"runtime_s": 1200.0}, {"runtime_s": 100}, False),
        (301.0, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"charge_pct": 55}, True),
        (301.0, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"charge_pct": 75}, False),
        (301.0, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"runtime_s": 900, "charge_pct": 40}, True),
        (50.0, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"charge_pct": 55}, False),
        (121.0, {"runtime_s": 3600.0, "charge_pct": 100.0}, {"charge_pct": 85}, False),
        (31.0, {"runtime_s": 1200.0}, {"runtime_s": 100}, True),
        (30.9, {"runtime_s": 1200.0}, {"runtime_s": 100}, False),
        (61.0, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"charge_pct": 80}, True),
        (60.9, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"charge_pct": 80}, False),
        (61.0, {"runtime_s": 1200.0, "charge_pct": 100.0}, {"charge_pct": 80.5}, False),
        (301.0, {}, {"runtime_s": 10}, False),
        (301.0, {"runtime_s": 0.0}, {"runtime_s": 0}, False),
        (301.0, {"runtime_s": 1200.0}, {}, False),
        (301.0, {"runtime_s": 1200.0}, {"runtime_s": "long"}, False),
        (301.0, {"runtime_s": 1200.0}, {"runtime_s": 0}, True),
    ],
    ids=[
        "elapsed and remaining come to less than 70 % of the promise",
        "70 % of it is no alarm",
        "as promised",
        "the estimate of the first half minute is still the one on mains",
        "the charge falls faster than the promise implies",
        "the charge falls as it should",
        "the worse of the two counts",
        "a steep first minute of the charge says nothing",
        "nor do its first points",
        "from half a minute on the runtime counts",
        "and not a moment before",
        "from a minute and twenty points on the charge counts",
        "and not before that minute",
        "nor before those points",
        "a unit that promised nothing can't break it",
        "nor one that promised no time at all",
        "a unit that reports neither is not judged",
        "what is no number is not judged",
        "no runtime left is a reading",
    ],
)
def test_when_a_battery_empties_too_fast(
    elapsed_s: float, onset: dict[str, object], values: dict[str, object], fast: bool
) -> None:
    row = reporting({"state": "on_battery", **values})
    found = outage(row, on_battery(elapsed_s, **onset))
    assert said(found) == ([(f"unit:{UNIT}", FAST, "began")] if fast else [])


def test_the_alarm_says_what_was_promised_and_what_it_comes_to() -> None:
    (found,) = outage(unit(state="on_battery", runtime_s=500, charge_pct=60), on_battery(301.0, runtime_s=1200.0))
    assert found.details == {
        "runtime_s": 500,
        "charge_pct": 60,
        "elapsed_s": 300,
        "expected_runtime_s": 1200.0,
        "lasts_s": 800,
    }
    assert found.severity is Severity.WARNING


def test_it_eases_some_way_above_where_it_began_or_ends_with_the_outage() -> None:
    past, open_ = on_battery(301.0, runtime_s=1200.0), (alert(FAST),)
    assert outage(unit(state="on_battery", runtime_s=600), past, open_) == []
    assert [each.seen for each in outage(unit(state="on_battery", runtime_s=700), past, open_)] == [Seen.ENDED]
    over = UnitPast(newest={**past.newest, "mains_restored": noted(2, 5)})
    assert [each.seen for each in outage(unit(state="online", runtime_s=100), over, open_)] == [Seen.ENDED]


def test_what_is_stale_or_not_on_battery_is_not_judged() -> None:
    past = on_battery(301.0, runtime_s=1200.0)
    assert outage(unit(state="on_battery", runtime_s=1, age_s=95), past) == []
    assert outage(unit(state="off", runtime_s=1), past) == []
    assert outage(unit(state="on_battery", runtime_s=1), UnitPast()) == []


def test_the_share_is_a_setting() -> None:
    row, past = unit(state="on_battery", runtime_s=500), on_battery(301.0, runtime_s=1200.0)
    assert outage(row, past, terms=Terms(runtime_short_share=0.5)) == []


def short(
    past: UnitPast, alerts: tuple[Alert, ...] = (), installed_on: date | None = None, share: float = 0.7
) -> list[Sighting]:
    seen = world(
        [unit(installed_on=installed_on)],
        past={UNIT: past},
        alerts=alerts,
        terms=Terms(runtime_short_share=share),
    )
    return list(shortfall.sightings(seen, NOW))


@pytest.mark.parametrize(
    ("changes", "is_short"),
    [
        ({}, True),
        ({"delivered_s": 839.0}, True),
        ({"delivered_s": 840.0}, False),
        ({"delivered_s": 1300.0}, False),
        ({"expected_runtime_s": None}, False),
        ({"expected_runtime_s": 0.0}, False),
        ({"output_off": False}, True),
    ],
    ids=[
        "a quarter of the promise",
        "just under 70 %",
        "70 % is enough",
        "more than promised",
        "nothing was promised",
        "no time was promised",
        "the mains came back just when it was empty",
    ],
)
def test_when_a_battery_ran_short(changes: dict[str, object], is_short: bool) -> None:
    found = short(UnitPast(spent=(spent(**changes),)))
    assert said(found) == ([(f"unit:{UNIT}", SHORT, "began")] if is_short else [])
    assert all(each.at == ago(600) for each in found)


def test_a_good_outage_afterwards_hides_no_short_one_and_the_newest_short_one_counts() -> None:
    good = spent(id=50, outage="o2", delivered_s=1200.0)
    worse = spent(id=60, outage="o3", delivered_s=60.0)
    (first,) = short(UnitPast(spent=(spent(), good)))
    (second,) = short(UnitPast(spent=(spent(), good, worse)))
    assert (first.details["delivered_s"], second.details["delivered_s"]) == (300.0, 60.0)
    assert first.mark != second.mark
    assert short(UnitPast(spent=(spent(), good)))[0].mark == first.mark


DAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("newest", "installed_on", "details", "over"),
    [
        ({"calibration_passed": noted(41, 60)}, None, {}, True),
        ({"calibration_passed": noted(39, 6000)}, None, {}, False),
        ({"self_test_passed": noted(41, 60)}, None, {}, False),
        ({}, date(2026, 11, 25), {}, True),
        ({}, date(2026, 11, 23), {}, False),
        ({}, DAY, {"battery_installed_on": "2026-11-24"}, False),
        ({}, DAY, {"battery_installed_on": "2022-01-01"}, True),
        ({}, DAY, {}, True),
    ],
    ids=[
        "a calibration that passed since ends it",
        "one before does not",
        "a self-test of ten seconds measures no runtime",
        "a battery of a later day ends it",
        "an older one does not",
        "nor one of that day that was there already",
        "one of that day that was not does",
        "nor was one before the unit told of any",
    ],
)
def test_what_ends_a_shortfall(
    newest: dict[str, object], installed_on: date | None, details: dict[str, object], over: bool
) -> None:
    past = msgspec.structs.replace(UnitPast(spent=(spent(),)), newest=newest)
    (found,) = short(past, (alert(SHORT, details=details),), installed_on)
    assert found.seen is (Seen.ENDED if over else Seen.BEGAN)


def test_a_unit_that_never_said_who_it_is_can_run_short_too() -> None:
    nameless = msgspec.structs.replace(unit(), identity=None)
    for rows in ([nameless], []):
        (found,) = shortfall.sightings(world(rows, past={UNIT: UnitPast(spent=(spent(),))}), NOW)
        assert found.details == {"delivered_s": 300.0, "expected_runtime_s": 1200.0}


def test_a_shortfall_remembers_which_battery_it_was() -> None:
    (found,) = short(UnitPast(spent=(spent(),)), installed_on=date(2022, 1, 1))
    assert found.details["battery_installed_on"] == "2022-01-01"
    assert found.subject == RACK
