"""Keys and certificates of the gateway, read from their files or made."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import enrolment
from gateway.errors import NotEnrolled
from gateway.runtime import pair
from gateway.runtime.tls import key_problem
from gateway.settings import Tls


def new_key(tls: Tls) -> ec.EllipticCurvePrivateKey:
    """The key of a new pair: the one that was asked for already, else one that is made now. Raises OSError,
    NotEnrolled."""
    path = pair.beside(tls).key
    if path.exists():
        return load_key(path)
    key = ec.generate_private_key(enrolment.CURVE)
    pair.keep(path, enrolment.key_pem(key), pair.KEY_MODE)
    return key


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Raises NotEnrolled."""
    if problem := key_problem(path):
        where, _, what = problem.partition(": ")
        raise NotEnrolled(where, what)
    try:
        return enrolment.load_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotEnrolled(str(path), f"no key that can be used: {error}") from error


def load_certificate(path: Path) -> x509.Certificate:
    """Raises NotEnrolled."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotEnrolled(str(path), f"no certificate that can be used: {error}") from error
