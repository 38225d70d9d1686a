"""The registry and the key of its channels, opened for whoever administers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from cloud_bridge.alerts.terms import Directory
from cloud_bridge.runtime.alerts.wake import ring
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.forward import bring_forward
from cloud_bridge.runtime.init import open_folder
from cloud_bridge.runtime.vault import Vault
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import directory, schema
from cloud_bridge.store.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Desk:
    """One transaction: what the registry has, and the moment it is about. Instants are UTC milliseconds."""

    connection: Connection
    directory: Directory
    now: int


class Office:
    """Raises RegistryError; NotAFolder where the channels' key can't be used."""

    def __init__(self, settings: CloudSettings, registry: Registry | None = None) -> None:
        """`registry`: one that somebody else has open, and closes."""
        self.settings = settings
        self.vault = Vault(settings.channel_key)
        self._is_own = registry is None
        self.registry = registry or Registry(settings.registry_at)

    def close(self) -> None:
        if self._is_own:
            self.registry.close()

    def __enter__(self) -> Office:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Desk]:
        with self.registry.reading() as connection:
            yield Desk(connection, directory.load(connection, self.vault.open), now_ms())

    @contextmanager
    def writing(self) -> Iterator[Desk]:
        """Every role notices it, the alerts role at once. Whoever locks the row of changes is the only one who
        administers: what was found free stays free."""
        with self.registry.writing(noticed=True) as connection:
            connection.execute(select(schema.changes.c.version).with_for_update())
            yield Desk(connection, directory.load(connection, self.vault.open), now_ms())
        ring(self.settings.data)


def open_office(folder: Path) -> Office:
    """Of a cloud's folder, brought forward first. Raises CloudError, SettingsError."""
    opened, settings = open_folder(folder)
    bring_forward(opened, settings)
    return Office(settings)
