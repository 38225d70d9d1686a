"""The key that encrypts channels' targets, changed."""

from __future__ import annotations

from pathlib import Path

from cloud_bridge.administration.names import address
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.init import open_folder
from cloud_bridge.runtime.vault import add_key
from cloud_bridge.store.registry import wishes
from cloud_bridge.store.registry.migrate import migrate


def new_channel_key(folder: Path) -> tuple[int, list[str]]:
    """How many targets are encrypted with the new key, and the channels whose targets nobody can read.

    Roles that run read the key file when they start. Raises CloudError, SettingsError, OSError.
    """
    _, settings = open_folder(folder)
    migrate(settings.registry_at)
    add_key(settings.channel_key)
    with Office(settings) as office, office.writing() as desk:
        channels = desk.directory.channels.values()
        readable = [each for each in channels if each.target]
        for channel in readable:
            wishes.save_channel(desk.connection, channel, office.vault.seal(channel.target))
        return len(readable), [address(desk.directory, each) for each in channels if not each.target]
