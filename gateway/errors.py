"""What this room raises.

GatewayError
├── CannotStart        files, keys or settings with which the gateway must not run
├── NotReloaded        new settings that can't be taken; the old ones go on
├── NewerOutbox        the outbox file was written by a newer version
├── OutboxDamaged      the outbox file is no longer a database that can be trusted
├── NotKept            the disk took nothing: full, read-only or failing
├── NotEnrolled        the cloud's enrolment endpoint can't be reached or trusted, or refuses
├── Withheld           an order that was taken and must no longer be sent
├── NotSent            an emergency message that a mail or ntfy server did not take
├── NoAudit            the audit log can't be read
├── Doubtful           two readings of a unit contradict each other
│   └── SeenTwice      the unit that answers is read under another name already
└── UnknownUnit        no unit of this name is in the settings, or no stranger was seen under it
"""

from __future__ import annotations

from pathlib import Path


class GatewayError(Exception):
    """Any error of this room."""


class CannotStart(GatewayError):
    """Every reason, a line each."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class NotReloaded(GatewayError):
    """Why; what is wrong in the files is logged with its place by whoever read them."""


class NewerOutbox(GatewayError):
    def __init__(self, path: Path, unknown: str) -> None:
        super().__init__(
            f"{path}: written by a newer version of ridethrough (it has {unknown!r}); install that version"
        )
        self.path = path
        self.unknown = unknown


class OutboxDamaged(GatewayError):
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: damaged: {why}")
        self.path = path
        self.why = why


class NotKept(GatewayError):
    """`full`: there is no room; anything else is the disk's own fault."""

    def __init__(self, why: str, full: bool) -> None:
        super().__init__(f"nothing can be written to the outbox: {why}")
        self.why = why
        self.full = full


class NotEnrolled(GatewayError):
    """No certificate, no claim code. `word`: one of gateway.wire.enrolment.Why, if the endpoint itself said why."""

    def __init__(self, where: str, what: str, word: str = "") -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
        self.word = word


class Withheld(GatewayError):
    """`reason`, `detail`: as gateway.preconditions.Refusal has them."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NotSent(GatewayError):
    """`unclear`: it may have been taken all the same."""

    def __init__(self, why: str, *, unclear: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.unclear = unclear


class NoAudit(GatewayError):
    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class Doubtful(GatewayError):
    """Neither reading is taken; `doubt` says what the second one alone does not prove."""

    def __init__(self, doubt: str) -> None:
        super().__init__(f"two readings in a row contradict each other: {doubt}")
        self.doubt = doubt


class SeenTwice(Doubtful):
    """Nothing is read twice; `other` is the name under which the unit `serial` is read."""

    def __init__(self, serial: str, other: str) -> None:
        GatewayError.__init__(self, f"{serial} is read as {other} already")
        self.doubt = "whose reading it is"
        self.serial = serial
        self.other = other


class UnknownUnit(GatewayError):
    def __init__(self, unit: str, problem: str) -> None:
        super().__init__(f"{unit}: {problem}")
        self.unit = unit
