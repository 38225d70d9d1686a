"""Keys and certificates on disk: made, and read by the one role that may."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from cloud_bridge.authority import CURVE, LEAF_LIFE, Authority, Use, found, issue, key_pem, pem
from cloud_bridge.errors import NotAFolder
from cloud_bridge.runtime.files import new_folder, write_new

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def new_authority(files: tuple[Path, Path], name: str, now: datetime, *, demo: bool) -> Authority:
    """Files are those of the certificate and of the key."""
    certificate_file, key_file = files
    new_folder(key_file.parent)
    key = ec.generate_private_key(CURVE)
    authority = found(f"Ridethrough {name}", key, x509.random_serial_number(), now, demo=demo)
    write_new(key_file, key_pem(key))
    write_new(certificate_file, pem(authority.certificate))
    return authority


def load_authority(certificate_file: Path, key_file: Path) -> Authority:
    """Raises NotAFolder if a file can't be read, is damaged, or is another's."""
    certificate = load_certificate(certificate_file)
    key = _loaded_key(key_file)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise NotAFolder(f"{key_file} does not belong to {certificate_file.name} beside it")
    return Authority(certificate, key)


def load_certificate(path: Path) -> x509.Certificate:
    """Raises NotAFolder."""
    try:
        return x509.load_pem_x509_certificate(read(path))
    except ValueError as error:
        raise NotAFolder(f"{path} is damaged: {error}") from error


def new_leaf(
    files: tuple[Path, Path],
    authority: Authority,
    name: str,
    use: Use,
    hosts: Sequence[str] = (),
    life: timedelta = LEAF_LIFE,
) -> x509.Certificate:
    """A new key with its certificate; files are those of the certificate and of the key."""
    certificate_file, key_file = files
    key = ec.generate_private_key(CURVE)
    serial, now = x509.random_serial_number(), datetime.now(UTC)
    certificate = issue(authority, name, use, key.public_key(), serial, now, hosts, life=life)
    write_new(key_file, key_pem(key))
    write_new(certificate_file, pem(certificate))
    return certificate


def new_command_key(files: tuple[Path, Path]) -> None:
    """Files are those of the key and of its public half."""
    key_file, public_file = files
    key = Ed25519PrivateKey.generate()
    write_new(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_new(public_file, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Raises NotAFolder if it can't be read, others may read it, or it is no Ed25519 key."""
    key = _loaded_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise NotAFolder(f"{path}: expected an Ed25519 key")
    return key


def load_command_public(path: Path) -> tuple[str, str]:
    """The PEM of the key that signs orders, and the digest that a token carries. Raises NotAFolder."""
    content = read(path)
    try:
        key = load_pem_public_key(content)
    except (ValueError, TypeError) as error:
        raise NotAFolder(f"{path} is damaged: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotAFolder(f"{path}: expected an Ed25519 public key")
    return content.decode(), hashlib.sha256(key.public_bytes_raw()).hexdigest()


def read(path: Path) -> bytes:
    """Raises NotAFolder, which names the file and what keeps it from being read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotAFolder(f"{path}: can't be read: {error.strerror}") from error


def check_private(path: Path) -> None:
    """Raises NotAFolder if others may read the key."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0
    if mode & OTHERS:
        raise NotAFolder(f"{path}: mode {mode:04o}: others may read the key; make it 0600: chmod 600 {path}")


def _loaded_key(path: Path) -> object:
    check_private(path)
    try:
        return load_pem_private_key(read(path), password=None)
    except (ValueError, TypeError) as error:
        raise NotAFolder(f"{path} is damaged: {error}") from error
