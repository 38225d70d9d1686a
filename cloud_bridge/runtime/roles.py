"""The roles of a cloud: which there are, and how one is played."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cloud_bridge.folder import Folder
from cloud_bridge.runtime.supervise import Role, RoleMisused, Supervised, supervise_until_signal
from cloud_bridge.settings import EMBEDDED, CloudSettings
from cloud_bridge.store.errors import StoreError
from cloud_bridge.store.registry.errors import NewerRegistry, NoRegistry, OlderRegistry, RegistryError, RegistryFailed
from config.errors import SettingsError
from config.runtime.ready import announce

BROKER, INGEST, ENROL, ALERTS, API, LINKS = "broker", "ingest", "enrol", "alerts", "api", "links"
NAMES = (BROKER, INGEST, ENROL, ALERTS, API, LINKS)

log = logging.getLogger(__name__)


def roles_of(folder: Path, settings: CloudSettings, log_level: str = "info") -> list[Role]:
    """What runs for the cloud in `folder`; a broker of the owner's own is not ours to run, nor links nowhere."""
    wanted = {BROKER: settings.broker == EMBEDDED, LINKS: bool(settings.listen_links)}
    names = [name for name in NAMES if wanted.get(name, True)]
    # -P: a folder named like one of ours where the program was started must not shadow it.
    program = (sys.executable, "-P", "-c", "from config.cli import main; main()", "--log-level", log_level)
    return [Role(name, (*program, "cloud", "run", "--dir", str(folder), "--only", name)) for name in names]


def prepare(folder: Path, settings: CloudSettings) -> None:
    """Makes what a folder of an earlier version lacks. Raises SettingsError.

    A registry that can't be reached keeps nothing else from running: each role tries again by itself.
    """
    from cloud_bridge.runtime.forward import bring_forward

    try:
        bring_forward(Folder(folder), settings)
    except RegistryFailed as error:
        log.warning("%s", error)
    except RegistryError as error:
        raise SettingsError(reason=str(error)) from error


def play(name: str, settings: CloudSettings) -> None:
    """Plays one role in this process until SIGTERM or SIGINT. Raises CloudError, SettingsError."""
    run = _player(name)
    try:
        run(settings)
    except (StoreError, NewerRegistry, OlderRegistry, NoRegistry) as error:
        # Nothing that a supervisor's next try could change.
        raise SettingsError(reason=str(error)) from error


def _player(name: str) -> Callable[[CloudSettings], None]:
    """Imports what that role needs, and nothing else."""
    if name == BROKER:
        from cloud_bridge.runtime.broker import run_broker as run
    elif name == ENROL:
        from cloud_bridge.runtime.enrol import run_enrol as run
    elif name == ALERTS:
        from cloud_bridge.runtime.alerts.role import run_alerts as run
    elif name == API:
        from cloud_bridge.runtime.api.role import run_api as run
    elif name == LINKS:
        from cloud_bridge.runtime.links import run_links as run
    else:
        from cloud_bridge.runtime.ingest import run
    return run


def supervise_all(roles: Sequence[Role]) -> None:
    """Keeps roles running as child processes until SIGTERM or SIGINT, and passes their ready lines on."""
    try:
        asyncio.run(supervise_until_signal([Supervised(role, announce) for role in roles]))
    except RoleMisused as error:
        raise SettingsError(reason=str(error)) from error
