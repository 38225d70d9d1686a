"""What keeps a gateway from working, as far as its settings and files show it; nothing is connected to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from drivers.errors import BadUrl
from drivers.open import open_driver
from gateway import credentials
from gateway.credentials import Finding
from gateway.errors import CannotStart
from gateway.runtime.tls import client_context, key_problem
from gateway.settings import GatewaySettings, UnitSettings

MAX_FILE_BYTES = 256 * 1024
"""A PEM file of a key or a few certificates has a few KiB."""


def check(settings: GatewaySettings) -> list[Finding]:
    """Every finding, in the order of the settings."""
    return [*_tls(settings), *(finding for unit in settings.units for finding in _unit(unit))]


def _tls(settings: GatewaySettings) -> Iterator[Finding]:
    tls, now = settings.tls, datetime.now(UTC)
    if problem := key_problem(tls.key):
        where, _, what = problem.partition(": ")
        yield Finding(where, what)
        return
    try:
        authorities = x509.load_pem_x509_certificates(_read(tls.ca))
        own = x509.load_pem_x509_certificate(_read(tls.certificate))
        key = load_pem_private_key(_read(tls.key), password=None).public_key()
        client_context(tls)
    except (OSError, ValueError, TypeError, CannotStart) as error:
        yield _unreadable(error, tls.ca.parent)
        return
    for authority in authorities:
        yield from credentials.authority(str(tls.ca), authority, settings.cloud_host, now)
    yield from credentials.own_certificate(str(tls.certificate), own, key, settings.gateway, now)


def _unit(unit: UnitSettings) -> Iterator[Finding]:
    try:
        open_driver(unit.url)
    except BadUrl as error:
        yield Finding(f"unit {unit.name}", str(error))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise CannotStart(f"{path}: longer than {MAX_FILE_BYTES} bytes: no PEM file")
    return content


def _unreadable(error: Exception, folder: Path) -> Finding:
    if isinstance(error, OSError) and error.strerror:
        return Finding(str(error.filename or folder), f"can't be read: {error.strerror}")
    return Finding(str(folder), str(error).partition("(")[0].strip() or "ca, certificate or key is not PEM")
