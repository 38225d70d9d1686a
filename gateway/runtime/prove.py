"""Whether an envelope is signed as it has to be: found by a short-lived process, for cryptography takes 9 MB that the
gateway would never get back, and most gateways are told something once a month.

The child is `python -m gateway.runtime.prove`, with a Question as JSON on its standard input, and prints its Answer.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from gateway.runtime.child import ask, program
from gateway.wire.errors import BadSignature, WireError
from gateway.wire.orders import CLOUD, ORDER, Order

CHILD = program("gateway.runtime.prove")
PATIENCE_S = 30.0
"""An interpreter starts in a second or two on a Pi."""


class Question(msgspec.Struct, frozen=True):
    """`cloud`: its public key as PEM; `operators`: theirs by name, as policy.yaml has them."""

    envelope: bytes
    cloud: bytes
    operators: Mapping[str, str]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`order`: as JSON, if it is proven, and `signers`: key names whose signatures are right. `refused`: why it is not.
    `unusable`: what is wrong with the cloud's key."""

    order: bytes = b""
    signers: frozenset[str] = frozenset()
    refused: str = ""
    unusable: str = ""


Prover = Callable[[Question], Awaitable[Answer]]


def answer(question: Question) -> Answer:
    from gateway.runtime.order_key import order_key
    from gateway.wire import envelope

    try:
        cloud = order_key(question.cloud)
    except ValueError as error:
        return Answer(unusable=str(error))
    try:
        operators = {envelope.operator(name): envelope.public_key(key) for name, key in question.operators.items()}
        opened = envelope.opened(question.envelope, ORDER, {CLOUD: cloud, **operators})
        envelope.read_payload(opened.payload, Order)
    except WireError as error:
        return Answer(refused=error.what)
    return Answer(order=opened.payload, signers=opened.signers)


async def elsewhere(question: Question, command: Sequence[str] = CHILD) -> Answer:
    """The answer of a child. Raises BadSignature if there is none: what is not proven counts for nothing."""
    try:
        said = await ask(command, msgspec.json.encode(question), PATIENCE_S)
    except TimeoutError:
        raise BadSignature(f"its signatures could not be looked at within {PATIENCE_S:.0f} s") from None
    try:
        return msgspec.json.decode(said.output, type=Answer)
    except msgspec.MsgspecError:
        raise BadSignature(f"its signatures could not be looked at: exit status {said.status}") from None


def main() -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))


if __name__ == "__main__":
    main()
