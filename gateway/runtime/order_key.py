"""The public key that the cloud signs orders with, pinned when the gateway was enrolled."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def order_key(text: bytes) -> Ed25519PublicKey:
    """Raises ValueError with what is wrong."""
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("orders are signed with Ed25519, this key is of another kind")
    return key
