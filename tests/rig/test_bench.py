"""What the parts of the benchmark make of what they measured."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from cloud_bridge.alerts.model import Alert, Kind, Phase, Subject, unit_of
from cloud_bridge.alerts.notice import About, Notification, State
from drivers.ups import CATALOGUE, Severity
from simulator.rig.bench import mails, storm
from simulator.rig.bench.disk import LIMIT_MB, MB, OUTAGES_A_DAY, Written
from simulator.rig.bench.footprint import OURS, Window, compared, memory
from simulator.rig.bench.transfers import KINDS, NUT_ABOUT, results, wait_s
from simulator.rig.peers.nut import notifications
from simulator.rig.peers.rivals import MODPOLL, THINGSBOARD, Rivals
from simulator.rig.truth import Happened, Legs
from simulator.rig.usage import Usage


def used(processor_ms: float, resident_mb: float = 30.0) -> tuple[Usage, Usage]:
    """A window in which so much processor time was used."""
    before = Usage(resident_mb=1.0, processor_ns=7_000_000, written_bytes=0, handles=1)
    after_ns = 7_000_000 + round(processor_ms * 1e6)
    return before, Usage(resident_mb=resident_mb, processor_ns=after_ns, written_bytes=0, handles=1)


def test_programs_are_compared_by_the_poll_not_by_the_minute() -> None:
    window = Window(
        used={OURS: used(90.0), MODPOLL: used(112.0, 35.5), THINGSBOARD: used(2400.0, 66.0)},
        polls={OURS: 60, MODPOLL: 56, THINGSBOARD: 60},
        seconds=60.0,
        ordered_mb=41.0,
    )
    found = {each.name: each for each in compared(window)}
    assert found["ours: processor time a poll"].value == pytest.approx(1.5)
    assert found["modpoll: processor time a poll"].value == pytest.approx(2.0)
    assert found["thingsboard-gateway: processor time a poll"].value == pytest.approx(40.0)
    assert found["modpoll: resident memory, 1 unit"].value == 35.5
    share = found["ours: processor time a poll, as a share of modpoll's"]
    assert share.value == pytest.approx(0.75)
    assert share.limit == 1.0
    assert [(each.value, each.holds) for each in memory(1, window)] == [(30.0, True), (41.0, False)]
    assert all(each.holds for each in memory(8, window))


def test_a_day_on_the_disk_is_its_quiet_seconds_and_its_outages() -> None:
    day, away, outages = Written(quiet_a_s=100.0, away_a_s=600.0, an_outage=2 * MB).results()
    assert day.value == pytest.approx(8.64 + OUTAGES_A_DAY * 2)
    assert away.value == pytest.approx(51.84 + OUTAGES_A_DAY * 2)
    assert (day.holds, away.holds) == (True, False)
    assert day.limit == away.limit == LIMIT_MB
    assert outages.limit is None


def test_each_line_has_its_own_limits_and_nut_none() -> None:
    rows = {kind.about: [0.1, 0.6] for kind in KINDS.values()} | {NUT_ABOUT: [9.0]}
    found = {each.name: each for each in results(rows)}
    assert found["Modbus RTU, 9600 baud, fast_status_hz: 5: median"].holds
    assert not found["Modbus RTU, 9600 baud, fast_status_hz: 5: 99th percentile"].holds
    assert found["Modbus RTU, 9600 baud, defaults: 99th percentile"].limit == 1.3
    assert found["SmartConnect port, defaults: median"].limit == 1.3
    assert found[f"{NUT_ABOUT}: median"].value == 9.0
    assert found[f"{NUT_ABOUT}: median"].limit is None


def test_outages_begin_at_moments_that_lie_evenly_between_two_readings() -> None:
    # Each is waited for from another now.
    moments = sorted((31.7 * number + wait_s(number, 2.0, 31.7 * number)) % 2.0 for number in range(100))
    gaps = [after - before for before, after in pairwise([*moments, moments[0] + 2.0])]
    assert max(gaps) < 2.0 / 100 * 2.7
    assert all(0 <= wait_s(number, 2.0, 1234.5) < 2.0 for number in range(100))


def test_notifications_are_told_apart_by_unit_and_kind() -> None:
    text = (
        "1795507645000000000 ONBATT nut-1@127.0.0.1:3493\n"
        "1795507646500000000 ONBATT nut-2@127.0.0.1:3493\n"
        "1795507650000000000 ONLINE nut-1@127.0.0.1:3493\n"
        "1795507660250000000 ONBATT nut-1@127.0.0.1:3493\n"
    )
    found = notifications(text)
    assert list(found) == [("nut-1", "ONBATT"), ("nut-2", "ONBATT"), ("nut-1", "ONLINE")]
    assert found["nut-1", "ONBATT"] == pytest.approx([1795507645.0, 1795507660.25], abs=1e-6)
    assert found["nut-1", "ONLINE"] == pytest.approx([1795507650.0], abs=1e-6)


def test_modpolls_polls_are_counted_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "modpoll.log"
    line = "2026-11-24 07:58:04,216 | I | modpoll.main |  === Modpoll is polling at rate:1.0s, actual:1.05s ===\n"
    log.write_text("Modpoll v1.6.0\n" + line + "something else\n" + line)
    assert Rivals({}, log).modpoll_polls() == 2


# mails


def test_the_way_of_a_mail_is_told_whole_and_without_the_wait_for_the_poll() -> None:
    at = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    happened = Happened(unit="rtu5-1", type="on_battery", at=at)
    way = mails.Way(happened, Legs(wait=100.0, read=60.0, outbox=10.0, broker=5.0, ingest=5.0), at.timestamp() + 0.25)
    assert way.total_s == pytest.approx(0.25, abs=1e-6)
    assert way.carried_s == pytest.approx(0.15, abs=1e-6)
    assert way.alerted_s == pytest.approx(0.07, abs=1e-6)


def test_a_mail_has_its_limits_and_nut_none() -> None:
    rows = {mails.OURS: [0.3, 1.2], mails.CARRIED: [0.1, 0.14], mails.NUT_ABOUT: [2.5, 6.3]}
    found = {each.name: each for each in mails.results(rows)}
    assert found[f"{mails.OURS}: median"].holds
    assert not found[f"{mails.OURS}: 99th percentile"].holds
    assert found[f"{mails.CARRIED}: 99th percentile"].limit == 0.15
    assert found[f"{mails.NUT_ABOUT}: 99th percentile"].limit is None


# the storm


def alert(
    unit: str,
    condition: str = "overload",
    worst: Severity = Severity.CRITICAL,
    covered_by: str = "",
    subject: Subject | None = None,
    onset_at: int = 0,
    resolved_at: int | None = None,
) -> Alert:
    return Alert(
        id=f"{unit}-{condition}",
        subject=subject or unit_of("g", unit),
        condition=condition,
        mark="m",
        number=1,
        phase=Phase.FIRING,
        stage=condition,
        severity=worst,
        worst=worst,
        onset_at=onset_at,
        changed_at=onset_at,
        covered_by=covered_by,
        resolved_at=resolved_at,
    )


def notification(*ids: str, severity: Severity = Severity.CRITICAL) -> Notification:
    return Notification(
        id="n",
        channel=1,
        policy=1,
        device=None,
        about=About.ALERT,
        severity=severity,
        alerts=tuple((each, 1) for each in ids),
        group="",
        created_at=0,
        due_at=0,
        state=State.SENT,
    )


A, B = ("unit:g/a", "overload"), ("unit:g/b", "overload")


def test_a_critical_that_a_critical_notice_names_is_not_lost() -> None:
    assert storm.lost_criticals({A}, [alert("a")], [notification("a-overload")]) == set()


def test_a_critical_is_lost_that_nothing_names_or_only_a_warning() -> None:
    assert storm.lost_criticals({A}, [alert("a")], []) == {A}
    assert storm.lost_criticals({A}, [alert("a")], [notification("a-overload", severity=Severity.WARNING)]) == {A}


def test_a_critical_event_that_made_no_critical_alert_is_lost() -> None:
    assert storm.lost_criticals({A, B}, [alert("b", worst=Severity.WARNING)], []) == {A, B}


def test_a_critical_is_told_by_the_incident_that_covers_it_if_that_was_told_as_critical() -> None:
    covered = [alert("a", covered_by="site"), alert("b", covered_by="other")]
    assert storm.lost_criticals({A, B}, covered, [notification("site")]) == {B}


def test_a_critical_is_told_by_its_sites_incident_while_that_lasts() -> None:
    site = Subject(Kind.SITE, "7")
    incident = alert("s", "site_outage", subject=site, onset_at=100, resolved_at=200)
    sites, told = {A[0]: "site:7", B[0]: "site:8"}, [notification("s-site_outage")]
    during, before = alert("a", onset_at=150), alert("a", onset_at=10, resolved_at=99)
    assert storm.lost_criticals({A}, [incident, during], told, sites) == set()
    assert storm.lost_criticals({A}, [incident, before], told, sites) == {A}
    assert storm.lost_criticals({B}, [incident, alert("b", onset_at=150)], told, sites) == {B}
    assert A in storm.lost_criticals({A}, [incident, during], [], sites)


def test_the_storm_is_what_its_name_says_and_every_unit_has_its_story_in_order() -> None:
    table = storm.timetable()
    assert (len(table), storm.UNITS) == (10_000, 1_000)
    stories: dict[tuple[str, str], list[str]] = {}
    for gateway, unit, kind in table:
        stories.setdefault((gateway, unit), []).append(kind)
    assert len(stories) == 1_000
    assert set(map(tuple, stories.values())) == {storm.SCRIPT}
    assert set(storm.SCRIPT) <= CATALOGUE.keys()


def test_every_unit_of_the_storm_has_one_owner_and_one_site() -> None:
    homes = storm.households()
    devices = Counter(device for each in homes for there in each.devices.values() for device in there)
    assert len(homes) == storm.OWNERS
    assert set(devices.values()) == {1}
    assert devices.keys() == {f"{gateway}/{unit}" for gateway, unit, _ in storm.timetable()}


def test_what_is_critical_in_the_storm_is_known_by_unit_and_condition() -> None:
    assert storm.critical_of([("g", "a", "overload"), ("g", "a", "fan_fault"), ("g", "b", "overload")]) == {A, B}
    assert len(storm.critical_of(storm.timetable())) == 3 * storm.UNITS
