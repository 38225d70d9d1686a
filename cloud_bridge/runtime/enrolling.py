"""What an administrator does to gateways' enrolment: tokens, the list, revocations."""

from __future__ import annotations

import hashlib
import logging
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from cloud_bridge.errors import CloudError
from cloud_bridge.folder import check_gateway_name
from cloud_bridge.register import Gateway, Token
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.forward import bring_forward
from cloud_bridge.runtime.init import open_folder
from cloud_bridge.runtime.keys import load_authority, load_certificate, load_command_public
from cloud_bridge.runtime.revocation import write_list
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways, tokens
from cloud_bridge.store.registry.registry import Registry
from gateway.wire import token as wire

log = logging.getLogger(__name__)


def new_token(directory: Path, name: str, valid_s: int) -> tuple[str, int]:
    """Its text, and until when it is good. Raises CloudError, SettingsError."""
    check_gateway_name(name)
    settings = _opened(directory)
    services = load_certificate(settings.tls.services)
    _, command_key = load_command_public(settings.command_public)
    secret, now = secrets.token_bytes(wire.SECRET_BYTES).hex(), now_ms()
    made = wire.Token(
        url=f"https://{settings.enrolment}",
        gateway=name,
        secret=secret,
        authority=hashlib.sha256(services.public_bytes(Encoding.DER)).hexdigest(),
        command_key=command_key,
    )
    until = now + valid_s * 1000
    with Registry(settings.registry_at) as registry, registry.writing() as connection:
        gateways.register(connection, name, now)
        kept = Token(digest=wire.digest(secret), gateway=name, created_at=now, expires_at=until)
        tokens.add_token(connection, kept)
    return wire.encode(made), until


def all_gateways(directory: Path) -> list[Gateway]:
    """By name. Raises CloudError, SettingsError."""
    with Registry(_opened(directory).registry_at) as registry, registry.reading() as connection:
        return gateways.listed(connection, now_ms())


def revoke(directory: Path, name: str, why: str) -> str:
    """Keeps a gateway out; what became of the revocation list. Raises UnknownGateway, CloudError, SettingsError."""
    settings = _opened(directory)
    with Registry(settings.registry_at) as registry:
        with registry.writing(noticed=True) as connection:
            gateways.revoke(connection, name, why, now_ms())
        return _listed(settings, registry)


def restore(directory: Path, name: str) -> str:
    """Takes it back. Raises as `revoke`."""
    settings = _opened(directory)
    with Registry(settings.registry_at) as registry:
        with registry.writing(noticed=True) as connection:
            gateways.restore(connection, name, now_ms())
        return _listed(settings, registry)


def _opened(directory: Path) -> CloudSettings:
    folder, settings = open_folder(directory)
    bring_forward(folder, settings)
    return settings


def _listed(settings: CloudSettings, registry: Registry) -> str:
    """Writes the list here if the issuing key is; else the enrol role does, wherever it runs."""
    tls = settings.tls
    try:
        write_list(tls.revoked, registry, load_authority(tls.gateways, tls.issuing_key))
    except CloudError as error:
        log.warning("%s", error)
        return f"the enrol role writes {tls.revoked}, where its key is"
    return f"{tls.revoked} says so"
