"""What this room raises.

GatewayError
├── CannotStart        files, keys or settings with which the gateway must not run
├── NewerOutbox        the outbox file was written by a newer version
├── OutboxDamaged      the outbox file is no longer a database that can be trusted
├── NotKept            the disk took nothing: full, read-only or failing
├── Doubtful           two readings of a unit contradict each other
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


class Doubtful(GatewayError):
    """Neither reading is taken; `doubt` says what the second one alone does not prove."""

    def __init__(self, doubt: str) -> None:
        super().__init__(f"two readings in a row contradict each other: {doubt}")
        self.doubt = doubt


class UnknownUnit(GatewayError):
    def __init__(self, unit: str, problem: str) -> None:
        super().__init__(f"{unit}: {problem}")
        self.unit = unit
