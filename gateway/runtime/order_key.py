"""The public key that the cloud signs orders with, pinned when the gateway was enrolled."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.errors import CannotStart
from gateway.wire.limits import PEM_LENGTH


def read_order_key(path: Path) -> Ed25519PublicKey:
    """Raises CannotStart with what is wrong."""
    try:
        with path.open("rb") as file:
            key = load_pem_public_key(file.read(PEM_LENGTH))
    except OSError as error:
        raise CannotStart(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm):
        raise CannotStart(f"{path}: not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise CannotStart(f"{path}: orders are signed with Ed25519, this key is of another kind")
    return key
