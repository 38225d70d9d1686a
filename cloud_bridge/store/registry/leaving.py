"""What the links in notices change: who gets no more of them, and which mute is over. Each function works inside its
caller's transaction, which other processes have to notice. Instants are UTC milliseconds.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, insert, select

from cloud_bridge.alerts.model import Phase, Subject, unit_of
from cloud_bridge.store.registry import heard, reasons
from cloud_bridge.store.registry.alert_tables import alerts, devices, mutes, policies, told, unsubscribed
from cloud_bridge.store.registry.reasons import Reason

UNSUBSCRIBED, TURNED_ON = "unsubscribed", "turned_on"
"""Codes of reasons."""


class PolicyRow(msgspec.Struct, frozen=True):
    """What a page says of a policy, and where its notices go."""

    id: int
    name: str
    channel: int


class MutedDevice(msgspec.Struct, frozen=True):
    """A device whose notifications are off until then. `label`: as people know it."""

    id: int
    subject: Subject
    label: str
    until: int


def find_policy(connection: Connection, policy: int) -> PolicyRow | None:
    query = select(policies.c.id, policies.c.name, policies.c.channel).where(policies.c.id == policy)
    row = connection.execute(query).first()
    return PolicyRow(row.id, row.name, row.channel) if row else None


def is_unsubscribed(connection: Connection, address: str, policy: int) -> bool:
    return connection.execute(select(unsubscribed.c.at).where(_is(address, policy))).first() is not None


def unsubscribe(connection: Connection, address: str, policy: PolicyRow, channel: int, now: int) -> bool:
    """`address` gets nothing more by `policy`, as each open alert that `channel` heard of will say. False if it got
    nothing before."""
    # Who locks the policy's row is the only one who looks.
    connection.execute(select(policies.c.id).where(policies.c.id == policy.id).with_for_update())
    if is_unsubscribed(connection, address, policy.id):
        return False
    connection.execute(insert(unsubscribed).values(address=address.lower(), policy=policy.id, at=now))
    of = select(alerts.c.id, told.c.number).join(told, told.c.alert == alerts.c.id)
    steps = connection.execute(of.where(told.c.channel == channel, alerts.c.phase != Phase.RESOLVED.value))
    sentence = f"{address} unsubscribed from policy {policy.name} by the link in a notice"
    _note(connection, [(one.id, one.number) for one in steps], now, UNSUBSCRIBED, sentence, policy.id, channel)
    return True


def find_muted(connection: Connection, mute_id: str, now: int) -> MutedDevice | None:
    """The device of a mute that is not over."""
    of = select(devices, mutes.c.until).join(mutes, mutes.c.device == devices.c.id)
    row = connection.execute(of.where(mutes.c.id == mute_id, mutes.c.until > now)).first()
    if row is None:
        return None
    name = str(msgspec.json.decode(row.body).get("name") or "")
    return MutedDevice(row.id, unit_of(row.gateway, row.unit), name or f"{row.gateway}/{row.unit}", row.until)


def turn_on(connection: Connection, mute_id: str, now: int, by: str) -> MutedDevice | None:
    """Notifications of the device are on again, counted from zero, as each open alert of it will say; None if the mute
    is over already. `by`: whose doing it is, as in `by ada`."""
    device = find_muted(connection, mute_id, now)
    # Of two at once the one that removes it did it.
    if device is None or not connection.execute(delete(mutes).where(mutes.c.id == mute_id)).rowcount:
        return None
    heard.end_mutes(connection, device.id)
    of = (alerts.c.subject == str(device.subject)) & (alerts.c.phase != Phase.RESOLVED.value)
    steps = [(alert, 0) for alert in connection.execute(select(alerts.c.id).where(of)).scalars()]
    sentence = f"notifications of {device.label} were turned on again {by}"
    _note(connection, steps, now, TURNED_ON, sentence)
    return device


def _is(address: str, policy: int) -> ColumnElement[bool]:
    return (unsubscribed.c.address == address.lower()) & (unsubscribed.c.policy == policy)


def _note(
    connection: Connection,
    steps: list[tuple[str, int]],
    now: int,
    code: str,
    sentence: str,
    policy: int | None = None,
    channel: int | None = None,
) -> None:
    if steps:
        one = Reason(id=0, alert="", number=0, at=now, code=code, policy=policy, channel=channel, reason=sentence)
        reasons.add_reason(connection, steps, one)
