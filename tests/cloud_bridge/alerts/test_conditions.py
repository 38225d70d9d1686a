from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud_bridge.alerts.conditions import (
    CONDITIONS,
    ENDS,
    LASTING,
    OURS,
    STAGES,
    condition_of,
    is_a_gateways,
    kind_of,
    sightings,
)
from cloud_bridge.alerts.model import Seen, Sighting, unit_of
from drivers.ups import CATALOGUE, Severity
from tests.cloud_bridge.alerts.boards import START, event

EVERY_TYPE = sorted(set(CATALOGUE) - OURS)


def shown(kind: str, **details: str | int) -> list[tuple[str, Seen]]:
    return [(one.condition, one.seen) for one in sightings(event(kind, 7, details=dict(details)))]


def only(kind: str) -> Sighting:
    [sighting] = sightings(event(kind, 7))
    return sighting


@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_every_event_type_shows_something(kind: str) -> None:
    assert sightings(event(kind, 7))
    assert condition_of(kind) in CONDITIONS


@pytest.mark.parametrize("kind", [kind for kind in EVERY_TYPE if CATALOGUE[kind].clears])
def test_what_clears_a_condition_ends_the_one_that_its_onset_began(kind: str) -> None:
    onset = CATALOGUE[kind].clears
    assert onset is not None
    assert only(onset).seen is Seen.BEGAN
    assert (only(kind).seen, only(kind).condition) == (Seen.ENDED, only(onset).condition)
    assert condition_of(kind) == condition_of(onset) == only(onset).condition


@pytest.mark.parametrize("kind", [*sorted(OURS), "reading_out_of_range:5", "outage", "outage:1", "gateway_lost:x"])
@pytest.mark.parametrize("unit", ["rack-1", ""], ids=["of a unit", "of the gateway"])
def test_s6_a_gateway_makes_no_incident_that_the_cloud_alone_finds(kind: str, unit: str) -> None:
    assert sightings(event(kind, 7, unit=unit)) == []
    assert not is_a_gateways(kind)


@pytest.mark.parametrize("kind", [kind for kind in EVERY_TYPE if kind not in LASTING and kind not in ENDS])
def test_what_has_no_end_is_a_moment_of_its_own_name(kind: str) -> None:
    assert shown(kind) == [(kind, Seen.MOMENT)]


@pytest.mark.parametrize("kind", sorted(STAGES))
def test_an_outage_is_one_condition_whatever_its_stage(kind: str) -> None:
    assert (only(kind).condition, only(kind).stage) == ("outage", kind)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("self_test_failed", [("self_test_refused", Seen.ENDED), ("self_test_failed", Seen.BEGAN)]),
        (
            "self_test_passed",
            [
                ("self_test_failed", Seen.ENDED),
                ("self_test_refused", Seen.ENDED),
                ("self_test_passed", Seen.MOMENT),
            ],
        ),
        ("self_test_refused", [("self_test_refused", Seen.BEGAN)]),
        ("self_test_aborted", [("self_test_aborted", Seen.MOMENT)]),
        (
            "calibration_passed",
            [
                ("calibration_failed", Seen.ENDED),
                ("calibration_refused", Seen.ENDED),
                ("calibration_passed", Seen.MOMENT),
            ],
        ),
        ("output_off_commanded", [("output_off_commanded", Seen.MOMENT)]),
        ("output_on", [("outage", Seen.ENDED)]),
    ],
    ids=[
        "a failed test lasts and replaces a refusal",
        "a passed test ends a failed and a refused one",
        "a refusal lasts until the next result",
        "an aborted test changes nothing of the last result",
        "a passed calibration ends a failed one",
        "an output that was told to go off is no outage",
        "an output that is on again ends a stage of the outage",
    ],
)
def test_tests_and_commands(kind: str, expected: list[tuple[str, Seen]]) -> None:
    assert shown(kind) == expected


def test_each_outlet_group_is_off_by_itself() -> None:
    assert shown("outlet_group_off", group=1) == [("outlet_group_off:1", Seen.BEGAN)]
    assert shown("outlet_group_on", group=2) == [("outlet_group_off:2", Seen.ENDED)]
    assert kind_of("outlet_group_off:2") == "outlet_group_off"
    assert kind_of("outage") == "outage"


def test_a_sighting_carries_what_names_its_record() -> None:
    row = event("on_battery", 9, START + 1, history=True, dated_at=START + 5, details={"charge_pct": 80})
    [sighting] = sightings(row)
    assert sighting.subject == unit_of("pi", "rack-1")
    assert (sighting.mark, sighting.record, sighting.history) == ("pi/events/5/9", 9, True)
    assert (sighting.at, sighting.details) == (START + 5, {"charge_pct": 80})
    assert sighting.hold_s is None


def test_an_event_without_a_unit_is_the_gateways() -> None:
    [sighting] = sightings(event("outbox_damaged", 1, unit=""))
    assert sighting.subject == unit_of("pi", "")


def test_s20_a_severity_above_the_catalogues_holds_and_one_below_does_not() -> None:
    [lost] = sightings(event("communication_lost", 1, severity=Severity.CRITICAL))
    [low] = sightings(event("low_battery", 2, severity=Severity.INFORMATIONAL))
    assert (lost.severity, low.severity) == (Severity.CRITICAL, Severity.CRITICAL)


def test_an_event_type_of_a_later_gateway_is_a_moment() -> None:
    [sighting] = sightings(event("lamp_broken", 1, severity=Severity.WARNING))
    assert (sighting.condition, sighting.seen, sighting.severity) == ("lamp_broken", Seen.MOMENT, Severity.WARNING)
    assert condition_of("lamp_broken") is None


@example(kind="outlet_group_off", group="9" * 100)
@given(kind=st.sampled_from(EVERY_TYPE), group=st.text(max_size=100))
def test_s6_no_detail_of_a_unit_makes_a_condition_longer_than_its_column(kind: str, group: str) -> None:
    assert all(len(one.condition) <= 64 for one in sightings(event(kind, 1, details={"group": group})))
