"""Commands from the cloud: the order that is signed, the challenge it answers (S9), what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from drivers.ups import Outcome, Verb
from gateway.wire import limits
from gateway.wire.messages import Instant, Message, ShortText

ORDER = "ridethrough-order/1"
"""Type string of an order's envelope."""

CLOUD = "cloud"
"""Key name of an envelope's first signature."""

OPERATOR = "operator"
"""Key name prefix of an operator's signature: `operator:NAME` (S9)."""

Nonce = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""16 random bytes, in hexadecimal digits: an order's id, or a challenge."""


class By(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Who asked for it: a role of the cloud (owner, operator, schedule …) and a name."""

    role: ShortText
    name: ShortText


class Order(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One command for one unit of one gateway, as it stands in an envelope of type ORDER.

    `challenge`: one that this gateway issued for this order; only *quiet* verbs (S7) may go without.
    """

    id: Nonce
    gateway: ShortText
    unit: ShortText
    serial: ShortText
    verb: Verb
    by: By
    issued_at: Instant
    expires_at: Instant
    challenge: Nonce | None = None
    groups: Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=15)], ...], msgspec.Meta(max_length=16)] = ()
    use_off_delay: bool = False
    use_on_delay: bool = False
    cold_boot: bool = False
    value: Annotated[str, msgspec.Meta(max_length=limits.TEXT_LENGTH)] | int | None = None


class Signature(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`key`: `cloud`, or `operator:NAME`. `value`: the Ed25519 signature, base64."""

    key: ShortText
    value: Annotated[str, msgspec.Meta(min_length=88, max_length=88)]


class Envelope(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Exact bytes under signatures that cover them and the type string (S9). `payload`: base64.

    The first signature is the cloud's; *cuts output* has an operator's beside it.
    """

    type: ShortText
    payload: Annotated[str, msgspec.Meta(max_length=limits.ORDER_BYTES * 2)]
    signatures: Annotated[list[Signature], msgspec.Meta(min_length=1, max_length=limits.SIGNATURES)]


class ChallengeWanted(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The cloud has an order `id` in mind and needs a challenge for it."""

    id: Nonce


class Challenge(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The gateway's answer: good for the order `id` alone, once, for limits.CHALLENGE_S."""

    id: Nonce
    challenge: Nonce


class Stage(StrEnum):
    """How far a command came. REFUSED and FINISHED end it."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    FINISHED = "finished"


class CommandBody(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Record of the events lane (Kind.COMMAND): a step of the command `id`.

    `reason`: lower-case words with underscores, stable (`expired`, `not_allowed`, `mains_not_steady`, …); `detail`: a
    sentence with value and threshold. `outcome` is the driver's, at FINISHED. `audit`: digest of its line in the
    gateway's audit log.
    """

    id: Nonce
    stage: Stage
    reason: ShortText
    detail: Annotated[str, msgspec.Meta(max_length=limits.DETAIL_LENGTH)] = ""
    verb: ShortText = ""
    serial: ShortText = ""
    by: By | None = None
    outcome: Outcome | None = None
    audit: ShortText = ""
