"""Whose signatures count: the cloud's, by the key pinned at enrolment, and those of the operators of policy.yaml.

cryptography takes 9 MB, and most gateways are never told anything: it is imported when the first order comes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import CannotStart
from gateway.policy import Policy
from gateway.wire.errors import WireError
from gateway.wire.orders import ORDER, Order

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

logger = logging.getLogger("gateway.commands")


class Keyring:
    """`cloud`: file of the cloud's key; without it, nothing is signed by anybody."""

    def __init__(self, cloud: Path | None, policy: Policy) -> None:
        self._cloud = cloud
        self.replace(policy)

    def replace(self, policy: Policy) -> None:
        """Other operators from now on; the cloud's key is read again too."""
        self._policy = policy
        self._keys: Mapping[str, Ed25519PublicKey] | None = None
        self._told = False

    def order(self, payload: bytes) -> Order | None:
        """What is signed; None if no key of the cloud is there, which is told once. Raises WireError."""
        from gateway.wire import envelope

        keys = self._by_name()
        return envelope.read_payload(envelope.opened(payload, ORDER, keys).payload, Order) if keys else None

    def signers(self, payload: bytes) -> frozenset[str]:
        """Whose signatures are right by the keys of this moment: one that was withdrawn meanwhile proves nothing."""
        from gateway.wire import envelope

        try:
            return envelope.opened(payload, ORDER, self._by_name()).signers
        except WireError:
            return frozenset()

    def _by_name(self) -> Mapping[str, Ed25519PublicKey]:
        if self._keys is None:
            try:
                self._keys = self._read()
            except CannotStart as error:
                logger.log(logging.DEBUG if self._told else logging.ERROR, "no order is taken: %s", error)
                self._told = True
                return {}
        return self._keys

    def _read(self) -> Mapping[str, Ed25519PublicKey]:
        """Raises CannotStart."""
        from gateway.runtime.order_key import read_order_key
        from gateway.wire import envelope

        if self._cloud is None:
            raise CannotStart("gateway.yaml names no command_key")
        operators = self._policy.operators.items()
        cloud = {envelope.CLOUD: read_order_key(self._cloud)}
        return cloud | {envelope.operator(name): envelope.public_key(key) for name, key in operators}
