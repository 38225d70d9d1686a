"""Brings a cloud's folder to what this version needs: what is there is never changed, what lacks is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from cloud_bridge.authority import Use
from cloud_bridge.enrolment import Refused, as_row, bearer
from cloud_bridge.errors import CloudError, NotAFolder
from cloud_bridge.folder import ENROL, Folder
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.keys import load_authority, load_certificate, new_command_key, new_leaf
from cloud_bridge.runtime.link_key import new_link_key
from cloud_bridge.runtime.revocation import write_list
from cloud_bridge.runtime.vault import new_key as new_channel_key
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways, wishes
from cloud_bridge.store.registry.migrate import migrate
from cloud_bridge.store.registry.registry import Registry

OWN_HOSTS = ("localhost", "127.0.0.1", "::1")

log = logging.getLogger(__name__)


def bring_forward(folder: Folder, settings: CloudSettings) -> None:
    """Registry, order key, the keys of channels and links, the enrolment endpoint's certificate, revocation list.
    Raises RegistryError.

    What its authority's key would be needed for is told and left out where that key is kept elsewhere.
    """
    migrate(settings.registry_at)
    with Registry(settings.registry_at) as registry:
        _adopt_all(folder, settings, registry)
        _attempt(lambda: _command_key(settings))
        _attempt(lambda: _channel_key(settings, registry))
        _attempt(lambda: _link_key(settings))
        _attempt(lambda: _endpoint(folder, settings))
        _attempt(lambda: _revocations(settings, registry))


def _attempt(step: Callable[[], None]) -> None:
    try:
        step()
    except (CloudError, OSError) as error:
        log.warning("%s", error)


def _command_key(settings: CloudSettings) -> None:
    """Not where the public half is there: the key itself is kept elsewhere then."""
    if not settings.command_key.exists() and not settings.command_public.exists():
        new_command_key((settings.command_key, settings.command_public))


def _channel_key(settings: CloudSettings, registry: Registry) -> None:
    """Not where channels are there already: what encrypted them is kept elsewhere, or lost."""
    if settings.channel_key.exists():
        return
    with registry.reading() as connection:
        if wishes.any_channel(connection):
            raise NotAFolder(
                f"{settings.channel_key} is missing: channels' targets can't be read. Put it back from a backup, or "
                "make a new one with `ridethrough cloud channel new-key` and set every target again"
            )
    new_channel_key(settings.channel_key)


def _link_key(settings: CloudSettings) -> None:
    """A new one ends every link in notices that were sent before."""
    if not settings.link_key.exists():
        new_link_key(settings.link_key)


def _endpoint(folder: Folder, settings: CloudSettings) -> None:
    pair = settings.tls.enrol
    if pair.certificate.exists() or pair.key.exists():
        return
    authority = load_authority(settings.tls.services, folder.authority("services")[1])
    hosts = (settings.enrolment.host, *OWN_HOSTS)
    new_leaf((pair.certificate, pair.key), authority, ENROL, Use.SERVER, hosts)


def _revocations(settings: CloudSettings, registry: Registry) -> None:
    tls = settings.tls
    if not tls.revoked.exists():
        write_list(tls.revoked, registry, load_authority(tls.gateways, tls.issuing_key))


def _adopt_all(folder: Folder, settings: CloudSettings, registry: Registry) -> None:
    """Gateways whose folders were made before there was a registry, or by another one."""
    found = [home / "gateway.pem" for home in folder.gateway_folders() if (home / "gateway.pem").exists()]
    if not found:
        return
    authority = load_certificate(settings.tls.gateways)
    for path in found:
        _adopt(path, authority, registry)


def _adopt(path: Path, authority: x509.Certificate, registry: Registry) -> None:
    try:
        name, certificate = bearer(path.read_text(), authority)
    except (OSError, UnicodeDecodeError, Refused) as error:
        log.warning("%s: not taken into the registry: %s", path, error)
        return
    now = now_ms()
    with registry.writing() as connection:
        gateways.register(connection, name, now)
        gateways.adopt(connection, as_row(certificate, name, now))
