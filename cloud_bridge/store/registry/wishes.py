"""Channels, policies, rules, silences, routes: what people want to be told. Each function works inside its caller's
transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Row, delete, insert, select

from cloud_bridge.alerts.notice import State
from cloud_bridge.alerts.terms import Channel, Policy, Rule, Silence
from cloud_bridge.errors import CloudError
from cloud_bridge.store.registry import alert_tables, alerting, values
from cloud_bridge.store.registry.alert_tables import routes, silences, told, unsubscribed

ROUTES_KEPT = 20
SILENCES_KEPT_MS = 90 * 86_400_000

log = logging.getLogger(__name__)


def channels(connection: Connection, open_target: Callable[[bytes], str]) -> list[Channel]:
    """One whose target can't be decrypted has none: what is sent there fails, and that is told."""

    def target(row: Row[Any]) -> dict[str, object]:
        try:
            return {"target": open_target(row.target)}
        except CloudError as error:
            log.error("channel %s: %s", row.id, error)
            return {"target": ""}

    return values.every(connection, Channel, target)


def any_channel(connection: Connection) -> bool:
    return connection.execute(select(alert_tables.channels.c.id).limit(1)).first() is not None


def add_channel(connection: Connection, channel: Channel, sealed: bytes) -> Channel:
    return values.added(connection, channel, target=sealed)


def save_channel(connection: Connection, channel: Channel, sealed: bytes) -> None:
    values.saved(connection, channel, target=sealed)


def remove_channel(connection: Connection, channel: Channel) -> None:
    """With every policy that leads to it; what still waits for it does not leave."""
    waiting = [each for each in alerting.waiting(connection) if each.channel == channel.id]
    alerting.keep_notifications(connection, (replace(each, state=State.WITHDRAWN) for each in waiting))
    connection.execute(delete(told).where(told.c.channel == channel.id))
    values.removed(connection, channel)


def policies(connection: Connection) -> list[Policy]:
    return values.every(connection, Policy)


def add_policy(connection: Connection, policy: Policy) -> Policy:
    return values.added(connection, policy)


def save_policy(connection: Connection, policy: Policy) -> list[str]:
    """Whoever had unsubscribed from it and is subscribed again (smartconnect.md: the owner's saving does that)."""
    values.saved(connection, policy)
    left = delete(unsubscribed).where(unsubscribed.c.policy == policy.id).returning(unsubscribed.c.address)
    return sorted(connection.execute(left).scalars())


def unsubscribers(connection: Connection) -> dict[int, list[str]]:
    """Addresses that left, by the policy's id."""
    found: dict[int, list[str]] = {}
    query = select(unsubscribed.c.policy, unsubscribed.c.address).order_by(unsubscribed.c.address)
    for policy, address in connection.execute(query):
        found.setdefault(policy, []).append(address)
    return found


def rules(connection: Connection) -> list[Rule]:
    return values.every(connection, Rule)


def all_silences(connection: Connection) -> list[Silence]:
    return values.every(connection, Silence)


def add_silence(connection: Connection, silence: Silence, now: int) -> Silence:
    connection.execute(delete(silences).where(silences.c.ends_at < now - SILENCES_KEPT_MS))
    return values.added(connection, silence)


def end_silence(connection: Connection, silence: Silence, now: int) -> Silence:
    """One that has not begun never does."""
    ended = replace(silence, ends_at=now, starts_at=min(silence.starts_at, now))
    values.saved(connection, ended)
    return ended


def newest_routes(connection: Connection) -> str:
    """The operator's tree as it was given; empty if there is none."""
    query = select(routes.c.text).order_by(routes.c.id.desc()).limit(1)
    return connection.execute(query).scalar_one_or_none() or ""


def save_routes(connection: Connection, text: str, now: int) -> None:
    """The last few before it are kept, for whoever wants to know what it was."""
    newest = connection.execute(insert(routes).values(saved_at=now, text=text).returning(routes.c.id)).scalar_one()
    connection.execute(delete(routes).where(routes.c.id <= newest - ROUTES_KEPT))
