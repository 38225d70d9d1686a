"""What was told to whom, and how often: what routing goes by. Each function works inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from cloud_bridge.alerts.model import Phase, What
from cloud_bridge.alerts.standing import Mute, Told
from cloud_bridge.store.registry import upsert
from cloud_bridge.store.registry.alert_tables import alerts, counted, mutes, reasons, told, unsubscribed
from drivers.ups import Severity

_mute = msgspec.json.Decoder(Mute)
_json = msgspec.json.Encoder()


def keep_told(connection: Connection, heard: Mapping[tuple[str, int], Told]) -> None:
    rows = [
        {"alert": alert, "channel": channel, "worst": one.worst.value, "number": one.number, "at": one.at}
        for (alert, channel), one in heard.items()
    ]
    upsert.keep(connection, told, rows)


def told_of_open(connection: Connection) -> dict[tuple[str, int], Told]:
    """Of alerts that are not over."""
    rows = connection.execute(
        select(told).join(alerts, alerts.c.id == told.c.alert).where(alerts.c.phase != Phase.RESOLVED.value)
    )
    return {(row.alert, row.channel): Told(worst=Severity(row.worst), number=row.number, at=row.at) for row in rows}


def withheld_of_open(connection: Connection, codes: Collection[str]) -> dict[tuple[str, int], int]:
    """Of alerts that are not over: the newest step that was withheld from a channel by one of these codes."""
    newest = func.max(reasons.c.number)
    rows = connection.execute(
        select(reasons.c.alert, reasons.c.channel, newest)
        .join(alerts, alerts.c.id == reasons.c.alert)
        .where(alerts.c.phase != Phase.RESOLVED.value, reasons.c.code.in_(codes), reasons.c.channel.is_not(None))
        .group_by(reasons.c.alert, reasons.c.channel)
    )
    return {(alert, channel): number for alert, channel, number in rows}


def escalated(connection: Connection) -> frozenset[tuple[str, str]]:
    """(Alert id, by what) of each escalation of alerts that are not over."""
    rows = connection.execute(
        select(reasons.c.alert, reasons.c.by_name)
        .join(alerts, alerts.c.id == reasons.c.alert)
        .where(alerts.c.phase != Phase.RESOLVED.value)
        .where(reasons.c.code == What.ESCALATED.value, reasons.c.stage.is_not(None))
    )
    return frozenset((alert, by) for alert, by in rows)


def add_counted(connection: Connection, rows: Iterable[tuple[str, int, int, int]]) -> None:
    """(Alert id, number, device, instant) of what the flood rule counts; each once."""
    values = [{"alert": alert, "number": number, "device": device, "at": at} for alert, number, device, at in rows]
    upsert.add_new(connection, counted, values)


def counted_since(connection: Connection, since: int) -> dict[int, tuple[int, ...]]:
    """By device, oldest first."""
    found: dict[int, list[int]] = {}
    query = select(counted.c.device, counted.c.at).where(counted.c.at >= since).order_by(counted.c.at)
    for device, at in connection.execute(query):
        found.setdefault(device, []).append(at)
    return {device: tuple(instants) for device, instants in found.items()}


def keep_mutes(connection: Connection, kept: Iterable[Mute], begun: Collection[str] | None = None) -> None:
    """Each as it is now. `begun`: ids of those that are new, if not all may be: another was ended by a link."""
    for one in kept:
        row = {"id": one.id, "since": one.since, "until": one.until, "body": _json.encode(one).decode()}
        if begun is None or one.id in begun:
            upsert.keep(connection, mutes, [{"device": one.device, **row}])
        else:
            known = (mutes.c.device == one.device) & (mutes.c.id == one.id)
            connection.execute(update(mutes).where(known).values(row))


def all_mutes(connection: Connection) -> dict[int, Mute]:
    """By device."""
    return {one.device: one for one in map(_mute.decode, connection.execute(select(mutes.c.body)).scalars())}


def end_mutes(connection: Connection, device: int) -> None:
    """Notifications of the device are on again, counted from zero."""
    connection.execute(delete(mutes).where(mutes.c.device == device))
    connection.execute(delete(counted).where(counted.c.device == device))


def all_unsubscribed(connection: Connection) -> frozenset[tuple[str, int]]:
    """(Address in lower case, policy id)."""
    rows = connection.execute(select(unsubscribed.c.address, unsubscribed.c.policy))
    return frozenset((address, policy) for address, policy in rows)
