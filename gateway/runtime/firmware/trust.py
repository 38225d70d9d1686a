"""Whether a release is signed as it has to be: found by a short-lived process, for tuf takes memory that the gateway
would never get back (as gateway.runtime.prove does it for orders).

The child is `python -m gateway.runtime.firmware.trust`, with a Question as JSON on its standard input; it keeps what it
verified, and prints its Answer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gateway.runtime.child import ask, program
from gateway.wire.firmware_verified import Distrust, NotTrusted, Verified
from gateway.wire.messages import Clock, Stamp

CHILD = program("gateway.runtime.firmware.trust")
PATIENCE_S = 60.0
"""An interpreter with tuf starts in a few seconds on a Pi."""


class Question(msgspec.Struct, frozen=True):
    """`root`: the pinned one. `store`: folder of what was trusted before. `offered`: metadata by file name.
    `at`: UTC milliseconds by the gateway's clock, which is right if `synchronised`."""

    root: bytes
    store: str
    offered: Mapping[str, bytes]
    path: str
    sha256: str
    at: int
    synchronised: bool


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Either `verified`, or `reason` and `detail` of why not."""

    verified: Verified | None = None
    reason: Distrust = Distrust.NOT_LOOKED_AT
    detail: str = ""


def answer(question: Question) -> Answer:
    from gateway.runtime.firmware import store
    from gateway.wire.firmware_trust import Reading, Target, verify

    folder = Path(question.store)
    target = Target(question.path, question.sha256)
    clock = Reading(question.at, question.synchronised)
    try:
        with store.alone(folder):
            stored = store.load(folder, question.root)
            outcome = verify(question.root, stored, question.offered, target, clock)
            if outcome.keep != stored:
                store.save(folder, question.root, outcome.keep)
    except NotTrusted as error:
        return Answer(reason=error.reason, detail=error.what)
    except OSError as error:
        return Answer(reason=Distrust.STORE, detail=f"{folder}: {error.strerror}")
    return Answer(verified=outcome.verified)


async def check(
    root: bytes,
    store: Path,
    offered: Mapping[str, bytes],
    path: str,
    sha256: str,
    stamp: Stamp,
    command: Sequence[str] = CHILD,
) -> Verified:
    """What the repository's keys say of a release. Raises NotTrusted.

    `root`: pinned, never from the cloud. `offered`: metadata files by name; none at all checks by what is stored.
    `sha256`: the image's, as the order names it. `stamp`: now; expiry counts by a clock that is synchronised. That a
    release counter does not fall is the caller's to see to (`firmware_rules.objections`).
    """
    synchronised = stamp.clock == Clock.SYNCHRONISED
    question = Question(root, str(store), offered, path, sha256, stamp.at, synchronised)
    said = await _asked(question, command)
    if said.verified is None:
        raise NotTrusted(said.reason, said.detail)
    return said.verified


async def _asked(question: Question, command: Sequence[str]) -> Answer:
    try:
        said = await ask(command, msgspec.json.encode(question), PATIENCE_S)
    except TimeoutError:
        return Answer(detail=f"its signatures could not be looked at within {PATIENCE_S:.0f} s")
    try:
        return msgspec.json.decode(said.output, type=Answer)
    except msgspec.MsgspecError:
        return Answer(detail=f"its signatures could not be looked at: exit status {said.status}")


def main() -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))


if __name__ == "__main__":
    main()
