"""Owners, sites and devices in the registry, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, update

from cloud_bridge.alerts.standing import Mute
from cloud_bridge.alerts.terms import Device, Owner, Site
from cloud_bridge.store.registry import heard, people, values
from cloud_bridge.store.registry.alert_tables import owners
from cloud_bridge.store.registry.registry import Registry

NOW = 1_795_487_455_123
RACK = ("pi-1", "rack-1", "AS1", "Smart-UPS 1500")


def owner(registry: Registry, name: str = "Ada") -> Owner:
    with registry.writing() as connection:
        made = Owner(id=0, name=name, email="ada@example.net", time_zone="Europe/Berlin", created_at=NOW)
        return values.added(connection, made)


def see(registry: Registry, *units: people.Unit) -> list[Device]:
    with registry.writing() as connection:
        return people.seen(connection, units)


def devices(registry: Registry) -> list[Device]:
    with registry.reading() as connection:
        return people.all_devices(connection)


def assigned(registry: Registry) -> Device:
    """The rack with everything that a device can have."""
    see(registry, RACK)
    whose = owner(registry)
    with registry.writing() as connection:
        site = values.added(connection, Site(id=0, owner=whose.id, name="Cellar"))
        device = replace(
            people.all_devices(connection)[0],
            name="the big one",
            owner=whose.id,
            site=site.id,
            tags=("critical", "lab"),
            battery_due_on=date(2027, 1, 31),
            warranty_until=date(2028, 2, 29),
            test_every_days=14,
        )
        people.save_device(connection, device)
    return device


def test_an_owner_and_a_site_are_read_as_they_were_added(registry: Registry) -> None:
    ada = owner(registry)
    with registry.writing() as connection:
        site = values.added(connection, Site(id=0, owner=ada.id, name="Cellar"))
        values.saved(connection, replace(ada, email="new@example.net"))
    with registry.reading() as connection:
        assert people.owners(connection) == [replace(ada, email="new@example.net")]
        assert people.sites(connection) == [site]
        assert site.id > 0


def test_a_device_is_read_as_it_was_saved(registry: Registry) -> None:
    saved = assigned(registry)
    assert devices(registry) == [saved]


def test_a_device_saved_without_tags_has_none(registry: Registry) -> None:
    device = assigned(registry)
    with registry.writing() as connection:
        people.save_device(connection, replace(device, tags=()))
    assert devices(registry)[0].tags == ()


def test_a_unit_that_is_heard_of_is_there_and_nobodys(registry: Registry) -> None:
    assert see(registry, RACK, ("pi-2", "rack-1", "", "")) == []
    first, second = devices(registry)
    assert (first.gateway, first.unit, first.serial, first.model) == RACK
    assert first.owner is None
    assert (second.gateway, second.serial) == ("pi-2", "")


def test_hearing_of_units_again_changes_nothing(registry: Registry) -> None:
    device = assigned(registry)
    for _ in range(2):
        assert see(registry, RACK, RACK) == []
    assert see(registry, ("pi-1", "rack-1", "", "")) == []
    assert see(registry) == []
    assert devices(registry) == [device]


def test_a_serial_number_that_was_unknown_is_taken_and_the_owner_stays(registry: Registry) -> None:
    see(registry, ("pi-1", "rack-1", "", ""))
    with registry.writing() as connection:
        before = people.all_devices(connection)[0]
        people.save_device(connection, replace(before, name="mine"))
    assert see(registry, RACK) == []
    after = devices(registry)[0]
    assert (after.id, after.name, after.serial, after.model) == (before.id, "mine", "AS1", "Smart-UPS 1500")


def test_a_unit_that_takes_anothers_place_begins_without_owner_site_tags_and_dates(registry: Registry) -> None:
    before = assigned(registry)
    with registry.writing() as connection:
        heard.keep_mutes(connection, [Mute(device=before.id, id="m", since=NOW, until=NOW + 1)])
    assert see(registry, ("pi-1", "rack-1", "AS2", "Smart-UPS 750")) == [before]
    after = devices(registry)[0]
    expected = Device(id=after.id, gateway="pi-1", unit="rack-1", serial="AS2", model="Smart-UPS 750")
    assert after == expected
    with registry.reading() as connection:
        assert heard.all_mutes(connection) == {}


def test_a_serial_number_under_another_name_takes_no_owner_along(registry: Registry) -> None:
    """Any gateway can say any serial number."""
    before = assigned(registry)
    assert see(registry, ("pi-evil", "rack-1", "AS1", "")) == []
    mine, other = devices(registry)
    assert mine == before
    assert other.owner is None


def test_s6_what_a_unit_says_of_itself_is_printable_and_short(registry: Registry) -> None:
    see(registry, ("pi-1", "rack-1", "AS\r\n1\x1b[31m", "m" * 100))
    device = devices(registry)[0]
    assert device.serial == "AS1[31m"
    assert len(device.model) == 64


def test_devices_of_an_owner_that_is_removed_are_nobodys(registry: Registry) -> None:
    device = assigned(registry)
    with registry.writing() as connection:
        values.removed(connection, people.owners(connection)[0])
    left = devices(registry)[0]
    assert (left.owner, left.site) == (None, None)
    assert left.serial == device.serial


def test_a_removed_device_comes_back_as_new(registry: Registry) -> None:
    device = assigned(registry)
    with registry.writing() as connection:
        people.remove_device(connection, device)
    assert devices(registry) == []
    see(registry, RACK)
    assert (devices(registry)[0].owner, devices(registry)[0].tags) == (None, ())


@pytest.mark.parametrize("body", ["", "[]", '{"email": 3}', '{"email": "a@b.c", "later": 1}', "{}"])
def test_an_owner_that_cannot_be_read_is_told_and_left_out(
    registry: Registry, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    ada, bob = owner(registry), owner(registry, "Bob")
    with registry.writing() as connection:
        connection.execute(update(owners).where(owners.c.id == ada.id).values(body=body))
    with registry.reading() as connection:
        assert people.owners(connection) == [bob]
    assert f"owners {ada.id} can't be read" in caplog.text


def test_a_field_that_came_later_has_its_default_in_rows_made_before(registry: Registry) -> None:
    with registry.writing() as connection:
        connection.execute(insert(owners).values(name="Old", created_at=NOW, body='{"email": "old@example.net"}'))
        assert people.owners(connection)[0].time_zone == "UTC"
