"""Everything that people said of owners, devices and what they wish to hear, at one moment."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Connection

from cloud_bridge.alerts.terms import Directory, Route
from cloud_bridge.store.registry import people, values, wishes
from config.errors import SettingsError

ROUTES = "routes"
"""What the operator's tree is called in its problems."""

log = logging.getLogger(__name__)


def load(connection: Connection, open_target: Callable[[bytes], str]) -> Directory:
    """`open_target`: Vault.open. What can't be read is told and left out, so that the rest works."""
    return Directory(
        owners=_by_id(people.owners(connection)),
        sites=_by_id(people.sites(connection)),
        devices=_by_id(people.all_devices(connection)),
        channels=_by_id(wishes.channels(connection, open_target)),
        policies=_by_id(wishes.policies(connection)),
        rules=_by_id(wishes.rules(connection)),
        silences=_by_id(wishes.all_silences(connection)),
        routes=_tree(wishes.newest_routes(connection)),
    )


def _by_id(found: list[values.Value]) -> dict[int, values.Value]:
    return {each.id: each for each in found}


def _tree(text: str) -> Route | None:
    from cloud_bridge.alerts.tree import parse_routes

    if not text.strip():
        return None
    try:
        return parse_routes(text, ROUTES)
    except SettingsError as error:
        log.error("the operator's routes are left out: %s", error)
        return None
