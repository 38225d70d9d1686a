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
