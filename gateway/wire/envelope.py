"""Exact bytes under signatures (S9): order, go and certificate come in one kind of envelope.

What is signed is not JSON but `signed_bytes`: the type string and the payload, each behind its length, so that an
envelope of one type is never one of another and nothing is written anew before it is checked. Ed25519 (RFC 8032).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.wire import limits
from gateway.wire.codec import inflate
from gateway.wire.errors import BadSignature, Malformed, TooLarge
from gateway.wire.messages import Message
from gateway.wire.orders import CLOUD, OPERATOR, Envelope, Signature

M = TypeVar("M", bound=Message)

KEY_BYTES = 32
JSON_DEPTH = 4
"""An order has two levels."""

_MAGIC = b"ridethrough-signed/1"
_decoder = msgspec.json.Decoder(Envelope)


class Opened(msgspec.Struct, frozen=True):
    """`signers`: key names whose signatures are right, CLOUD among them. `strangers`: names nobody has a key of."""

    payload: bytes
    signers: frozenset[str]
    strangers: frozenset[str] = frozenset()


def signed_bytes(kind: str, payload: bytes) -> bytes:
    """_MAGIC, then of the type string (UTF-8) and of the payload: eight bytes of length, big-endian, and its bytes."""
    parts = (kind.encode(), payload)
    return _MAGIC + b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def operator(name: str) -> str:
    """Key name of an operator."""
    return f"{OPERATOR}:{name}"


def sign(kind: str, payload: bytes, name: str, key: Ed25519PrivateKey) -> Signature:
    """`name`: CLOUD, or `operator(NAME)`."""
    return Signature(key=name, value=base64.b64encode(key.sign(signed_bytes(kind, payload))).decode())


def seal(kind: str, message: Message, keys: Iterable[tuple[str, Ed25519PrivateKey]]) -> Envelope:
    """`message` under the signatures of `keys`, CLOUD's first. Raises TooLarge."""
    payload = msgspec.json.encode(message)
    if len(payload) > limits.ORDER_BYTES:
        raise TooLarge(f"{kind} of {len(payload)} bytes, {limits.ORDER_BYTES} are allowed")
    signatures = [sign(kind, payload, name, key) for name, key in keys]
    return Envelope(type=kind, payload=base64.b64encode(payload).decode(), signatures=signatures)


def opened(raw: bytes, kind: str, keys: Mapping[str, Ed25519PublicKey]) -> Opened:
    """The payload of an envelope of this kind. Raises TooLarge, Malformed or BadSignature, nothing else.

    The first signature has to be CLOUD's, and each by a name in `keys` has to be right: a wrong one beside it is no
    oversight. One by a stranger proves nothing and spoils nothing.
    """
    envelope = _envelope(raw)
    if envelope.type != kind:
        raise Malformed(f"an envelope of type {envelope.type!r}, expected {kind!r}")
    payload = _canonical(envelope.payload, "payload")
    if len(payload) > limits.ORDER_BYTES:
        raise TooLarge(f"payload of {len(payload)} bytes, {limits.ORDER_BYTES} are allowed")
    names = [signature.key for signature in envelope.signatures]
    if names[0] != CLOUD or len(set(names)) != len(names):
        raise BadSignature(f"the first signature has to be {CLOUD!r}'s, and each key's own; there are {names!r}")
    if CLOUD not in keys:
        raise BadSignature(f"no key of {CLOUD!r} is known")
    message = signed_bytes(kind, payload)
    for signature in envelope.signatures:
        if signature.key in keys:
            _verify(keys[signature.key], signature, message)
    known = frozenset(names) & keys.keys()
    return Opened(payload, known, frozenset(names) - known)


def read_payload(payload: bytes, kind: type[M]) -> M:
    """What was signed, as a message. Raises Malformed.

    A key given twice is refused, and one that this version does not know: whoever signed it meant something by it.
    """
    tree = strict_json(payload)
    try:
        message = msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(str(error)[:200]) from None
    _refuse_unknown(tree, message)
    return message


def _refuse_unknown(tree: object, message: msgspec.Struct) -> None:
    """In the message and in what it holds."""
    known = {field.encode_name: getattr(message, field.name) for field in msgspec.structs.fields(message)}
    if not isinstance(tree, dict):
        return
    if unknown := sorted(tree.keys() - known.keys()):
        raise Malformed(f"signed, but this version does not know what {unknown[0][:40]!r} means")
    for name, value in known.items():
        if isinstance(value, msgspec.Struct):
            _refuse_unknown(tree.get(name), value)


def strict_json(text: bytes) -> object:
    """JSON in which each object has each key once, at most JSON_DEPTH levels deep. Raises Malformed."""
    try:
        tree = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        depth = _depth(tree)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {str(error)[:150]}") from None
    if depth > JSON_DEPTH:
        raise Malformed(f"nested more than {JSON_DEPTH} levels deep")
    return tree


def public_key(text: str) -> Ed25519PublicKey:
    """A public key from base64 of its 32 bytes, as policy.yaml has it. Raises Malformed."""
    raw = _canonical(text, "public key")
    if len(raw) != KEY_BYTES:
        raise Malformed(f"a public key of {len(raw)} bytes, expected {KEY_BYTES}")
    return Ed25519PublicKey.from_public_bytes(raw)


def public_text(key: Ed25519PublicKey) -> str:
    """The public key as `public_key` reads it."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def _envelope(raw: bytes) -> Envelope:
    raw = inflate(raw)
    if len(raw) > limits.ENVELOPE_BYTES:
        raise TooLarge(f"envelope of {len(raw)} bytes, {limits.ENVELOPE_BYTES} are allowed")
    strict_json(raw)
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(str(error)[:200]) from None


def _canonical(text: str, what: str) -> bytes:
    """Base64 with padding, in the one way that these bytes are written."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{what} is not base64") from None
    if base64.b64encode(content).decode() != text:
        raise Malformed(f"{what} is base64, but not as these bytes are written")
    return content


def _verify(key: Ed25519PublicKey, signature: Signature, message: bytes) -> None:
    try:
        key.verify(_canonical(signature.value, "signature"), message)
    except InvalidSignature:
        raise BadSignature(f"the signature of {signature.key!r} is not right") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _depth(tree: object) -> int:
    """Levels of objects and lists. May raise RecursionError."""
    if isinstance(tree, dict):
        return 1 + max(map(_depth, tree.values()), default=0)
    if isinstance(tree, list):
        return 1 + max(map(_depth, tree), default=0)
    return 0
