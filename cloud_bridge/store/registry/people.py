"""Owners, their sites, and devices. Each function works inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from cloud_bridge.alerts.terms import Device, Owner, Site
from cloud_bridge.store.registry import upsert, values
from cloud_bridge.store.registry.alert_tables import counted, devices, tags
from drivers.ups import clean_text

Unit = tuple[str, str, str, str]
"""Gateway, unit, serial number, model; what is not known is empty."""


def owners(connection: Connection) -> list[Owner]:
    return values.every(connection, Owner)


def sites(connection: Connection) -> list[Site]:
    return values.every(connection, Site)


def all_devices(connection: Connection) -> list[Device]:
    """With their tags, in the order of the alphabet."""
    tagged: dict[int, list[str]] = {}
    for device, tag in connection.execute(select(tags.c.device, tags.c.tag).order_by(tags.c.tag)):
        tagged.setdefault(device, []).append(tag)

    def its_tags(row: Row[Any]) -> Mapping[str, object]:
        return {"tags": tagged.get(row.id, [])}

    return values.every(connection, Device, its_tags)


def add_device(connection: Connection, device: Device) -> Device:
    made = values.added(connection, device)
    _tag(connection, made)
    return made


def save_device(connection: Connection, device: Device) -> None:
    values.saved(connection, device)
    connection.execute(delete(tags).where(tags.c.device == device.id))
    _tag(connection, device)


def remove_device(connection: Connection, device: Device) -> None:
    """It comes back, without an owner, when its gateway speaks of it again."""
    connection.execute(delete(counted).where(counted.c.device == device.id))
    values.removed(connection, device)


def seen(connection: Connection, units: Iterable[Unit]) -> list[Device]:
    """Takes in the units that gateways speak of; those, as they were, in whose place there is another unit now.

    Owner, site, tags and dates belong to the unit with the serial number, not to its name: another unit under the name
    is another device. They go along with no serial number either, since any gateway can say any: that is for whoever
    assigns devices.
    """
    spoken = {(gateway, unit): (clean_text(serial), clean_text(model)) for gateway, unit, serial, model in units}
    known = _named(connection, {gateway for gateway, _ in spoken})
    replaced = []
    for name, (serial, model) in spoken.items():
        before = known.get(name)
        if before is None:
            _add(connection, name, serial, model)
        elif serial and before.serial not in ("", serial):
            remove_device(connection, before)
            _add(connection, name, serial, model)
            replaced.append(before)
        elif (serial or before.serial, model or before.model) != (before.serial, before.model):
            known_now = {"serial": serial or before.serial, "model": model or before.model}
            save_device(connection, msgspec.structs.replace(before, **known_now))
    return replaced


def _named(connection: Connection, gateways: set[str]) -> dict[tuple[str, str], Device]:
    of_these = (each for each in all_devices(connection) if each.gateway in gateways) if gateways else ()
    return {(each.gateway, each.unit): each for each in of_these}


def _add(connection: Connection, name: tuple[str, str], serial: str, model: str) -> None:
    """Unless another process did at the same moment."""
    device = Device(id=0, gateway=name[0], unit=name[1], serial=serial, model=model)
    row = values.columns(device, devices)
    del row["id"]
    upsert.add_new(connection, devices, [row])


def _tag(connection: Connection, device: Device) -> None:
    for tag in dict.fromkeys(device.tags):
        connection.execute(insert(tags).values(device=device.id, tag=tag))
