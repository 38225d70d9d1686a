"""Keys of a repository: Ed25519, one PKCS8 file each that only its owner can read, under a passphrase if wanted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from cloud_bridge.errors import NotAFolder
from cloud_bridge.firmware.errors import BadKey
from cloud_bridge.runtime.files import write_new
from cloud_bridge.runtime.keys import check_private, read

PASSPHRASE_BYTES = 1024
"""What PKCS8 encryption takes at most (cryptography's BestAvailableEncryption: 1023)."""

Passphrase = Callable[[Path], bytes]
"""Asked only of a key that is encrypted."""


def public_of(key: Ed25519PrivateKey) -> SSlibKey:
    return SSlibKey.from_crypto(key.public_key())


def keep_key(path: Path, key: Ed25519PrivateKey, passphrase: bytes | None) -> CryptoSigner:
    """Raises FileExistsError, OSError, BadKey."""
    try:
        encryption: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    except ValueError as error:
        raise BadKey(f"{path}: can't be encrypted: {error}") from None
    write_new(path, content)
    return CryptoSigner(key, public_of(key))


def load_key(path: Path, passphrase: Passphrase) -> CryptoSigner:
    """Raises BadKey if it can't be read, others may read it, the passphrase is wrong, or it is no Ed25519 key."""
    try:
        check_private(path)
        content = read(path)
    except NotAFolder as error:
        raise BadKey(str(error)) from None
    secret = passphrase(path) if re.search(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----", content) else None
    try:
        key = load_pem_private_key(content, secret)
    except (ValueError, TypeError) as error:
        why = "wrong passphrase, or damaged" if secret is not None else f"damaged: {error}"
        raise BadKey(f"{path}: {why}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path}: expected an Ed25519 key")
    return CryptoSigner(key, public_of(key))


def no_passphrase(path: Path) -> bytes:
    """For keys that a server uses by itself. Raises BadKey."""
    raise BadKey(f"{path}: is encrypted; a key that stays on the server can't be")
