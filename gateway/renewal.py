"""When a certificate is renewed, and whether the new one has proved itself. Pure.

A connection is made with one pair of certificate and key. While a new pair is on trial, a connection that fails hands
over to the other pair, since a network that is down looks like a pair that is refused. So the old pair goes on as long
as the new one does not work, and is given up only after it has.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import Enum, auto

import msgspec

from gateway.settings import GatewaySettings, Tls

HALF_LIFE = timedelta(days=45)
"""Of a gateway's certificate. It is renewed this long before its end, or somewhat later."""
SPREAD = timedelta(days=9)
"""Gateways that were set up on one day don't all come back on one day."""
LOOK_S = 3600.0
"""How often the dates are looked at."""
UNANSWERED = 3
"""So many connections in a row that got as far as TLS and no further may be refusals: under TLS 1.3 a client need not
get to read why it is turned away."""

RETRY_FIRST_S = 600.0
RETRY_MOST_S = 6 * 3600.0
RETRIAL_FIRST_S = 3600.0
RETRIAL_MOST_S = 24 * 3600.0


class Task(msgspec.Struct, frozen=True):
    """What gateway.runtime.renew is asked for. `tls`: the pair in use. `renew`: the endpoint at which to get a new
    certificate; empty to look only."""

    gateway: str
    tls: Tls
    renew: str = ""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """Its answer. `ends_at`: of the certificate in use; `new_ends_at`: of one that waits to be tried. `trouble`: why
    there is no new one though it was asked for; `refused`: the cloud itself said no."""

    ends_at: datetime | None = None
    new_ends_at: datetime | None = None
    trouble: str = ""
    refused: bool = False


def renews(settings: GatewaySettings) -> bool:
    """Whether it knows where to ask and whom a new certificate must come from. Certificate and key in one file can't be
    told apart while one of them is new."""
    tls = settings.tls
    return settings.enrolment is not None and tls.issuer is not None and tls.certificate != tls.key


def due_at(ends_at: datetime, gateway: str) -> datetime:
    """When a certificate that ends at `ends_at` is to be renewed."""
    share = int.from_bytes(hashlib.sha256(gateway.encode()).digest()[:4]) / 2**32
    return ends_at - HALF_LIFE + SPREAD * share


class Turned(msgspec.Struct, frozen=True):
    """How far the cloud seems to turn our certificate away. `away`: it does, as far as can be told."""

    unanswered: int = 0
    away: bool = False


def turned(before: Turned, *, opened: bool, hopeless: bool) -> Turned:
    """After one more connection that came to nothing. `opened`: it got as far as TLS; `hopeless`: refused in words."""
    unanswered = before.unanswered + opened
    return Turned(unanswered, before.away or hopeless or unanswered >= UNANSWERED)


def is_due(known: Outcome, turned_away: bool, now: datetime | None, gateway: str) -> bool:
    """Whether a new certificate is to be asked for. `now`: None if the clock can't be believed; a cloud that turns us
    away knows better than our clock, unless there is a new certificate to be tried already."""
    if turned_away and known.new_ends_at is None:
        return True
    newest_at = known.new_ends_at or known.ends_at
    return newest_at is not None and now is not None and now >= due_at(newest_at, gateway)


def retry_s(failures: int, chance: float) -> float:
    """Seconds from the last of so many failures in a row to the next try; `chance`: 0 to 1."""
    return min(RETRY_FIRST_S * 2.0 ** min(failures - 1, 16), RETRY_MOST_S) * (0.75 + 0.5 * chance)


def retrial_s(refusals: int) -> float:
    """Seconds until a new pair that did not work is tried once more."""
    return min(RETRIAL_FIRST_S * 2.0 ** min(refusals - 1, 16), RETRIAL_MOST_S)


class Stage(Enum):
    """Of a new pair. FAILED: it did not work in this trial, the old one is tried. HELD: the old one did after that."""

    NONE = auto()
    TRYING = auto()
    FAILED = auto()
    HELD = auto()


class Verdict(Enum):
    """What a connection that works means: nothing, the new pair takes its place, or the old one goes on."""

    NOTHING = auto()
    TAKE = auto()
    GO_ON = auto()


class Trial(msgspec.Struct, frozen=True):
    """`refusals`: how often in a row the old pair worked where the new one had not."""

    stage: Stage = Stage.NONE
    refusals: int = 0

    @property
    def is_new(self) -> bool:
        """Whether the next connection is made with the new pair."""
        return self.stage is Stage.TRYING


def begun(trial: Trial) -> Trial:
    """A new pair lies ready, or one that was held is to be tried once more."""
    return Trial(Stage.TRYING, trial.refusals)


def failed(trial: Trial, with_new: bool) -> Trial:
    """A connection came to nothing; `with_new`: it was made with the new pair."""
    match trial.stage, with_new:
        case Stage.TRYING, True:
            return Trial(Stage.FAILED, trial.refusals)
        case Stage.FAILED, False:
            return Trial(Stage.TRYING, trial.refusals)
        case _:
            return trial


def worked(trial: Trial, with_new: bool) -> tuple[Trial, Verdict]:
    """The cloud has answered on a connection; `with_new`: it was made with the new pair."""
    match trial.stage, with_new:
        case Stage.NONE, _:
            return trial, Verdict.NOTHING
        case _, True:
            return Trial(), Verdict.TAKE
        case Stage.FAILED, False:
            return Trial(Stage.HELD, trial.refusals + 1), Verdict.GO_ON
        case _:
            return trial, Verdict.NOTHING
