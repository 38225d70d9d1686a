"""The revocation list beside the broker: the registry's revoked certificates, signed by the issuing authority."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cloud_bridge.authority import Authority, revocation_list
from cloud_bridge.errors import CloudError
from cloud_bridge.runtime.files import replace
from cloud_bridge.store.registry.gateways import forgotten, known_serials, remember, revoked_serials
from cloud_bridge.store.registry.registry import Registry

log = logging.getLogger(__name__)


def write_list(path: Path, registry: Registry, authority: Authority) -> bool:
    """Writes it if it does not say what the registry says; whether it did. Raises CloudError.

    A revocation in a list that the registry knows nothing of stays, and the registry learns of it: it may have been
    restored from before.
    """
    before = _read(path, authority)
    if before is not None:
        _remind(registry, {each.serial_number: _milliseconds(each.revocation_date_utc) for each in before})
    with registry.reading() as connection:
        wanted = {serial: _instant(since) for serial, since in revoked_serials(connection).items()}
        known = known_serials(connection)
    if before is not None:
        wanted |= {each.serial_number: each.revocation_date_utc for each in before if each.serial_number not in known}
        if {each.serial_number for each in before} == wanted.keys():
            return False
    now = datetime.now(UTC)
    written = revocation_list(authority, wanted, int(now.timestamp() * 1000), now)
    try:
        replace(path, written.public_bytes(Encoding.PEM), mode=0o644)
    except OSError as error:
        raise CloudError(f"{path}: can't be written: {error.strerror}") from error
    return True


def is_listed(path: Path, authority: Authority, serial_number: int) -> bool:
    """Whether the list names it: for certificates that the registry does not know."""
    found = _read(path, authority)
    return found is not None and found.get_revoked_certificate_by_serial_number(serial_number) is not None


def _remind(registry: Registry, listed: Mapping[int, int]) -> None:
    with registry.reading() as connection:
        if not (revoked := forgotten(connection, listed)):
            return
    with registry.writing(noticed=True) as connection:
        remember(connection, revoked)
    log.warning("%d revocations that the registry has forgotten are taken from the list", len(revoked))


def _read(path: Path, authority: Authority) -> x509.CertificateRevocationList | None:
    """The list that is there, if it is whole and the authority's."""
    try:
        found = x509.load_pem_x509_crl(path.read_bytes())
        return found if found.is_signature_valid(authority.key.public_key()) else None
    except (OSError, ValueError, TypeError):
        return None


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC)
