"""Nonces that cost their maker nothing until they come back: time, chance, and a proof that both are ours."""

from __future__ import annotations

import hashlib
import hmac

from gateway.wire.limits import NONCE_S

RANDOM_BYTES = 8
_TIME_BYTES, _PROOF_BYTES = 8, 16


class Nonces:
    """`secret`: of this process alone; `now`: monotonic seconds. A stranger who asks for many fills nothing."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._used: dict[str, float] = {}

    def new(self, random: bytes, now: float) -> str:
        """`random`: RANDOM_BYTES bytes."""
        body = int(now * 1000).to_bytes(_TIME_BYTES, "big") + random
        return (body + self._proof(body)).hex()

    def use(self, nonce: str, now: float) -> bool:
        """Whether it is ours, fresh, and was never used. Call it last, when all else is proven."""
        self._used = {each: until for each, until in self._used.items() if until > now}
        body, proof = _split(nonce)
        if not hmac.compare_digest(proof, self._proof(body)) or nonce in self._used:
            return False
        made = int.from_bytes(body[:_TIME_BYTES], "big") / 1000
        if not 0 <= now - made + 0.001 <= NONCE_S:
            return False
        self._used[nonce] = made + NONCE_S + 1
        return True

    def _proof(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, hashlib.sha256)[:_PROOF_BYTES]


def _split(nonce: str) -> tuple[bytes, bytes]:
    try:
        content = bytes.fromhex(nonce)
    except ValueError:
        return b"", b""
    return content[:-_PROOF_BYTES], content[-_PROOF_BYTES:]
