"""Whose signatures count: the cloud's, by the key pinned at enrolment, and those of the operators of policy.yaml."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway.errors import CannotStart
from gateway.policy import Policy
from gateway.runtime.prove import Prover, Question, elsewhere
from gateway.wire.errors import BadSignature
from gateway.wire.limits import PEM_LENGTH
from gateway.wire.orders import CLOUD, OPERATOR, Order

logger = logging.getLogger("gateway.commands")


class Proven(msgspec.Struct, frozen=True):
    """`keys`: those that signed it, by their names, as text: one that was withdrawn since proves nothing."""

    order: Order
    keys: Mapping[str, str]


class Keyring:
    """`cloud`: file of the cloud's key; without it, nothing is signed by anybody."""

    def __init__(self, cloud: Path | None, policy: Policy, prove: Prover = elsewhere) -> None:
        self._cloud = cloud
        self._prove = prove
        self._one_at_a_time = asyncio.Lock()
        self.replace(policy)

    def replace(self, policy: Policy) -> None:
        """Other operators from now on; the cloud's key is read again too."""
        self._policy = policy
        self._keys: Mapping[str, str] | None = None
        self._told = False

    async def proven(self, payload: bytes) -> Proven | None:
        """What is signed; None if no key of the cloud is there, which is told once. Raises BadSignature."""
        async with self._one_at_a_time:
            if not (keys := self._by_name()):
                return None
            question = Question(payload, keys[CLOUD].encode(), dict(self._policy.operators))
            answer = await self._prove(question)
        if answer.unusable:
            self._complain(f"{self._cloud}: {answer.unusable}")
            return None
        if answer.refused:
            raise BadSignature(answer.refused)
        order = msgspec.json.decode(answer.order, type=Order)
        return Proven(order, {name: keys[name] for name in answer.signers})

    def signers(self, proven: Proven) -> frozenset[str]:
        """Whose signatures are right by the keys of this moment; nobody's, if one of the keys is another now."""
        keys = self._by_name()
        unchanged = all(keys.get(name) == key for name, key in proven.keys.items())
        return frozenset(proven.keys) if unchanged else frozenset()

    def _by_name(self) -> Mapping[str, str]:
        if self._keys is None:
            try:
                self._keys = self._read()
            except CannotStart as error:
                self._complain(str(error))
                return {}
        return self._keys

    def _read(self) -> Mapping[str, str]:
        """Raises CannotStart."""
        if self._cloud is None:
            raise CannotStart("gateway.yaml names no command_key")
        try:
            with self._cloud.open("rb") as file:
                cloud = file.read(PEM_LENGTH).decode("ascii", "replace")
        except OSError as error:
            raise CannotStart(f"{self._cloud}: can't be read: {error.strerror}") from error
        return {CLOUD: cloud} | {f"{OPERATOR}:{name}": key for name, key in self._policy.operators.items()}

    def _complain(self, what: str) -> None:
        logger.log(logging.DEBUG if self._told else logging.ERROR, "no order is taken: %s", what)
        self._told = True
