"""The revocation list beside the broker: the registry's revoked certificates, signed by the issuing authority."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cloud_bridge.authority import Authority, revocation_list
from cloud_bridge.errors import CloudError
from cloud_bridge.runtime.files import replace
from cloud_bridge.store.registry.gateways import known_serials, revoked_serials
from cloud_bridge.store.registry.registry import Registry


def write_list(path: Path, registry: Registry, authority: Authority) -> bool:
    """Writes it if it does not say what the registry says; whether it did. Raises CloudError.

    A revocation in a list that the registry knows nothing of stays: the registry may have been restored from before.
    """
    with registry.reading() as connection:
        wanted = {serial: _instant(since) for serial, since in revoked_serials(connection).items()}
        known = known_serials(connection)
    before = _read(path, authority)
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


def _read(path: Path, authority: Authority) -> x509.CertificateRevocationList | None:
    """The list that is there, if it is whole and the authority's."""
    try:
        found = x509.load_pem_x509_crl(path.read_bytes())
        return found if found.is_signature_valid(authority.key.public_key()) else None
    except (OSError, ValueError, TypeError):
        return None


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, UTC)
