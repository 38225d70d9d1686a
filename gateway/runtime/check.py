"""What keeps a gateway from working, as far as its settings and files show it; nothing is connected to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from drivers.errors import BadUrl
from drivers.open import open_driver
from gateway import credentials, ports, renewal
from gateway.credentials import Finding
from gateway.errors import CannotStart, NotSent
from gateway.order import Wishes
from gateway.policy import Policy
from gateway.runtime import pair
from gateway.runtime.secret import read_secret
from gateway.runtime.tls import client_context, key_problem
from gateway.settings import GatewaySettings, UnitSettings

MAX_FILE_BYTES = 256 * 1024
"""A PEM file of a key or a few certificates has a few KiB."""


def check(wishes: Wishes) -> list[Finding]:
    """Every finding, in the order of the settings."""
    settings, policy = wishes.settings, wishes.policy
    return [
        *_tls(settings),
        *_command_key(settings, policy),
        *_policy(settings, policy),
        *_enrolment(settings),
        *_status_page(settings),
        *_emergency(settings),
        *(finding for unit in settings.units for finding in _unit(unit)),
        *_ports(settings),
    ]


def _tls(settings: GatewaySettings) -> Iterator[Finding]:
    tls, now = pair.in_use(settings.tls), datetime.now(UTC)
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
        yield _unreadable(error, tls.ca.parent, "ca, certificate or key is not PEM")
        return
    for authority in authorities:
        yield from credentials.authority(str(tls.ca), authority, settings.cloud_host, now)
    renews = renewal.renews(settings)
    yield from credentials.own_certificate(str(tls.certificate), own, key, settings.gateway, now, renews=renews)


def _command_key(settings: GatewaySettings, policy: Policy) -> Iterator[Finding]:
    """The key that orders are signed with: public, so its mode does not matter."""
    path = settings.command_key
    if path is None:
        if policy != Policy():
            what = "is there, but no command_key: without one no order is taken at all"
            yield Finding(str(settings.policy), what, fatal=False)
        return
    try:
        key = load_pem_public_key(_read(path))
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, CannotStart) as error:
        yield _unreadable(error, path, "is no public key in PEM")
        return
    if not isinstance(key, Ed25519PublicKey):
        yield Finding(str(path), "is no Ed25519 key, as `ridethrough cloud init` makes them")


def _policy(settings: GatewaySettings, policy: Policy) -> Iterator[Finding]:
    """What the file says is checked as it is read; here beside the settings."""
    for name in policy.unknown_units(unit.name for unit in settings.units):
        yield Finding(f"{settings.policy}: units.{name}", "no unit of the settings has this name", fatal=False)


def _enrolment(settings: GatewaySettings) -> Iterator[Finding]:
    if settings.enrolment is not None and settings.tls.issuer is None:
        what = "is missing: without it no renewed certificate can be taken; `ridethrough gateway enroll` writes it"
        yield Finding("tls.issuer", what, fatal=False)
    if settings.tls.issuer is not None:
        try:
            x509.load_pem_x509_certificates(_read(settings.tls.issuer))
        except (OSError, ValueError, CannotStart) as error:
            yield _unreadable(error, settings.tls.issuer, "is no certificate in PEM")


def _status_page(settings: GatewaySettings) -> Iterator[Finding]:
    if settings.status_page is None:
        return
    host, _, port = settings.status_page.rpartition(":")
    if int(port) > 65535:
        yield Finding("status_page", f"no port is numbered {port}")
    if not credentials.is_loopback(host.strip("[]")):
        what = f"{settings.status_page} is not this machine alone; it has no password, so use 127.0.0.1 and `ssh -L`"
        yield Finding("status_page", what, fatal=False)


def _emergency(settings: GatewaySettings) -> Iterator[Finding]:
    """What can be seen of a route without trying it, as `ridethrough gateway emergency-test` does."""
    for route in settings.emergency.routes if settings.emergency else ():
        try:
            read_secret(route.secret)
        except NotSent as error:
            where, _, what = error.why.partition(": ")
            yield Finding(where, what)
        if route.ca is None:
            continue
        try:
            x509.load_pem_x509_certificates(_read(route.ca))
        except (OSError, ValueError, CannotStart) as error:
            yield _unreadable(error, route.ca, "is no certificate in PEM")


def _unit(unit: UnitSettings) -> Iterator[Finding]:
    try:
        open_driver(unit.url)
    except BadUrl as error:
        yield Finding(f"unit {unit.name}", str(error))


def _ports(settings: GatewaySettings) -> Iterator[Finding]:
    """Links in /dev/serial/by-id lead to one device under several names."""
    if shared := ports.conflict(((unit.name, unit.url) for unit in settings.units), real=os.path.realpath):
        yield Finding("units", shared)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise CannotStart(f"{path}: longer than {MAX_FILE_BYTES} bytes: no PEM file")
    return content


def _unreadable(error: Exception, where: Path, otherwise: str) -> Finding:
    if isinstance(error, OSError) and error.strerror:
        return Finding(str(error.filename or where), f"can't be read: {error.strerror}")
    return Finding(str(where), str(error).partition("(")[0].strip() or otherwise)
