"""Brings a cloud's folder to what this version needs: what is there is never changed, what lacks is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from cloud_bridge.authority import Use
from cloud_bridge.enrolment import Refused, as_row, bearer
from cloud_bridge.errors import CloudError
from cloud_bridge.folder import ENROL, Folder
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.keys import load_authority, load_certificate, new_command_key, new_leaf
from cloud_bridge.runtime.revocation import write_list
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways
from cloud_bridge.store.registry.migrate import migrate
from cloud_bridge.store.registry.registry import Registry

OWN_HOSTS = ("localhost", "127.0.0.1", "::1")

log = logging.getLogger(__name__)


def bring_forward(folder: Folder, settings: CloudSettings) -> None:
    """Registry, order key, the enrolment endpoint's certificate, revocation list. Raises RegistryError.

    What its authority's key would be needed for is told and left out where that key is kept elsewhere.
    """
    migrate(settings.registry_at)
    with Registry(settings.registry_at) as registry:
        _adopt_all(folder, settings, registry)
        _attempt(lambda: _command_key(settings))
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
