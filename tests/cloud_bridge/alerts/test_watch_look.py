"""All watchers together, over any world, and with the board that takes what they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from time import process_time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import CONDITIONS, kind_of
from cloud_bridge.alerts.model import TOLD, Change, Kind, Phase, Seen, Sighting, Subject, What
from cloud_bridge.alerts.terms import Device, Rule, Terms
from cloud_bridge.alerts.watch.look import WATCHERS
from cloud_bridge.alerts.watch.look import look as look_at
from cloud_bridge.alerts.watch.past import UnitPast
from cloud_bridge.alerts.watch.world import World, ended
from cloud_bridge.rows import GatewayRow, IngestRow, UnitRow
from drivers.ups import CATALOGUE, Severity
from gateway.wire.health import Health
from gateway.wire.messages import Stamp
from tests.cloud_bridge.alerts.worlds import (
    NOW,
    UNIT,
    ago,
    alert,
    device,
    directory,
    gateway,
    noted,
    on_battery,
    reporting,
    rule,
    said,
    spent,
    unit,
    world,
)

TERMS = Terms()
GATEWAYS, UNITS = ("pi", "pi-b", "pi-c"), ("rack-1", "rack-2")
NAMES = tuple(f"{gateway}/{name}" for gateway in GATEWAYS for name in UNITS)

ages = st.sampled_from([1.0, 30.0, 89.0, 95.0, 5000.0])
percents = st.floats(0, 100) | st.none()


@st.composite
def units(draw: st.DrawFn, name: str) -> UnitRow:
    state = draw(st.sampled_from(["online", "on_battery", "off", None, "strange"]))
    day = draw(st.sampled_from(["2026-11-24", "2026-12-10", "2031-01-01", None, 7]))
    values = {"load_pct": draw(percents), "charge_pct": draw(percents), "runtime_s": draw(st.integers(0, 9000))}
    return reporting({"state": state, "replace_battery_on": day, **values}, name, draw(ages))


@st.composite
def gateways(draw: st.DrawFn, name: str) -> GatewayRow:
    why = draw(st.sampled_from([None, "will", "stopped"]))
    silent_s = draw(ages)
    stamp = Stamp(at=ago(draw(st.sampled_from([0.0, 50.0, 90.0]))), boot="b", mono=1, clock="synchronised")
    health = Health(conn="c", stamp=stamp, version="1", running_s=900.0, certificate_days_left=draw(st.floats(-9, 99)))
    return gateway(
        name, silent_s, offline_why=why, offline_at=None if why is None else ago(silent_s), health=health, health_at=NOW
    )


@st.composite
def pasts(draw: st.DrawFn) -> UnitPast:
    types = draw(st.sets(st.sampled_from(["on_battery", "mains_restored", "self_test_passed", "calibration_passed"])))
    since = st.floats(1, 4000)
    newest = {
        type_: noted(draw(st.integers(1, 90)), draw(since), runtime_s=1200.0, charge_pct=100.0) for type_ in types
    }
    ran = draw(st.lists(st.builds(spent, delivered_s=st.floats(0, 2000)), max_size=2))
    return UnitPast(newest=newest, spent=tuple(ran))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    devices = [
        device(number, name, site=draw(st.sampled_from([1, 2, None])), test_every_days=draw(st.sampled_from([0, 14])))
        for number, name in enumerate(NAMES, 1)
        if draw(st.booleans())
    ]
    outages = [
        alert("outage", Subject(Kind.UNIT, name), id=f"outage {name}", onset_at=ago(draw(st.floats(1, 90))))
        for name in NAMES
        if draw(st.booleans())
    ]
    return world(
        [draw(units(name)) for name in NAMES],
        [draw(gateways(name)) for name in GATEWAYS],
        heard_s=draw(st.sampled_from([3600.0, 100.0, None])),
        past={name: draw(pasts()) for name in NAMES},
        first_seen=dict.fromkeys(NAMES, ago(40 * 86_400)),
        alerts=outages,
        known=directory(devices, [rule(for_s=0), rule(id=8, reading="charge_pct", above=False, limit=50.0)]),
    )


def look(seen: World, now: int) -> list[Sighting]:
    """What all of them say, none of which fails."""
    found = look_at(seen, now)
    assert found.failures == []
    return found.sightings


def take(board: Board, sightings: list[Sighting], now: int = NOW) -> list[Change]:
    return [change for sighting in sightings for change in board.take(sighting, now)]


@given(worlds())
def test_looking_again_changes_nothing(seen: World) -> None:
    """But for an incident that grows by what the first look made critical: it is as bad as the worst it lists."""
    board = Board(TERMS, seen.alerts.values())
    worse = {change.alert.subject.kind for change in take(board, look(seen, NOW)) if change.what is What.GREW}
    after = look(World(heard=seen.heard, directory=seen.directory, alerts=board.alerts), NOW)
    opened = {(each.subject, each.condition) for each in board.alerts.values()}
    assert {(each.subject, each.condition) for each in after if each.seen is Seen.BEGAN} <= opened
    grown = {(change.what, change.alert.condition) for change in take(board, after)}
    assert grown <= ({(What.GREW, "site_outage")} if Kind.UNIT in worse else set())
    assert take(board, look(World(heard=seen.heard, directory=seen.directory, alerts=board.alerts), NOW)) == []


@given(worlds())
def test_an_onset_has_the_same_mark_at_every_look_at_the_same_record(seen: World) -> None:
    def marks(now: int) -> dict[tuple[Subject, str], str]:
        found = [each for each in look(seen, now) if each.seen is Seen.BEGAN]
        return {(each.subject, each.condition): each.mark for each in found}

    first, later = marks(NOW), marks(NOW + 500)
    assert {key: first[key] for key in first.keys() & later.keys()} == {
        key: later[key] for key in first.keys() & later.keys()
    }


@given(worlds())
def test_a_look_says_at_most_one_thing_of_a_condition_and_never_ends_what_is_not_open(seen: World) -> None:
    found = look(seen, NOW)
    keys = [(each.subject, each.condition) for each in found]
    assert len(keys) == len(set(keys))
    open_ = {(each.subject, each.condition) for each in seen.alerts.values()}
    assert {(each.subject, each.condition) for each in found if each.seen is Seen.ENDED} <= open_


@given(worlds())
def test_what_is_said_has_words_in_the_catalogue_and_fits_the_registry(seen: World) -> None:
    for each in look(seen, NOW):
        assert each.stage in CATALOGUE
        assert kind_of(each.condition) in CONDITIONS
        assert len(each.condition) <= 64
        assert len(str(each.subject)) <= 128
        assert (each.record, each.history) == (0, False)


@given(worlds(), st.sampled_from(sorted({kind_of(name) for name in CONDITIONS})))
def test_an_open_alert_of_any_condition_is_looked_at_without_harm(seen: World, condition: str) -> None:
    about = [Subject(Kind.UNIT, UNIT), Subject(Kind.UNIT, "gone/gone"), Subject(Kind.SITE, "1"), Subject(Kind.CLOUD)]
    held = {f"held {number}": alert(condition, each) for number, each in enumerate(about)}
    look(msgspec.structs.replace(seen, alerts={**seen.alerts, **held}), NOW)


def stepped(loads: list[float]) -> list[str]:
    """What the board makes of these loads, ten seconds apart."""
    known = directory([device()], [rule(for_s=30)])
    board, told = Board(TERMS), []
    for number, load in enumerate(loads):
        now = NOW + number * 10_000
        shift = number * 10_000
        row = msgspec.structs.replace(unit(load_pct=load), at=NOW + shift, sent_at=NOW + shift, received_at=NOW + shift)
        seen = world([row], [gateway(last_seen_at=now)], known=known)
        ingest = msgspec.structs.replace(seen.heard.ingest, alive_at=now) if seen.heard.ingest else None
        heard = msgspec.structs.replace(seen.heard, ingest=ingest)
        changes = board.tick(now)
        changes += take(board, look(World(heard=heard, directory=known, alerts=board.alerts), now), now)
        told += [change.what.value for change in changes if change.alert.condition.startswith("reading")]
    return told


@pytest.mark.parametrize(
    ("loads", "first"),
    [
        ([90, 90, 90, 90, 90], [What.OPENED, What.FIRED]),
        ([90, 90, 79, 90, 90], [What.OPENED, What.DROPPED, What.OPENED]),
        ([90, 90, 90, 90, 77, 90], [What.OPENED, What.FIRED]),
        ([70, 70, 80], []),
    ],
    ids=[
        "beyond the limit for 30 s fires",
        "a dip before that begins anew",
        "a dip within the hysteresis afterwards is no end",
        "never beyond it says nothing",
    ],
)
def test_a_rule_and_the_board_together(loads: list[float], first: list[What]) -> None:
    assert stepped(loads) == [what.value for what in first]


def test_a_battery_date_that_comes_near_is_one_alert_told_at_each_limit() -> None:
    day_ms = 86_400_000
    known = directory([device(battery_due_on=None, warranty_until=None)])
    board, told = Board(TERMS), []
    for day in range(100):
        now = NOW + day * day_ms
        row = unit(replace_battery_on="2027-02-25")
        heard = msgspec.structs.replace(world([row]).heard, ingest=None)
        for each in take(board, look(World(heard=heard, directory=known, alerts=board.alerts), now), now):
            told.append((day, each.what, each.alert.severity, each.alert.id))
    assert [(day, what) for day, what, _, _ in told] == [
        (3, What.FIRED),
        (63, What.GREW),
        (86, What.GREW),
        (93, What.GREW),
    ]
    assert [severity for _, _, severity, _ in told] == [
        Severity.INFORMATIONAL,
        Severity.INFORMATIONAL,
        Severity.WARNING,
        Severity.WARNING,
    ]
    assert len({id_ for *_, id_ in told}) == 1


def test_a_site_outage_is_told_before_the_outages_that_it_lists() -> None:
    known = directory(device(number, f"pi/rack-{number}") for number in range(3))
    board = Board(TERMS)
    for number in range(3):
        board.take(
            Sighting(
                subject=Subject(Kind.UNIT, f"pi/rack-{number}"),
                condition="outage",
                seen=Seen.BEGAN,
                stage="on_battery",
                severity=Severity.WARNING,
                at=NOW,
                mark=f"pi/events/s/{number}",
                record=number + 1,
            ),
            NOW + number * 1000,
        )
    seen = world(known=known)
    now = NOW + 3000
    take(board, look(World(heard=seen.heard, directory=known, alerts=board.alerts), now), now)
    fired = [change for change in board.tick(NOW + 13_000) if change.what is What.FIRED]
    assert [change.alert.condition for change in fired] == ["site_outage", "outage", "outage", "outage"]
    assert fired[0].at <= fired[1].at


def listened(seconds: range, silent_at: Callable[[int, int], float | None], connected_at: int) -> list[Change]:
    """What the board makes of ten gateways over a time; `silent_at`: when number N spoke last, at second S."""
    board, changes = Board(TERMS), []
    for second in seconds:
        now = NOW + second * 1000
        rows = []
        for number in range(10):
            spoke_s = silent_at(number, second)
            last_s = -9999 if spoke_s is None else spoke_s
            rows.append(gateway(f"pi-{number}", last_seen_at=NOW + round(last_s * 1000)))
        ingest = IngestRow(started_at=0, alive_at=now, connected_at=NOW + connected_at * 1000)
        heard = msgspec.structs.replace(world().heard, ingest=ingest, gateways=tuple(rows))
        changes += board.tick(now)
        changes += take(board, look(World(heard=heard, alerts=board.alerts), now), now)
    return changes


@given(st.lists(st.integers(1, 179), min_size=10, max_size=10))
@settings(max_examples=10)
def test_a_mass_reconnect_after_an_outage_of_the_bridge_tells_nobody(back_s: list[int]) -> None:
    def spoke(number: int, second: int) -> float | None:
        return float(second) if second >= back_s[number] else None

    assert listened(range(0, 900, 30), spoke, 0) == []


def test_a_gateway_that_stays_away_is_told_once_and_its_return_once() -> None:
    def spoke(number: int, second: int) -> float | None:
        return float(second) if number else 0.0 if second < 2000 else float(second)

    changes = listened(range(0, 2400, 10), spoke, -5000)
    told = [(change.what, (change.at - NOW) // 1000) for change in changes if change.what in TOLD]
    assert [what for what, _ in told] == [What.FIRED, What.RESOLVED]
    assert 600 <= told[0][1] <= 100 + 600
    assert {str(change.alert.subject) for change in changes} == {"gateway:pi-0"}


def test_an_end_is_said_once_while_the_board_holds_it() -> None:
    held = alert("gateway_lost", Subject(Kind.GATEWAY, "pi"), ends_at=NOW + 60_000, open={}, phase=Phase.FIRING)
    assert said(look(world([unit()], alerts=[held]), NOW)) == []


def test_s6_texts_of_sightings_are_cleaned() -> None:
    known = directory([device()], [rule(name="busy\x1b[31m\u202e")])
    (found,) = look(world([unit(load_pct=99.0)], known=known), NOW)
    assert found.details["rule"] == "busy[31m"
    assert ended(alert(), NOW, {"x": "\r\n"}).details == {"x": ""}


def big(count: int) -> World:
    """A site a gateway, ten units a gateway, half of them in an outage, everything expected of each."""
    names = [f"pi-{number // 10}/rack-{number % 10}" for number in range(count)]
    devices: list[Device] = [
        device(number, name, site=number // 10, test_every_days=14, warranty_until=None, tags=("a", "b"))
        for number, name in enumerate(names)
    ]
    base = directory(devices, [rule(id=number, limit=float(number)) for number in range(20)])
    known = msgspec.structs.replace(
        base, sites={number: msgspec.structs.replace(base.sites[1], id=number) for number in range(count // 10)}
    )
    outages = [alert("outage", Subject(Kind.UNIT, name), id=name) for name in names[::2]]
    rows = [unit(name, state="on_battery", load_pct=50.0, charge_pct=40, runtime_s=100) for name in names]
    past = {name: on_battery(301.0, runtime_s=1200.0, charge_pct=100.0) for name in names}
    return world(rows, past=past, alerts=outages, known=known, first_seen=dict.fromkeys(names, ago(9e6)))


def test_a_full_look_at_a_thousand_units_takes_well_under_a_second() -> None:
    seen = big(1000)
    began_s = process_time()
    found = look(seen, NOW)
    assert process_time() - began_s < 0.8
    assert len(found) > 10_000


BUSY = rule(id=7, name="busy", for_s=0)
LOW = rule(id=9, name="low", reading="charge_pct", above=False, limit=50.0, clear=None, for_s=0)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(rule(id=8, name="worse", limit="80"), id="a limit of a wrong type"),
        pytest.param(rule(id=8, name="worse", scope=None), id="no scope"),
        pytest.param(rule(id=8, name="worse", for_s="soon"), id="a time that is none"),
    ],
)
def test_a_rule_that_fails_is_named_and_stops_no_other_rule_and_no_watcher(bad: Rule) -> None:
    known = directory([device(test_every_days=1)], [BUSY, bad, LOW])
    found = look_at(
        world([unit(load_pct=99.0, charge_pct=10)], known=known, first_seen={UNIT: ago(9e6)}),
        NOW,
    )
    assert {condition for _, condition, _ in said(found.sightings)} == {
        "reading_out_of_range:7",
        "reading_out_of_range:9",
        "self_test_overdue",
    }
    (failure,) = found.failures
    assert failure.who == 'rule "worse" (id 8)'
    assert "Error: " in failure.why
    assert ".py:" in failure.why


def test_a_rule_that_fails_for_its_open_alert_alone_stops_not_the_end_of_another() -> None:
    """The unit is silent, so that no reading is judged."""
    known = directory([device()], [rule(id=8, name="worse", scope=None), rule(enabled=False)])
    held = [alert("reading_out_of_range:7"), alert("reading_out_of_range:8"), alert("reading_out_of_range:5")]
    found = look_at(world([unit(age_s=1000.0)], known=known, alerts=held), NOW)
    ends = {condition for _, condition, what in said(found.sightings) if what == "ended"}
    assert ends == {"reading_out_of_range:7", "reading_out_of_range:5"}
    assert [failure.who for failure in found.failures] == ['rule "worse" (id 8)']


def test_a_watcher_that_fails_is_named_and_stops_no_other() -> None:
    """A wish for tests that is no number of days."""
    known = directory([device(test_every_days="often", warranty_until=date(2026, 11, 1))], [BUSY])
    found = look_at(world([unit(load_pct=99.0)], known=known, first_seen={UNIT: ago(9e6)}), NOW)
    assert {condition for _, condition, _ in said(found.sightings)} == {"reading_out_of_range:7", "warranty_expires"}
    assert [failure.who for failure in found.failures] == ["watcher tests"]


def test_where_nothing_can_be_seen_every_watcher_fails_by_itself() -> None:
    """A directory without devices, sites and rules, not even none."""
    nothing = msgspec.structs.replace(directory(), devices=None, sites=None, rules=None)
    found = look_at(world([unit(load_pct=99.0)], known=nothing), NOW)
    names = [failure.who.removeprefix("watcher ") for failure in found.failures]
    assert {"dark", "sites", "thresholds", "dates", "tests"} <= set(names) <= set(WATCHERS)
    assert len(names) == len(set(names))


def test_s6_what_is_said_of_a_failure_is_one_line_of_printable_characters_with_a_limit() -> None:
    known = directory([device()], [rule(name="busy\x1b[31m\n" * 50, limit="\r\n\x1b" * 500)])
    (failure,) = look_at(world([unit(load_pct=99.0)], known=known), NOW).failures
    assert failure.who.isprintable()
    assert failure.why.isprintable()
    assert len(failure.who + failure.why) <= 400
