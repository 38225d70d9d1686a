"""What the watchers find, told by the alerts role as a process, on real files and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud_bridge.alerts.model import Phase
from cloud_bridge.alerts.terms import Rule, Site
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.registry import people, values
from drivers.ups import Severity
from gateway.wire.messages import Lane
from tests.cloud_bridge.alerting import G, House, Mails, mails, now_stamp
from tests.cloud_bridge.talker import eventually
from tests.cloud_bridge.words import outage, parcel, status
from tests.conftest import Start

UNITS = ("rack-1", "rack-2", "rack-3")


@pytest.fixture
def post() -> Iterator[Mails]:
    with mails() as post:
        yield post


@pytest.fixture
def house(tmp_path: Path, post: Mails) -> Iterator[House]:
    made = House(tmp_path / "cloud", post.box.port, units=UNITS, on_battery_hold_s=4)
    yield made
    made.close()


def at_one_site(house: House) -> None:
    with house.registry() as registry, registry.writing(noticed=True) as connection:
        site = values.added(connection, Site(id=0, owner=house.owner.id, name="cellar"))
        for device in house.devices.values():
            people.save_device(connection, msgspec.structs.replace(device, site=site.id))


def test_units_of_one_site_that_lose_their_mains_at_once_are_one_mail_that_lists_them(
    house: House, post: Mails, start: Start
) -> None:
    at_one_site(house)
    house.role(start)
    house.tells_all([(unit, "on_battery", {"runtime_s": 1200, "charge_pct": 99}) for unit in UNITS])
    assert post.wait(1) == ["[warning] cellar: site outage"]
    body = post.all[0].get_body(("plain",))
    assert body is not None
    assert all(f"{G}/{unit}" in body.get_content() for unit in UNITS)
    eventually(lambda: {one.phase for one in house.alerts()} == {Phase.FIRING}, "not everything fired")
    house.tells_all([(unit, "mains_restored", {}) for unit in UNITS])
    assert post.wait(2)[1].startswith("[over] cellar")
    eventually(lambda: {one.phase for one in house.alerts()} == {Phase.RESOLVED}, "not everything is over")
    assert len(house.notifications()) == 2


def test_a_battery_that_ran_short_is_told_when_its_outage_is(house: House, post: Mails, start: Start) -> None:
    house.role(start)
    stamp = now_stamp()
    raw = outage(stamp, ended="output_off", delivered_s=120.0, began_at=stamp.at - 180_000, ended_at=stamp.at - 60_000)
    with house.telemetry.transaction():
        house.telemetry.take(G, parcel(1, raw), now_ms())
    assert post.wait(1) == [f"[warning] {G}/rack-1: battery ran short"]


def test_a_reading_beyond_an_owners_limit_is_told(house: House, post: Mails, start: Start) -> None:
    with house.registry() as registry, registry.writing(noticed=True) as connection:
        rule = Rule(id=0, owner=house.owner.id, name="busy", reading="load_pct", above=True, limit=80.0, for_s=0)
        values.added(connection, rule)
    house.role(start)
    with house.telemetry.transaction():
        at = now_ms()
        house.telemetry.live(at - 3_600_000, at - 3_600_000)
        house.telemetry.see(G, at)
        house.telemetry.take(G, parcel(1, status(load_pct=91.5, stamped=now_stamp()), lane=Lane.STATUS), at)
    (subject,) = post.wait(1)
    assert subject == f"[warning] {G}/rack-1: reading out of range"
    assert "91.5" in str(post.all[0].get_body(("plain",)))


def test_an_outage_whose_end_was_lost_is_over_when_the_units_status_says_so(
    tmp_path: Path, post: Mails, start: Start
) -> None:
    """The gateway's store lost the event (a gap): the alert neither stays open nor becomes critical."""
    house = House(tmp_path / "lost", post.box.port)
    house.role(start)
    house.tells("on_battery", received_at=now_ms() - 60_000, charge_pct=99)
    assert post.wait(1) == ["[warning] pi-a/rack-1: on battery"]
    reports_that_all_is_well(house)
    assert post.wait(2)[1] == "[over] pi-a/rack-1: mains restored"
    assert [(alert.phase, alert.worst) for alert in house.alerts()] == [(Phase.RESOLVED, Severity.WARNING)]
    house.close()


def test_s22_an_outage_of_an_hour_ago_whose_end_was_lost_never_becomes_critical(
    tmp_path: Path, post: Mails, start: Start
) -> None:
    """The role was down meanwhile: that it has been so for an hour is less than what the unit says now."""
    house = House(tmp_path / "lost", post.box.port)
    house.tells("on_battery", received_at=now_ms() - 3_600_000, charge_pct=99)
    reports_that_all_is_well(house)
    house.role(start)
    post.wait(1)
    eventually(lambda: [alert.phase for alert in house.alerts()] == [Phase.RESOLVED], "it is not over")
    assert [alert.worst for alert in house.alerts()] == [Severity.WARNING]
    assert not any("critical" in subject for subject in post.subjects)
    house.close()


def reports_that_all_is_well(house: House) -> None:
    """In full, 20 s ago, and a little that changed since; the gateway is heard."""
    at = now_ms()
    stamps = [msgspec.structs.replace(now_stamp(), at=at - age_ms) for age_ms in (20_000, 18_000)]
    full = status(state="online", flags=[], charge_pct=99.0, stamped=stamps[0])
    changed = status(full=False, charge_pct=100.0, stamped=stamps[1])
    with house.telemetry.transaction():
        house.telemetry.live(at - 3_600_000, at - 3_600_000)
        house.telemetry.see(G, at)
        for number, (raw, stamp) in enumerate(zip((full, changed), stamps, strict=True), start=1):
            sent = msgspec.structs.replace(parcel(number, raw, lane=Lane.STATUS), sent_at=stamp.at)
            house.telemetry.take(G, sent, stamp.at)
