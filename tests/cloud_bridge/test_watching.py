"""What the alerts' watchers look at, read from a real telemetry database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_bridge.alerts.watch.past import CALIBRATION_ENDS, REMEMBERED, SPENT_KEPT, TEST_ENDS, UnitPast
from cloud_bridge.alerts.watch.world import Full, Heard
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.telemetry import Telemetry
from cloud_bridge.store.watching import looked
from drivers.ups import CATALOGUE, Identity
from gateway.wire.messages import IdentityBody, Kind, Lane
from tests.cloud_bridge.words import T0, clock, event, hello, outage, parcel, record, stamp, status, unset

G, UNIT = "pi-a", "pi-a/rack-1"
RECEIVED = T0 + 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def telemetry(path: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(path), lambda: RECEIVED)
    yield opened
    opened.close()


def take(telemetry: Telemetry, first: int, *records: bytes, lane: Lane = Lane.EVENTS, gateway: str = G) -> None:
    with telemetry.transaction():
        telemetry.take(gateway, parcel(first, *records, lane=lane), RECEIVED)


def identity(unit: str = "rack-1", serial: str = "AS1") -> bytes:
    return record(Kind.IDENTITY, IdentityBody(identity=Identity(serial=serial)), unit=unit)


def heard(path: Path, since: Heard | None = None, *, everything: bool = True) -> Heard:
    with Reader(path) as reader:
        return looked(reader, since, everything=everything)


def past(path: Path) -> UnitPast:
    return heard(path).past[UNIT]


def test_an_empty_database_is_a_world_without_anything(path: Path, telemetry: Telemetry) -> None:
    assert heard(path) == Heard()


def test_every_type_that_is_remembered_is_one_of_the_catalogue() -> None:
    assert set(REMEMBERED) <= set(CATALOGUE)
    assert {*TEST_ENDS, *CALIBRATION_ENDS} < set(REMEMBERED)


def test_the_newest_event_of_each_type_is_remembered_with_its_readings(path: Path, telemetry: Telemetry) -> None:
    take(
        telemetry,
        1,
        event(1, "on_battery", {"runtime_s": 900, "charge_pct": 99.5}, at=T0 - 5000),
        event(2, "mains_restored", at=T0 - 4000),
        event(3, "on_battery", {"runtime_s": 800, "charge_pct": "full"}, at=T0 - 3000),
        event(4, "overload"),
    )
    seen = past(path)
    assert seen.on_battery is not None
    assert (seen.on_battery.runtime_s, seen.on_battery.charge_pct) == (800.0, None)
    assert seen.on_battery.at == RECEIVED - 3000
    assert set(seen.newest) == {"on_battery", "mains_restored"}


def test_an_event_of_a_clock_that_was_not_set_is_as_old_as_its_receipt_until_it_is_dated(
    path: Path, telemetry: Telemetry
) -> None:
    take(telemetry, 1, event(1, stamped=unset(5, at=9)))
    assert past(path).newest["on_battery"].at == RECEIVED
    take(telemetry, 2, clock(1_000, T0))
    assert past(path).newest["on_battery"].at == RECEIVED - 995


def test_what_ended_is_not_open_and_what_began_again_is(path: Path, telemetry: Telemetry) -> None:
    types = ["self_test_started", "self_test_passed", "calibration_started", "on_battery", "mains_restored"]
    take(telemetry, 1, *(event(number, type_) for number, type_ in enumerate(types)))
    seen = past(path)
    assert seen.calibration is not None
    assert (seen.self_test, seen.on_battery) == (None, None)
    assert seen.tested == seen.newest["self_test_passed"]
    take(telemetry, 6, event(6, "self_test_started"), event(7, "calibration_refused"))
    seen = past(path)
    assert seen.self_test == seen.tested
    assert seen.calibration is None


def test_an_outage_that_the_battery_outlasted_is_not_remembered(path: Path, telemetry: Telemetry) -> None:
    take(
        telemetry,
        1,
        outage(id="fine"),
        outage(id="off", ended="output_off"),
        outage(id="silent", ended="silent"),
        outage(id="empty", lowest_charge_pct=5.0),
        outage(id="nearly", lowest_charge_pct=5.1),
        outage(id="unknown", lowest_charge_pct=None),
    )
    assert [(each.outage, each.output_off) for each in past(path).spent] == [("off", True), ("empty", False)]


def test_a_battery_that_somebody_switched_off_did_not_run_short(path: Path, telemetry: Telemetry) -> None:
    take(
        telemetry,
        1,
        event(1, "output_off_commanded", at=T0 - 60_000),
        outage(id="commanded", ended="output_off"),
        outage(id="later", ended="output_off", began_at=T0 - 50_000, ended_at=T0 - 20_000),
    )
    assert [each.outage for each in past(path).spent] == ["later"]


def test_another_units_command_says_nothing_of_this_one(path: Path, telemetry: Telemetry) -> None:
    other = event(1, "output_off_commanded", at=T0 - 60_000).replace(b"rack-1", b"rack-2")
    take(telemetry, 1, other, outage(ended="output_off"))
    assert len(past(path).spent) == 1


def test_of_many_spent_outages_the_newest_are_kept(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, *(outage(id=f"o{number}", ended="output_off") for number in range(9)))
    kept = [each.outage for each in past(path).spent]
    assert kept == [f"o{number}" for number in range(9 - SPENT_KEPT, 9)]


def test_a_look_at_what_changed_knows_all_units_and_is_about_the_new(path: Path, telemetry: Telemetry) -> None:
    other = status(load_pct=5).replace(b"rack-1", b"rack-2")
    take(telemetry, 1, status(load_pct=1), other, lane=Lane.STATUS)
    first = heard(path)
    assert first.changed == {UNIT, "pi-a/rack-2"}
    take(telemetry, 3, status(load_pct=2), lane=Lane.STATUS)
    some = heard(path, first, everything=False)
    assert some.changed == {UNIT}
    assert list(some.units) == list(first.units)
    assert some.units[UNIT].status["load_pct"] == msgspec.Raw(b"2")
    nothing = heard(path, some, everything=False)
    assert nothing.changed == frozenset()
    assert heard(path, some).changed == first.changed


def test_a_unit_was_first_seen_when_its_first_identity_came(path: Path, telemetry: Telemetry) -> None:
    with telemetry.transaction():
        telemetry.greet(G, hello(units=("rack-1", "rack-2")), T0)
    take(telemetry, 1, identity(), status(load_pct=1), identity(serial="AS2"), lane=Lane.STATUS)
    seen = heard(path)
    assert seen.first_seen == {UNIT: RECEIVED}
    assert set(seen.units) == {UNIT, "pi-a/rack-2"}


def test_a_restored_database_is_looked_at_from_its_beginning(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1, "on_battery"))
    ahead = Heard(through=999, past={"gone/unit": UnitPast()})
    again = heard(path, ahead, everything=False)
    assert list(again.past) == list(again.changed) == [UNIT]
    assert again.through == 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([*REMEMBERED, "overload"]), st.sampled_from(["a", "b"])), max_size=30),
    st.sets(st.integers(0, 30)),
)
def test_looking_in_parts_remembers_what_one_look_does(
    tmp_path_factory: pytest.TempPathFactory, happened: list[tuple[str, str]], looks: set[int]
) -> None:
    path = tmp_path_factory.mktemp("watching") / FILE_NAME
    telemetry = Telemetry(open_writer(path), lambda: RECEIVED)
    with Reader(path) as reader:
        seen = looked(reader)
        for number, (type_, unit) in enumerate(happened, 1):
            made = event(number, type_).replace(b"rack-1", unit.encode())
            spent = outage(id=f"o{number}", ended="output_off").replace(b"rack-1", unit.encode())
            take(telemetry, number, spent if type_ == "overload" else made)
            if number in looks:
                seen = looked(reader, seen, everything=False)
        assert looked(reader, seen).past == looked(reader).past
    telemetry.close()


def test_gateways_have_their_own_streams(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, event(1), event(2))
    take(telemetry, 1, status(load_pct=1), lane=Lane.STATUS)
    take(telemetry, 1, event(1), gateway="pi-b")
    with Reader(path) as reader:
        found = {row.name: [(each.lane, each.through) for each in row.streams] for row in reader.gateways()}
    assert found == {G: [("events", 2), ("status", 1)], "pi-b": [("events", 1)]}
    assert stamp().at == T0


def test_the_newest_full_report_of_a_unit_is_known_whatever_came_after_it(path: Path, telemetry: Telemetry) -> None:
    assert heard(path).full == {}
    take(telemetry, 1, status(load_pct=20.0), status(full=False, load_pct=21.0, at=T0 + 1), lane=Lane.STATUS)
    first = heard(path)
    assert first.full == {UNIT: Full(record=1, received_at=RECEIVED)}
    take(telemetry, 3, status(full=False, load_pct=22.0, at=T0 + 2), lane=Lane.STATUS)
    assert heard(path, first, everything=False).full == first.full
    take(telemetry, 4, status(load_pct=23.0, at=T0 + 3), lane=Lane.STATUS)
    second = heard(path, first, everything=False)
    assert second.full == heard(path).full == {UNIT: Full(record=4, received_at=RECEIVED)}


def test_reports_that_only_add_to_one_that_was_lost_are_no_full_one(path: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, status(full=False, load_pct=21.0), lane=Lane.STATUS)
    assert heard(path).full == {}
